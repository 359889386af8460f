import type { ProjectDatabase } from './database.ts'

export interface HistoryRow {
  id: number
  /** Which action it is. Ids are given again after a redo was dropped; this never is. */
  step: number
  /** A key of the page's texts: 'assign', 'exclude', 'label-merge' … */
  name: string
  pictures: number
  /** JSON */
  forward: string
  backward: string
  undone: 0 | 1
}

export type HistoryRepository = ReturnType<typeof createHistoryRepository>

/** Done and undone actions. @param keep how many are kept */
export function createHistoryRepository({ sql }: ProjectDatabase, keep = 100) {
  const columns = 'id, at AS step, name, pictures, forward, backward, undone'
  // When it was done names an action: later than every other, also after the clock was set back.
  const nextStep = sql.prepare<[number], number>('SELECT max(?, ifnull(max(at), 0) + 1) FROM history').pluck()
  const insert = sql.prepare<[number, string, number, string, string]>(
    'INSERT INTO history (at, name, pictures, forward, backward) VALUES (?, ?, ?, ?, ?)',
  )
  const dropUndone = sql.prepare('DELETE FROM history WHERE undone = 1')
  const dropOld = sql.prepare<[number]>(
    'DELETE FROM history WHERE id <= (SELECT id FROM history ORDER BY id DESC LIMIT 1 OFFSET ?)',
  )
  const lastDone = sql.prepare<[], HistoryRow>(
    `SELECT ${columns} FROM history WHERE undone = 0 ORDER BY id DESC LIMIT 1`,
  )
  const firstUndone = sql.prepare<[], HistoryRow>(
    `SELECT ${columns} FROM history WHERE undone = 1 ORDER BY id LIMIT 1`,
  )
  const byStep = sql.prepare<[number], HistoryRow>(`SELECT ${columns} FROM history WHERE at = ?`)
  const setUndone = sql.prepare<[string, number]>('UPDATE history SET undone = 1, forward = ? WHERE id = ?')
  const setDone = sql.prepare<[string, number]>('UPDATE history SET undone = 0, backward = ? WHERE id = ?')

  return {
    /** A new action: what was undone before cannot be redone any more. @returns its step */
    push(entry: Omit<HistoryRow, 'id' | 'step' | 'undone'>): number {
      const now = Date.now()
      const step = nextStep.get(now) ?? now
      dropUndone.run()
      insert.run(step, entry.name, entry.pictures, entry.forward, entry.backward)
      dropOld.run(keep)
      return step
    },
    lastDone: (): HistoryRow | undefined => lastDone.get(),
    find: (step: number): HistoryRow | undefined => byStep.get(step),
    firstUndone: (): HistoryRow | undefined => firstUndone.get(),
    /** @param forward what redoes it, as found when it was undone */
    markUndone(id: number, forward: string): void {
      setUndone.run(forward, id)
    },
    markDone(id: number, backward: string): void {
      setDone.run(backward, id)
    },
  }
}
