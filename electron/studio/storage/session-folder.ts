import { existsSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import Database from 'better-sqlite3'

/** A folder that belongs to this process for as long as it lives. */
export interface SessionFolder {
  readonly folder: string
  /** Gives it back; whoever clears up may delete it from then on. */
  release(): void
}

const lockFile = (folder: string): string => join(folder, 'session.lock')
/** What a lock file says once somebody has begun to delete its folder. */
const GIVEN_UP = 1

/**
 * Makes a folder and holds it. As with projects, the lock is SQLite's own exclusive file lock: the system gives it back
 * when a process dies, however it dies, and a process id that is used again cannot be mistaken for the owner.
 * @returns null when somebody cleared the folder away between its making and its locking: try another name
 */
export function holdFolder(folder: string): SessionFolder | null {
  mkdirSync(folder, { recursive: true })
  let sql: Database.Database | null = null
  try {
    sql = openLock(folder)
    if (sql.pragma('user_version', { simple: true }) !== GIVEN_UP) return heldBy(sql, folder)
  } catch (error) {
    sql?.close()
    if (isBusy(error) || !existsSync(folder)) return null
    throw error
  }
  sql.close()
  return null
}

function heldBy(sql: Database.Database, folder: string): SessionFolder {
  return {
    folder,
    release() {
      if (sql.open) sql.close()
    },
  }
}

/**
 * Whether nobody holds a folder made by {@link holdFolder} any more. A folder that was found abandoned stays so: the
 * lock file says it, so that an owner who was only just making it notices.
 */
export function isAbandoned(folder: string): boolean {
  let sql: Database.Database | null = null
  try {
    sql = openLock(folder)
    sql.pragma(`user_version = ${GIVEN_UP}`)
    sql.exec('COMMIT')
    return true
  } catch (error) {
    if (isBusy(error)) return false
    throw error
  } finally {
    sql?.close()
  }
}

/** @throws SqliteError busy while another holds it */
function openLock(folder: string): Database.Database {
  const sql = new Database(lockFile(folder), { timeout: 0 })
  try {
    // There is nothing to undo: no journal lies beside the lock.
    sql.pragma('journal_mode = MEMORY')
    sql.exec('BEGIN EXCLUSIVE')
    return sql
  } catch (error) {
    sql.close()
    throw error
  }
}

const isBusy = (error: unknown): boolean =>
  error instanceof Database.SqliteError && /^SQLITE_(BUSY|LOCKED)/.test(error.code)
