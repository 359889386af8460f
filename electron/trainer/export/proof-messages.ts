import { z } from 'zod'
import { exportFormats } from '#shared/contract/trainer.ts'
import { preprocessingSchema } from '#shared/domain/preprocessing/definition.ts'
import { wireErrorSchema } from '#shared/errors/index.ts'

/** What the proof's thread is given. */
export const proofTaskSchema = z.object({
  /** The written export. */
  folder: z.string(),
  format: z.enum(exportFormats),
  /** The app's own model for preprocessed batches. */
  modelPath: z.string(),
  preprocessing: preprocessingSchema,
  classes: z.int().min(2),
  images: z.array(z.object({ path: z.string(), expected: z.array(z.number()) })),
  /** How many of the images are also compared on the same resized pixels. */
  sameTensorImages: z.int().min(0),
})
export type ProofTask = z.infer<typeof proofTaskSchema>

export const proofFiguresSchema = z.object({
  images: z.int(),
  same_answer: z.int(),
  max_abs_diff: z.number(),
  max_abs_diff_same_tensor: z.number(),
})
export type ProofFigures = z.infer<typeof proofFiguresSchema>

export const fromProofSchema = z.discriminatedUnion('type', [
  z.object({ type: z.literal('progress'), done: z.int(), rate: z.number().nullable() }),
  z.object({ type: z.literal('done'), figures: proofFiguresSchema }),
  z.object({ type: z.literal('failed'), error: wireErrorSchema, detail: z.string() }),
])
export type FromProof = z.infer<typeof fromProofSchema>
