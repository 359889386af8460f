import type { ProjectDatabase } from './database.ts'

export interface HistoryRow {
  id: number
  /** A key of the page's texts: 'assign', 'exclude', 'label-merge' … */
  name: string
  pictures: number
  /** JSON */
  forward: string
  backward: string
}

export type HistoryRepository = ReturnType<typeof createHistoryRepository>

/** Done and undone actions. @param keep how many are kept */
export function createHistoryRepository({ sql }: ProjectDatabase, keep = 100) {
  const columns = 'id, name, pictures, forward, backward'
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
  const setUndone = sql.prepare<[string, number]>('UPDATE history SET undone = 1, forward = ? WHERE id = ?')
  const setDone = sql.prepare<[string, number]>('UPDATE history SET undone = 0, backward = ? WHERE id = ?')

  return {
    /** A new action: what was undone before cannot be redone any more. */
    push(entry: Omit<HistoryRow, 'id'>): void {
      dropUndone.run()
      insert.run(Date.now(), entry.name, entry.pictures, entry.forward, entry.backward)
      dropOld.run(keep)
    },
    lastDone: (): HistoryRow | undefined => lastDone.get(),
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
