import { predictionSchema } from '#shared/contract/use.ts'
import type { Prediction } from '#shared/contract/use.ts'
import { wireErrorSchema } from '#shared/errors/index.ts'
import type { WireError } from '#shared/errors/index.ts'
import type { ProjectDatabase } from './database.ts'

export interface AnswerRow {
  id: string
  runId: string
  /** Milliseconds since 1970. */
  askedAt: number
  name: string
  /** Relative to the project folder; null when the picture could not be read. */
  file: string | null
  bytes: number
  width: number
  height: number
  top: Prediction['top']
  error: WireError | null
  milliseconds: number
  pictureId: number | null
}
type Stored = Omit<AnswerRow, 'top' | 'error'> & { top: string; error: string | null }

/** What is left of the disk to answers. */
export interface AnswerLimits {
  /** Answers of one run. */
  perRun: number
  /** Pictures of all runs together; what was asked last stays, however large it is. */
  bytes: number
}

export type AnswersRepository = ReturnType<typeof createAnswersRepository>

export function createAnswersRepository({ sql, transaction }: ProjectDatabase) {
  const columns = `id, run_id AS runId, asked_at AS askedAt, name, file, bytes, width, height, top, error,
    milliseconds, picture_id AS pictureId`
  const next = sql
    .prepare<[string], number>('SELECT ifnull(max(number), 0) + 1 FROM answers WHERE run_id = ?')
    .pluck()
  const insert = sql.prepare(`INSERT INTO answers
    (run_id, number, id, asked_at, name, file, bytes, width, height, top, error, milliseconds, picture_id)
    VALUES (@runId, @number, @id, @askedAt, @name, @file, @bytes, @width, @height, @top, @error, @milliseconds,
      @pictureId)`)
  const ofRun = sql.prepare<[string], Stored>(
    `SELECT ${columns} FROM answers WHERE run_id = ? ORDER BY number DESC`,
  )
  const lowest = sql
    .prepare<[string], number>('SELECT ifnull(min(number), 1) FROM answers WHERE run_id = ?')
    .pluck()
  const byId = sql.prepare<[string], Stored>(`SELECT ${columns} FROM answers WHERE id = ?`)
  const setPicture = sql.prepare<[number, string]>('UPDATE answers SET picture_id = ? WHERE id = ?')
  const tooMany = sql.prepare<[string, string, number], { id: string }>(`SELECT id FROM answers
    WHERE run_id = ? AND number <= (SELECT max(number) FROM answers WHERE run_id = ?) - ?`)
  const byAge = sql.prepare<[], { id: string; bytes: number }>(
    'SELECT id, bytes FROM answers ORDER BY asked_at DESC, number DESC',
  )
  const ofRemovedRuns = sql.prepare<[], { id: string }>(
    "SELECT id FROM answers WHERE run_id IN (SELECT id FROM runs WHERE state = 'removed')",
  )
  const remove = sql.prepare<[string], { file: string | null }>(
    'DELETE FROM answers WHERE id = ? RETURNING file',
  )
  const files = sql.prepare<[], string>('SELECT file FROM answers WHERE file IS NOT NULL').pluck()

  const row = (stored: Stored): AnswerRow => ({
    ...stored,
    top: predictionSchema.shape.top.parse(JSON.parse(stored.top)),
    error: stored.error === null ? null : wireErrorSchema.parse(JSON.parse(stored.error)),
  })
  /** @returns the files that nothing names any more */
  const removeAll = (rows: readonly { id: string }[]): string[] =>
    rows.flatMap(({ id }) => remove.get(id)?.file ?? [])

  function makeRoom(runId: string, { perRun, bytes }: AnswerLimits, latest: ReadonlySet<string>): string[] {
    const made = removeAll(tooMany.all(runId, runId, perRun))
    let sum = 0
    const heavy = byAge.all().filter((each) => (sum += each.bytes) > bytes && !latest.has(each.id))
    return [...made, ...removeAll(heavy)]
  }

  return {
    /**
     * Adds answers, the first of them as the newest, and makes room for them.
     * @returns the files of those that made room
     */
    add(runId: string, rows: readonly Omit<AnswerRow, 'runId'>[], limits: AnswerLimits): string[] {
      return transaction(() => {
        let number = next.get(runId) ?? 1
        for (const each of rows.toReversed())
          insert.run({
            ...each,
            ...{ runId, number: number++ },
            top: JSON.stringify(each.top),
            error: each.error && JSON.stringify(each.error),
          })
        return makeRoom(runId, limits, new Set(rows.map(({ id }) => id)))
      })
    },
    /** Newest first. */
    ofRun: (runId: string): AnswerRow[] => ofRun.all(runId).map(row),
    /** How many older ones made room. */
    madeRoom: (runId: string): number => (lowest.get(runId) ?? 1) - 1,
    find: (id: string): AnswerRow | undefined => {
      const stored = byId.get(id)
      return stored && row(stored)
    },
    setPicture(id: string, pictureId: number): void {
      setPicture.run(pictureId, id)
    },
    /** @returns their files */
    clear: (runId: string): string[] => transaction(() => removeAll(ofRun.all(runId))),
    /** Of runs that are not there any more. @returns their files */
    clearRemoved: (): string[] => transaction(() => removeAll(ofRemovedRuns.all())),
    files: (): string[] => files.all(),
  }
}
