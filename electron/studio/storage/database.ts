import {
  existsSync,
  mkdirSync,
  openSync,
  readSync,
  closeSync,
  readFileSync,
  writeFileSync,
  rmSync,
} from 'node:fs'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { KestrelError } from '#shared/errors/index.ts'
import { migrations as allMigrations } from './migrations/index.ts'

export type Sql = Database.Database

/** A project's database, open and held by this process alone. */
export interface ProjectDatabase {
  readonly file: string
  /** For repositories in this folder; nobody else speaks SQL. */
  readonly sql: Sql
  /** Runs `work` in one transaction; a call inside another joins it. Whatever is thrown undoes all of it. */
  transaction<T>(work: () => T): T
  /** Writes everything into the one file, gives the lock back. Calling it again does nothing. */
  close(): void
}

export interface OpenOptions {
  /** Other than the app's own only in tests. */
  migrations?: readonly string[]
}

export const databaseFile = (folder: string): string => join(folder, 'project.db')
const holderFile = (folder: string): string => join(folder, 'project.lock')

/**
 * Opens (or makes) the database of a project folder: one process at a time, WAL, foreign keys on, migrated to today's
 * version with a copy of the old file kept in `backups/`.
 *
 * The lock is SQLite's own exclusive file lock: the system gives it back when a process dies, however it dies, so no
 * stale lock can remain. `project.lock` only says who holds it.
 * @throws KestrelError project-newer (untouched), project-locked, project-damaged, disk-full
 */
export function openProjectDatabase(folder: string, options: OpenOptions = {}): ProjectDatabase {
  const migrations = options.migrations ?? allMigrations
  const file = databaseFile(folder)
  // Asked of the bytes before SQLite opens the file: opening alone may write beside it.
  if (existsSync(file)) refuseNewer(versionInHeader(file), migrations.length)

  let sql: Sql | null = null
  try {
    sql = new Database(file, { timeout: 200 })
    sql.pragma('locking_mode = EXCLUSIVE')
    sql.pragma('journal_mode = WAL')
    sql.pragma('synchronous = FULL')
    sql.pragma('foreign_keys = ON')
    sql.pragma('temp_store = MEMORY')
    sql.pragma('cache_size = -32000')
    sql.exec('BEGIN EXCLUSIVE; COMMIT')
    refuseNewer(versionOf(sql), migrations.length)
    migrate(sql, folder, migrations)
    writeFileSync(holderFile(folder), `${JSON.stringify({ pid: process.pid, since: Date.now() })}\n`)
  } catch (error) {
    sql?.close()
    throw asOpenError(error, folder)
  }
  return handleOf(sql, file, folder)
}

function handleOf(sql: Sql, file: string, folder: string): ProjectDatabase {
  return {
    file,
    sql,
    transaction: (work) => (sql.inTransaction ? work() : sql.transaction(work).immediate()),
    close() {
      if (!sql.open) return
      sql.pragma('optimize')
      sql.close()
      rmSync(holderFile(folder), { force: true })
    },
  }
}

/** SQLite keeps `user_version` at byte 60 of the file, big-endian. 0 when the file is too short to be a database. */
function versionInHeader(file: string): number {
  const header = Buffer.alloc(64)
  const handle = openSync(file, 'r')
  try {
    if (readSync(handle, header, 0, 64, 0) < 64) return 0
  } finally {
    closeSync(handle)
  }
  return header.toString('latin1', 0, 15) === 'SQLite format 3' ? header.readInt32BE(60) : 0
}

const versionOf = (sql: Sql): number => Number(sql.pragma('user_version', { simple: true }))

function refuseNewer(version: number, known: number): void {
  if (version <= known) return
  throw new KestrelError('project-newer', 'This project was made by a newer Kestrel than this one.', {
    kept: 'It was not changed in any way.',
    remedy: 'Update Kestrel, then open the project again.',
  })
}

/** All missing steps in one transaction: a database is at a whole version, or as it was. */
function migrate(sql: Sql, folder: string, migrations: readonly string[]): void {
  const from = versionOf(sql)
  if (from === migrations.length) return
  if (from > 0) keepCopy(sql, folder, from)
  sql
    .transaction(() => {
      for (const step of migrations.slice(from)) sql.exec(step)
      const broken = sql.prepare('PRAGMA foreign_key_check').all()
      if (broken.length > 0)
        throw new KestrelError('project-damaged', 'The project could not be brought up to date.', {
          kept: 'It is as it was before.',
          remedy: 'Save diagnostics and ask for help.',
          cause: new Error(`foreign key check after migration: ${broken.length} rows`),
        })
      sql.pragma(`user_version = ${migrations.length}`)
    })
    .immediate()
}

function keepCopy(sql: Sql, folder: string, version: number): void {
  const backups = join(folder, 'backups')
  mkdirSync(backups, { recursive: true })
  const copy = join(backups, `project-version-${version}.db`)
  rmSync(copy, { force: true })
  sql.prepare('VACUUM INTO ?').run(copy)
}

function asOpenError(error: unknown, folder: string): unknown {
  if (!(error instanceof Database.SqliteError)) return error
  if (error.code.startsWith('SQLITE_BUSY') || error.code.startsWith('SQLITE_LOCKED'))
    return new KestrelError('project-locked', `This project is open in another Kestrel${holderOf(folder)}.`, {
      kept: 'Nothing was changed.',
      remedy: 'Close it there first, then open it here.',
      cause: error,
    })
  if (error.code === 'SQLITE_FULL')
    return new KestrelError('disk-full', 'The disk is full.', {
      kept: 'The project is as it was.',
      remedy: 'Free some space and try again.',
      cause: error,
    })
  return new KestrelError('project-damaged', 'The file of this project cannot be read.', {
    kept: 'The pictures in its folder are untouched.',
    remedy: 'Look into its folder "backups" for an earlier copy of project.db.',
    cause: error,
  })
}

/** ' (process 1234)' when it is known who has the project open; the words are a help, not the lock. */
function holderOf(folder: string): string {
  if (!existsSync(holderFile(folder))) return ''
  const pid = /"pid":(\d+)/.exec(readFileSync(holderFile(folder), 'utf8'))?.[1]
  return pid === undefined ? '' : ` (process ${pid})`
}
