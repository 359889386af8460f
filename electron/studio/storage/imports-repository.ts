import type { ProjectDatabase } from './database.ts'

export type ImportState = 'scanning' | 'running' | 'done' | 'cancelled' | 'failed'
export interface ImportRow {
  id: number
  jobId: string
  state: ImportState
  /** JSON */
  options: string
  read: number
  duplicates: number
  refused: number
}
export interface ImportFile {
  position: number
  path: string
  relative: string
  bytes: number
  /** Milliseconds since 1970. */
  modified: number
}
export type FileOutcome =
  | { state: 'read' }
  | { state: 'duplicate'; code?: string; message?: string }
  | { state: 'refused'; code: string; message: string }
export interface ImportProblemRow {
  file: string
  code: string
  message: string
}

export const waitingSql = `SELECT position, path, relative, bytes, modified FROM import_files
  WHERE import_id = ? AND state = 'waiting' AND position > ? ORDER BY position LIMIT ?`
export const problemsOfImportsSql = `SELECT relative AS file, code, message FROM import_files
  WHERE code IS NOT NULL ORDER BY import_id DESC, position LIMIT ? OFFSET ?`

export type ImportsRepository = ReturnType<typeof createImportsRepository>

/** Imports and their files: what is needed to go on after a restart, and what could not be read. */
export function createImportsRepository({ sql, transaction }: ProjectDatabase) {
  const columns = 'id, job_id AS jobId, state, options, read, duplicates, refused'
  const create = sql.prepare<[string, string, number]>(
    "INSERT INTO imports (job_id, state, options, started_at) VALUES (?, 'scanning', ?, ?)",
  )
  const find = sql.prepare<[number], ImportRow>(`SELECT ${columns} FROM imports WHERE id = ?`)
  const unfinished = sql.prepare<[], ImportRow>(
    `SELECT ${columns} FROM imports WHERE state IN ('scanning', 'running') ORDER BY id`,
  )
  const setState = sql.prepare<[ImportState, number | null, number]>(
    'UPDATE imports SET state = ?, ended_at = ? WHERE id = ?',
  )
  const setOptions = sql.prepare<[string, number]>('UPDATE imports SET options = ? WHERE id = ?')
  const count = sql.prepare<[number, number, number, number]>(
    'UPDATE imports SET read = read + ?, duplicates = duplicates + ?, refused = refused + ? WHERE id = ?',
  )
  const addFile = sql.prepare(
    'INSERT INTO import_files (import_id, position, path, relative, bytes, modified) VALUES (?, ?, ?, ?, ?, ?)',
  )
  const forgetFiles = sql.prepare<[number]>('DELETE FROM import_files WHERE import_id = ?')
  const thinOut = sql.prepare<[number]>('DELETE FROM import_files WHERE import_id = ? AND code IS NULL')
  const waiting = sql.prepare<[number, number, number], ImportFile>(waitingSql)
  const left = sql.prepare<[number], { files: number; bytes: number }>(
    `SELECT count(*) AS files, ifnull(sum(bytes), 0) AS bytes FROM import_files WHERE import_id = ? AND state = 'waiting'`,
  )
  const finish = sql.prepare<[string, string | null, string | null, number, number]>(
    'UPDATE import_files SET state = ?, code = ?, message = ? WHERE import_id = ? AND position = ?',
  )
  const problems = sql.prepare<[number, number], ImportProblemRow>(problemsOfImportsSql)
  const problemCount = sql
    .prepare<[], number>('SELECT count(*) FROM import_files WHERE code IS NOT NULL')
    .pluck()
  const totals = sql.prepare<[], { duplicates: number; refused: number }>(
    'SELECT ifnull(sum(duplicates), 0) AS duplicates, ifnull(sum(refused), 0) AS refused FROM imports',
  )

  return {
    create: (jobId: string, options: string): number =>
      Number(create.run(jobId, options, Date.now()).lastInsertRowid),
    find: (id: number): ImportRow | undefined => find.get(id),
    unfinished: (): ImportRow[] => unfinished.all(),
    setOptions(id: number, options: string): void {
      setOptions.run(options, id)
    },
    setState(id: number, state: ImportState): void {
      const over = state !== 'scanning' && state !== 'running'
      transaction(() => {
        setState.run(state, over ? Date.now() : null, id)
        if (over) thinOut.run(id)
      })
    },
    addFiles(id: number, files: readonly ImportFile[]): void {
      transaction(() => {
        for (const file of files)
          addFile.run(id, file.position, file.path, file.relative, file.bytes, file.modified)
      })
    },
    /** What cannot even be listed as a file; to be called inside a transaction. @param from position of the first */
    addRefused(id: number, from: number, refused: readonly ImportProblemRow[]): void {
      for (const [index, { file, code, message }] of refused.entries()) {
        addFile.run(id, from + index, '', file, 0, 0)
        finish.run('refused', code, message, id, from + index)
      }
      count.run(0, 0, refused.length, id)
    },
    /** A scan that was interrupted begins again. */
    forgetFiles(id: number): void {
      forgetFiles.run(id)
    },
    waiting: (id: number, afterPosition: number, limit: number): ImportFile[] =>
      waiting.all(id, afterPosition, limit),
    left: (id: number): { files: number; bytes: number } => left.get(id) ?? { files: 0, bytes: 0 },
    /** To be called inside the transaction that writes the pictures. */
    finishFiles(id: number, outcomes: readonly { position: number; outcome: FileOutcome }[]): void {
      const sums = { read: 0, duplicate: 0, refused: 0 }
      for (const { position, outcome } of outcomes) {
        const code = outcome.state === 'read' ? null : (outcome.code ?? null)
        const message = outcome.state === 'read' ? null : (outcome.message ?? null)
        finish.run(outcome.state, code, message, id, position)
        sums[outcome.state]++
      }
      count.run(sums.read, sums.duplicate, sums.refused, id)
    },
    /** What could not be read or was there under another label; newest import first. */
    problems: (offset: number, limit: number): ImportProblemRow[] => problems.all(limit, offset),
    problemCount: (): number => problemCount.get() ?? 0,
    /** Over all imports. */
    totals: (): { duplicates: number; refused: number } => totals.get() ?? { duplicates: 0, refused: 0 },
  }
}
