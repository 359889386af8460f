import { isAbsolute, join } from 'node:path'
import type { SplitName } from '#shared/contract/trainer.ts'
import type { ProjectDatabase } from './database.ts'
import { nameKey } from './name-key.ts'

/** Something about a picture that a person may want to know (see electron/imaging/findings.ts). */
export interface Finding {
  code: string
  words: string
}

export interface NewPicture {
  /** Of the original file, hexadecimal. */
  sha256: string
  name: string
  /** Relative to the project folder when `stored` is 'copy', else absolute. */
  file: string
  stored: 'copy' | 'reference'
  origin: string
  format: string
  bytes: number
  width: number
  height: number
  orientation: number
  /** 16 hexadecimal digits. */
  perceptualHash: string
  sharpness: number
  brightness: number
  findings: Finding[]
  labelId: number | null
  fixedSplit: SplitName | null
  importId: number | null
  addedAt: number
}

export interface PictureRecord {
  id: number
  sha256: string
  name: string
  file: string
  stored: 'copy' | 'reference'
  origin: string
  format: string
  bytes: number
  width: number
  height: number
  perceptualHash: string
  findings: Finding[]
  labelId: number | null
  fixedSplit: SplitName | null
  split: SplitName | null
  excluded: boolean
  confirmed: boolean
  saysLabelId: number | null
  saysConfidence: number | null
  addedAt: number
}

/** What training needs of a picture. */
export interface UsablePicture {
  id: number
  sha256: string
  file: string
  labelId: number
  fixedSplit: SplitName | null
}

type Stored = Omit<PictureRecord, 'findings' | 'excluded' | 'confirmed'> & {
  findings: string
  excluded: number
  confirmed: number
}

/** Where a picture's original lies. */
export const originalPath = (folder: string, file: string): string =>
  isAbsolute(file) ? file : join(folder, file)

export type PicturesRepository = ReturnType<typeof createPicturesRepository>

export function createPicturesRepository({ sql, transaction }: ProjectDatabase) {
  const columns = `id, sha256, name, file, stored, origin, format, bytes, width, height,
    perceptual_hash AS perceptualHash, findings, label_id AS labelId, fixed_split AS fixedSplit, split,
    excluded, confirmed, says_label_id AS saysLabelId, says_confidence AS saysConfidence, added_at AS addedAt`
  const byId = sql.prepare<[number], Stored>(`SELECT ${columns} FROM pictures WHERE id = ?`)
  const bySha = sql.prepare<[string], Stored>(`SELECT ${columns} FROM pictures WHERE sha256 = ?`)
  const insert =
    sql.prepare(`INSERT INTO pictures (sha256, name, name_key, file, stored, origin, format, bytes,
      width, height, orientation, perceptual_hash, sharpness, brightness, findings, label_id, fixed_split, split,
      import_id, added_at)
    VALUES (@sha256, @name, @nameKey, @file, @stored, @origin, @format, @bytes, @width, @height, @orientation,
      @perceptualHash, @sharpness, @brightness, @findings, @labelId, @fixedSplit, @fixedSplit, @importId, @addedAt)`)
  const usable = sql.prepare<[], UsablePicture>(`SELECT id, sha256, file, label_id AS labelId,
    fixed_split AS fixedSplit FROM pictures WHERE excluded = 0 AND label_id IS NOT NULL ORDER BY id`)
  const hashes = sql
    .prepare<[number], [number, string]>('SELECT id, perceptual_hash FROM pictures WHERE id > ? ORDER BY id')
    .raw()
  const setSplit = sql.prepare<[SplitName | null, number, SplitName | null]>(
    'UPDATE pictures SET split = ? WHERE id = ? AND split IS NOT ?',
  )
  const clearSplits = sql.prepare('UPDATE pictures SET split = NULL WHERE split IS NOT NULL')
  // A given side is shown at once, not only after the first training.
  const setFixedSplit = sql.prepare<[SplitName | null, SplitName | null, number]>(
    'UPDATE pictures SET fixed_split = ?, split = ? WHERE id = ?',
  )
  const setOpinion = sql.prepare<[number | null, number | null, number]>(
    'UPDATE pictures SET says_label_id = ?, says_confidence = ? WHERE id = ?',
  )
  const clearOpinions = sql.prepare(
    'UPDATE pictures SET says_label_id = NULL, says_confidence = NULL WHERE says_label_id IS NOT NULL',
  )
  const files = sql
    .prepare<[number], string>('SELECT file FROM pictures WHERE excluded = 0 ORDER BY id LIMIT ?')
    .pluck()

  const record = (row: Stored): PictureRecord => ({
    ...row,
    findings: JSON.parse(row.findings) as Finding[],
    excluded: row.excluded === 1,
    confirmed: row.confirmed === 1,
  })
  const maybe = (row: Stored | undefined): PictureRecord | undefined => (row ? record(row) : undefined)

  return {
    /** @returns the id of the new picture. @throws SqliteError when its content is there already. */
    insert(picture: NewPicture): number {
      const { lastInsertRowid } = insert.run({
        ...picture,
        nameKey: nameKey(picture.name),
        findings: JSON.stringify(picture.findings),
      })
      return Number(lastInsertRowid)
    },
    find: (id: number): PictureRecord | undefined => maybe(byId.get(id)),
    findBySha256: (sha256: string): PictureRecord | undefined => maybe(bySha.get(sha256)),
    /** In the order of `ids`; unknown ids are left out. */
    list: (ids: Iterable<number>): PictureRecord[] => {
      const found: PictureRecord[] = []
      for (const id of ids) {
        const row = byId.get(id)
        if (row) found.push(record(row))
      }
      return found
    },
    /** All labelled pictures that are not excluded, by id. */
    usable: (): UsablePicture[] => usable.all(),
    /** [id, perceptual hash] of pictures after an id, by id. */
    hashesAfter: (id: number): [number, string][] => hashes.all(id),
    /** Files of the first active pictures, as stored. */
    firstFiles: (limit: number): string[] => files.all(limit),
    setFixedSplit(id: number, split: SplitName | null): void {
      setFixedSplit.run(split, split, id)
    },
    /** The split of the newest dataset version, for filters; pictures not named have none. */
    setSplits(splits: Iterable<{ id: number; split: SplitName }>): void {
      transaction(() => {
        clearSplits.run()
        for (const { id, split } of splits) setSplit.run(split, id, split)
      })
    },
    /** What the newest run says, by models that did not learn from the picture; pictures not named: nothing. */
    setOpinions(opinions: Iterable<{ id: number; labelId: number; confidence: number }>): void {
      transaction(() => {
        clearOpinions.run()
        for (const { id, labelId, confidence } of opinions) setOpinion.run(labelId, confidence, id)
      })
    },
  }
}
