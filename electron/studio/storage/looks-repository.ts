import type { ProjectDatabase } from './database.ts'

export type LooksRepository = ReturnType<typeof createLooksRepository>

/** Pairs of pictures that are of one shot. */
export type Twins = readonly [pictureId: number, twinId: number]

/** Looks of pictures (see `shared/domain/same-shot.ts`), and what comparing them has found. */
export function createLooksRepository({ sql, transaction }: ProjectDatabase) {
  const insert = sql.prepare<[number, Uint8Array]>(
    'INSERT INTO looks (picture_id, pixels) VALUES (?, ?) ON CONFLICT (picture_id) DO NOTHING',
  )
  const insertIfThere = sql.prepare<[Uint8Array, number]>(
    `INSERT INTO looks (picture_id, pixels) SELECT id, ? FROM pictures WHERE id = ?
     ON CONFLICT (picture_id) DO NOTHING`,
  )
  const find = sql.prepare<[number], Buffer>('SELECT pixels FROM looks WHERE picture_id = ?').pluck()
  const missing = sql.prepare<[number, number], { id: number; file: string }>(
    `SELECT p.id, p.file FROM pictures p LEFT JOIN looks l ON l.picture_id = p.id
     WHERE l.picture_id IS NULL AND p.id > ? ORDER BY p.id LIMIT ?`,
  )
  const waiting = sql
    .prepare<[], number>('SELECT picture_id FROM looks WHERE compared = 0 ORDER BY picture_id')
    .pluck()
  const hashes = sql
    .prepare<[], [number, string]>(
      'SELECT p.id, p.perceptual_hash FROM looks l JOIN pictures p ON p.id = l.picture_id ORDER BY p.id',
    )
    .raw()
  const setCompared = sql.prepare<[number]>('UPDATE looks SET compared = 1 WHERE picture_id = ?')
  const addTwins = sql.prepare<[number, number]>(
    'INSERT INTO twins (picture_id, twin_id) VALUES (?, ?) ON CONFLICT DO NOTHING',
  )
  const twins = sql.prepare<[], Twins>('SELECT picture_id, twin_id FROM twins').raw()

  return {
    /** @param pixels uint8 `[32, 32]` */
    add(pictureId: number, pixels: Uint8Array): void {
      insert.run(pictureId, pixels)
    },
    /** In one write to the disk; pictures that have gone meanwhile are left out. */
    addAll(looks: readonly (readonly [pictureId: number, pixels: Uint8Array])[]): void {
      transaction(() => {
        for (const [pictureId, pixels] of looks) insertIfThere.run(pixels, pictureId)
      })
    },
    find: (pictureId: number): Uint8Array | undefined => find.get(pictureId),
    /** Pictures after an id that have none, by id; `file` as stored. */
    missing: (after: number, limit: number): { id: number; file: string }[] => missing.all(after, limit),
    /** Pictures that were not compared yet, by id. */
    waiting: (): number[] => waiting.all(),
    /** [id, perceptual hash] of pictures that have a look, by id. */
    hashes: (): [number, string][] => hashes.all(),
    /** What comparing these pictures has found. */
    settle(compared: readonly number[], found: readonly Twins[]): void {
      transaction(() => {
        for (const [pictureId, twinId] of found) addTwins.run(pictureId, twinId)
        for (const id of compared) setCompared.run(id)
      })
    },
    twins: (): Twins[] => twins.all(),
  }
}
