import { readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import type { Scaling } from '#shared/domain/preprocessing/scaling.ts'
import { backboneId } from './catalogue.ts'
import { hashFile } from './hash-file.ts'
import { licenceOf } from './licence.ts'
import { scalingText } from './preprocessing-text.ts'

/** `index.json` of a folder of backbones: one sub-folder per id, with the whole model in `model.h5`. */
const indexSchema = z.object({
  backbones: z.array(
    z.object({
      id: backboneId,
      /** Height, width, channels. */
      input: z.tuple([z.int().positive(), z.int().positive(), z.literal(3)]),
      preprocessing: scalingText,
      features: z.int().positive(),
      model_sha256: z.string().regex(/^[0-9a-f]{64}$/),
      file: z
        .string()
        .regex(/^[A-Za-z0-9._-]+$/)
        .default('model.h5'),
      licence: z.string().optional(),
    }),
  ),
})

export interface FolderBackbone {
  id: string
  file: string
  bytes: number
  sha256: string
  inputSize: number
  size: { width: number; height: number }
  featureLength: number
  scaling: Scaling
  licence: string
  /** Why it cannot be used; null when it can. */
  problem: string | null
}

/** What the folder offers. Files are checked against the index; a damaged one is listed with its reason. */
export async function readBackboneFolder(folder: string): Promise<FolderBackbone[]> {
  const { backbones } = indexSchema.parse(JSON.parse(await readFile(join(folder, 'index.json'), 'utf8')))
  return await Promise.all(
    backbones.map(async (entry) => {
      const file = join(folder, entry.id, entry.file)
      const [height, width] = entry.input
      const found = await stat(file).catch((error: unknown) => {
        if (error instanceof Error && 'code' in error) return null
        throw error
      })
      const right = found !== null && (await hashFile(file, 'sha256')) === entry.model_sha256
      return {
        id: entry.id,
        file,
        bytes: found?.size ?? 0,
        sha256: entry.model_sha256,
        inputSize: Math.max(height, width),
        size: { width, height },
        featureLength: entry.features,
        scaling: entry.preprocessing,
        licence: entry.licence ?? (await licenceOf(join(folder, entry.id))) ?? 'see the folder it comes from',
        problem:
          found === null
            ? 'Its file is missing from the backbone folder.'
            : right
              ? null
              : 'Its file in the backbone folder is damaged (the checksum differs).',
      }
    }),
  )
}
