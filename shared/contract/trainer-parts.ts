import { z } from 'zod'
import { regionSchema } from '../domain/distillation/views.ts'
import { preprocessingSchema } from '../domain/preprocessing/definition.ts'

/** What several requests to the trainer are about. */

/** A backbone ready to run: an ONNX graph from preprocessed floats [batch, channels, height, width] to features [batch, length]. */
export const preparedBackboneSchema = z.object({
  id: z.string(),
  /** Hash of the prepared ONNX file; part of the feature-cache key. */
  sha256: z.string(),
  onnxPath: z.string(),
  featureLength: z.int().positive(),
  preprocessing: preprocessingSchema,
})
export type PreparedBackbone = z.infer<typeof preparedBackboneSchema>

export const trainerImageSchema = z.object({
  /** The project's id of the picture. */
  id: z.int(),
  /**
   * Of the original file (of a view: of that and its region); the feature-cache key together with backbone and
   * preprocessing.
   */
  sha256: z.string(),
  path: z.string(),
  /** Only this part of the picture; left out: the whole. */
  region: regionSchema.optional(),
})
export type TrainerImage = z.infer<typeof trainerImageSchema>

/** Engines that train. */
export const trainingEngines = ['onnx', 'reference'] as const
export type TrainingEngine = (typeof trainingEngines)[number]
