import { readFile, rename, writeFile } from 'node:fs/promises'
import { z } from 'zod'
import { KestrelError } from '#shared/errors/index.ts'
import type { Vectors } from './state.ts'

/**
 * A training at the end of an epoch, on disk: one line of JSON that says what follows, then the vectors as little-endian
 * 32-bit floats (every machine Kestrel runs on is little-endian). Written beside and renamed, so that a kill at any moment leaves the earlier one whole.
 */
export interface Checkpoint<Progress> {
  /** Tells whether a checkpoint belongs to this very training: hash over everything that decides its course. */
  fingerprint: string
  progress: Progress
  vectors: Vectors
}

const headerSchema = z.object({
  version: z.literal(1),
  fingerprint: z.string(),
  progress: z.unknown(),
  vectors: z.array(z.object({ name: z.string(), length: z.int().min(0) })),
})

export async function writeCheckpoint<Progress>(
  file: string,
  checkpoint: Checkpoint<Progress>,
): Promise<void> {
  const { fingerprint, progress, vectors } = checkpoint
  const header = {
    version: 1,
    fingerprint,
    progress,
    vectors: [...vectors].map(([name, { length }]) => ({ name, length })),
  }
  const parts = [
    Buffer.from(`${JSON.stringify(header)}\n`),
    ...[...vectors.values()].map((vector) => {
      const { buffer, byteOffset, byteLength } =
        vector instanceof Float32Array ? vector : Float32Array.from(vector)
      return Buffer.from(buffer, byteOffset, byteLength)
    }),
  ]
  const beside = `${file}.new`
  await writeFile(beside, Buffer.concat(parts))
  await rename(beside, file)
}

/**
 * @param progressSchema what the loop keeps besides the vectors.
 * @returns null when there is none, or it belongs to another training.
 * @throws KestrelError `model-unreadable` when the file is damaged.
 */
export async function readCheckpoint<Progress>(
  file: string,
  fingerprint: string,
  progressSchema: z.ZodType<Progress>,
): Promise<Checkpoint<Progress> | null> {
  let bytes: Buffer
  try {
    bytes = await readFile(file)
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null
    throw error
  }
  try {
    const end = bytes.indexOf(10)
    const header = headerSchema.parse(JSON.parse(bytes.toString('utf8', 0, Math.max(end, 0))))
    if (header.fingerprint !== fingerprint) return null
    const total = header.vectors.reduce((sum, { length }) => sum + length, 0)
    if (bytes.length !== end + 1 + total * 4)
      throw new Error(`${bytes.length} bytes, expected ${end + 1 + total * 4}`)
    const vectors = new Map<string, Float32Array>()
    let at = end + 1
    for (const { name, length } of header.vectors) {
      // Copied, so that the view stands aligned.
      const from = bytes.byteOffset + at
      vectors.set(name, new Float32Array(bytes.buffer.slice(from, from + length * 4)))
      at += length * 4
    }
    return { fingerprint, progress: progressSchema.parse(header.progress), vectors }
  } catch (error) {
    throw new KestrelError('model-unreadable', 'The saved state of this training is damaged.', {
      kept: 'Pictures, labels and finished models are unchanged.',
      remedy: 'Train again from the beginning.',
      cause: error,
    })
  }
}
