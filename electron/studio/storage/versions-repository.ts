import type { SplitName } from '#shared/contract/trainer.ts'
import type { ProjectDatabase } from './database.ts'

export interface VersionItem {
  pictureId: number
  /** Index into the version's classes. */
  class: number
  split: SplitName
}

export type VersionsRepository = ReturnType<typeof createVersionsRepository>

/** Frozen dataset versions: which pictures, with which class, on which side. Never changed once written. */
export function createVersionsRepository({ sql, transaction }: ProjectDatabase) {
  const byDigest = sql.prepare<[string], number>('SELECT id FROM dataset_versions WHERE digest = ?').pluck()
  const insert = sql.prepare<[number, string, string]>(
    'INSERT INTO dataset_versions (created_at, options, digest) VALUES (?, ?, ?)',
  )
  const addItem = sql.prepare<[number | bigint, number, number, SplitName]>(
    'INSERT INTO dataset_items (version_id, picture_id, class, split) VALUES (?, ?, ?, ?)',
  )
  const items = sql.prepare<[number], VersionItem>(
    'SELECT picture_id AS pictureId, class, split FROM dataset_items WHERE version_id = ? ORDER BY picture_id',
  )
  const withOptions = sql
    .prepare<[string, number], number>(
      'SELECT id FROM dataset_versions WHERE options = ? ORDER BY id DESC LIMIT ?',
    )
    .pluck()
  const digestOf = sql.prepare<[number], string>('SELECT digest FROM dataset_versions WHERE id = ?').pluck()
  const sides = sql
    .prepare<[number], [number, SplitName]>(
      'SELECT picture_id, split FROM dataset_items WHERE version_id = ?',
    )
    .raw()
  const lastPicture = sql
    .prepare<[number], number | null>('SELECT max(picture_id) FROM dataset_items WHERE version_id = ?')
    .pluck()
  const newest = sql
    .prepare<[], string>(
      `SELECT v.options FROM runs r JOIN dataset_versions v ON v.id = r.version_id ORDER BY r.number DESC LIMIT 1`,
    )
    .pluck()

  return {
    /** @returns the id of the version; the same content is stored once. */
    freeze(version: {
      createdAt: number
      options: string
      digest: string
      items: Iterable<VersionItem>
    }): number {
      return transaction(() => {
        const known = byDigest.get(version.digest)
        if (known !== undefined) return known
        const { lastInsertRowid } = insert.run(version.createdAt, version.options, version.digest)
        for (const item of version.items) addItem.run(lastInsertRowid, item.pictureId, item.class, item.split)
        return Number(lastInsertRowid)
      })
    },
    items: (id: number): VersionItem[] => items.all(id),
    digest: (id: number): string | undefined => digestOf.get(id),
    /** Options of the version that the newest run was trained on. */
    newestOptions: (): string | undefined => newest.get(),
    /**
     * The side each picture had in the newest version with these options that held it; looks back over `limit` versions,
     * so that a picture excluded for a while comes back to its side. Nearly always the newest one knows them all.
     */
    sidesSoFar(options: string, pictures: Iterable<number>, limit = 20): Map<number, SplitName> {
      const found = new Map<number, SplitName>()
      const versions = withOptions.all(options, limit)
      // Pictures that came after those of all versions need not be looked for.
      const last = Math.max(0, ...versions.map((id) => lastPicture.get(id) ?? 0))
      const missing = new Set([...pictures].filter((id) => id <= last))
      for (const id of versions) {
        if (missing.size === 0) break
        for (const [pictureId, split] of sides.all(id))
          if (missing.delete(pictureId)) found.set(pictureId, split)
      }
      return found
    },
  }
}
