import { createHash } from 'node:crypto'
import { readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { Preprocessing } from '../domain/preprocessing/definition.ts'

/**
 * How the trainer keeps features on the disk, as far as the studio needs to know it to say what a training will cost.
 * `NAME.index`: magic, feature length (uint32), reserved; then per row the picture's SHA-256 and the CRC-32 of the row.
 */
export const cacheFormat = { magic: 'KSTFEAT1', headerBytes: 16, keyBytes: 32, entryBytes: 36 } as const

export interface FeatureCacheIdentity {
  backboneSha256: string
  preprocessing: Preprocessing
  featureLength: number
}

/** A short name for the files: everything that changes a feature goes in. */
export const cacheName = ({ backboneSha256, preprocessing, featureLength }: FeatureCacheIdentity): string =>
  hashedName('features', [backboneSha256, featureLength, preprocessing])

/** `PREFIX-…`: another name for whatever differs in `identity`, which is plain data. */
export function hashedName(prefix: string, identity: unknown): string {
  const hash = createHash('sha256')
  hash.update(JSON.stringify(canonical(identity)))
  return `${prefix}-${hash.digest('hex').slice(0, 32)}`
}

/** The same text whatever the order of the keys. */
function canonical(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(canonical)
  if (typeof value !== 'object' || value === null) return value
  return Object.entries(value)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, inner]) => [key, canonical(inner)])
}

/** SHA-256 of the pictures whose features are there; empty when there is no cache. For forecasts: nothing is locked. */
export async function cachedPictures(folder: string, identity: FeatureCacheIdentity): Promise<Set<string>> {
  const base = join(folder, cacheName(identity))
  try {
    const index = await readFile(`${base}.index`)
    const { size } = await stat(`${base}.rows`)
    const { magic, headerBytes, keyBytes, entryBytes } = cacheFormat
    const keys = new Set<string>()
    if (index.toString('latin1', 0, magic.length) !== magic) return keys
    const rows = Math.min(
      Math.floor((index.length - headerBytes) / entryBytes),
      Math.floor(size / (identity.featureLength * 4)),
    )
    for (let row = 0; row < rows; row++) {
      const at = headerBytes + row * entryBytes
      keys.add(index.toString('hex', at, at + keyBytes))
    }
    return keys
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return new Set()
    throw error
  }
}
