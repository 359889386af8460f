import type { ProjectDatabase } from './database.ts'

/** A file on the person's disk that was imported before. */
export interface SourceRow {
  path: string
  bytes: number
  /** Milliseconds since 1970. */
  modified: number
  /** Null when it could not be read. */
  pictureId: number | null
  code: string | null
  message: string | null
  /** What its folder said when it was last looked at. */
  label: string | null
  split: string | null
  gone: number
}

export type SourcesRepository = ReturnType<typeof createSourcesRepository>

export function createSourcesRepository({ sql }: ProjectDatabase) {
  const columns = 'path, bytes, modified, picture_id AS pictureId, code, message, label, split, gone'
  const byPath = sql.prepare<[string], SourceRow>(`SELECT ${columns} FROM sources WHERE path = ?`)
  // A range over the key instead of LIKE: '_' and '%' in names mean themselves.
  const below = sql.prepare<[string, string], SourceRow>(
    `SELECT ${columns} FROM sources WHERE path >= ? AND path < ? ORDER BY path`,
  )
  const ofPicture = sql.prepare<[number], SourceRow>(`SELECT ${columns} FROM sources WHERE picture_id = ?`)
  const save =
    sql.prepare(`INSERT OR REPLACE INTO sources (path, bytes, modified, picture_id, code, message, label, split, gone)
    VALUES (@path, @bytes, @modified, @pictureId, @code, @message, @label, @split, @gone)`)
  const remove = sql.prepare<[string]>('DELETE FROM sources WHERE path = ?')

  return {
    find: (path: string): SourceRow | undefined => byPath.get(path),
    /** All files below a folder. @param prefix the folder with its closing separator */
    below: (prefix: string): SourceRow[] =>
      below.all(prefix, `${prefix.slice(0, -1)}${nextOf(prefix.at(-1))}`),
    ofPicture: (pictureId: number): SourceRow[] => ofPicture.all(pictureId),
    save(row: SourceRow): void {
      save.run(row)
    },
    remove(path: string): void {
      remove.run(path)
    },
  }
}

const nextOf = (character: string | undefined): string =>
  String.fromCharCode((character ?? '').charCodeAt(0) + 1)
