import { mkdirSync, rmSync } from 'node:fs'
import { dirname } from 'node:path'
import Database from 'better-sqlite3'

export interface Thumbnail {
  /** Of the original file, hexadecimal. */
  sha256: string
  bytes: Uint8Array
}

/** All thumbnails of a project in one file: making 100,000 small files takes longer than decoding the pictures. */
export interface ThumbnailsDatabase {
  get(sha256: string): Uint8Array | undefined
  /** In one transaction. */
  put(thumbnails: readonly Thumbnail[]): void
  close(): void
}

/**
 * Opens the thumbnails of a project. They are a cache: when the file was deleted or is damaged it begins anew, and
 * thumbnails are made again when they are asked for. Nothing waits for the disk here (`synchronous = OFF`).
 */
export function openThumbnailsDatabase(file: string): ThumbnailsDatabase {
  let cache = openOrStartAnew(file)

  /** A damaged cache is no reason to fail. */
  function withRepair<T>(work: (from: typeof cache) => T): T {
    try {
      return work(cache)
    } catch (error) {
      if (!isDamage(error)) throw error
      cache.sql.close()
      remove(file)
      cache = openOrStartAnew(file)
      return work(cache)
    }
  }

  return {
    get: (sha256) => withRepair(({ get }) => get.get(Buffer.from(sha256, 'hex'))),
    put: (thumbnails) => withRepair(({ put }) => put(thumbnails)),
    close: () => {
      if (cache.sql.open) cache.sql.close()
    },
  }
}

function openOrStartAnew(file: string) {
  mkdirSync(dirname(file), { recursive: true })
  try {
    return prepare(file)
  } catch (error) {
    if (!isDamage(error)) throw error
    remove(file)
    return prepare(file)
  }
}

function prepare(file: string) {
  const sql = new Database(file)
  try {
    sql.pragma('page_size = 16384')
    sql.pragma('journal_mode = TRUNCATE')
    sql.pragma('synchronous = OFF')
    sql.pragma('locking_mode = EXCLUSIVE')
    sql.pragma('cache_size = -8000')
    sql.exec(
      'CREATE TABLE IF NOT EXISTS thumbnails (id INTEGER PRIMARY KEY, sha256 BLOB NOT NULL UNIQUE, bytes BLOB NOT NULL) STRICT',
    )
    const get = sql.prepare<[Buffer], Buffer>('SELECT bytes FROM thumbnails WHERE sha256 = ?').pluck()
    const insert = sql.prepare<[Buffer, Uint8Array]>(
      'INSERT INTO thumbnails (sha256, bytes) VALUES (?, ?) ON CONFLICT (sha256) DO UPDATE SET bytes = excluded.bytes',
    )
    const put = sql.transaction((thumbnails: readonly Thumbnail[]) => {
      for (const { sha256, bytes } of thumbnails) insert.run(Buffer.from(sha256, 'hex'), bytes)
    })
    return { sql, get, put }
  } catch (error) {
    sql.close()
    throw error
  }
}

const isDamage = (error: unknown): boolean =>
  error instanceof Database.SqliteError && /^SQLITE_(CORRUPT|NOTADB|IOERR|READONLY_DBMOVED)/.test(error.code)

function remove(file: string): void {
  for (const ending of ['', '-journal', '-wal', '-shm']) rmSync(file + ending, { force: true })
}
