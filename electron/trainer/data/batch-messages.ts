import { z } from 'zod'
import { augmentationSchema } from '#shared/domain/augmentation/index.ts'
import { preprocessingSchema } from '#shared/domain/preprocessing/definition.ts'
import type { MixingDraw } from '#shared/domain/training/mixing.ts'
import type { WireError } from '#shared/errors/index.ts'

const shared = z.custom<SharedArrayBuffer>((value) => value instanceof SharedArrayBuffer)

/** What a batch worker is started with: the decoded pictures (`SharedPixels`). */
export const batchWorkerDataSchema = z.object({
  width: z.int().min(1),
  height: z.int().min(1),
  places: z.custom<Int32Array>((value) => value instanceof Int32Array),
  store: z.discriminatedUnion('kind', [
    z.object({ kind: z.literal('memory'), bytes: shared }),
    z.object({ kind: z.literal('file'), descriptor: z.int() }),
  ]),
})

/** What all batches of a stream have in common. */
export const batchRecipeSchema = z.object({
  /** Pixels of a picture in the batch; the decoded pictures may have another size. */
  width: z.int().min(1),
  height: z.int().min(1),
  scaling: preprocessingSchema.pick({ mean: true, divisor: true, channelOrder: true }),
  /** null: pictures as they are. */
  augmentation: augmentationSchema.nullable(),
  /** Of the augmentation. */
  seed: z.int(),
})
export type BatchRecipe = z.infer<typeof batchRecipeSchema>

/** One batch: all that decides about its numbers, besides the recipe. */
export interface BatchPlan {
  epoch: number
  /** Place of its first picture within the epoch. */
  first: number
  rows: Int32Array
  mixing: MixingDraw
}

export type ToBatchWorker =
  /** A batch buffer that later batches are written to. */
  | { type: 'buffer'; buffer: number; bytes: SharedArrayBuffer }
  | { type: 'drop-buffer'; buffer: number }
  | { type: 'recipe'; stream: number; recipe: BatchRecipe }
  | { type: 'drop-recipe'; stream: number }
  | { type: 'fill'; job: number; stream: number; buffer: number; plan: BatchPlan }
  | { type: 'end' }

/** `error: null`: the batch is in its buffer. */
export interface FromBatchWorker {
  job: number
  error: WireError | null
}
