import { z } from 'zod'
import { augmentationSchema } from '../domain/augmentation/index.ts'
import { distillationObjectiveSchema } from '../domain/distillation/objective.ts'
import { networkSpecSchema } from '../domain/network/index.ts'
import { preprocessingSchema } from '../domain/preprocessing/definition.ts'
import { fittingConfigSchema } from '../domain/training/config.ts'
import { wireErrorSchema } from '../errors/index.ts'
import { preparedBackboneSchema, trainerImageSchema, trainingEngines } from './trainer-parts.ts'

/** What studio and trainer say to each other about small networks that learn from large ones. */

/** A finished model of the same labels that a smaller one learns from. */
export const teacherModelSchema = z.object({
  /** Folder of the finished run. */
  modelDir: z.string(),
  objective: distillationObjectiveSchema,
  /**
   * For each label of the training, which of the teacher's answers is meant; null: it does not know that label. Left out:
   * the one of the same name.
   */
  columns: z.array(z.int().min(0).nullable()).optional(),
})

/** A model as something that is carried about and asked. */
const weightSchema = z.object({
  /** Share of the test pictures that is right; null without any. */
  testAccuracy: z.number().nullable(),
  /** Of the model file. */
  bytes: z.int(),
  /** For one picture on this machine, decoding not counted. */
  milliseconds: z.number(),
})
export const carriedSchema = weightSchema.omit({ testAccuracy: true })
/** What teacher and student weigh, known before the student has learned. */
export const weighedSchema = z.object({ teacher: carriedSchema, student: carriedSchema })
export type Weighed = z.infer<typeof weighedSchema>
/** A model that was made small beside the one it was made from, on the same test pictures. */
export const madeSmallSchema = z.object({ teacher: weightSchema, student: weightSchema })
export type MadeSmall = z.infer<typeof madeSmallSchema>

/** A small backbone learns from a large one to see what that sees; labels are not needed. */
export const distillRequestSchema = z.object({
  kind: z.literal('distill'),
  teacher: preparedBackboneSchema,
  /** `val`: held back; tells how far the student gets on pictures it does not learn from. */
  images: z.array(trainerImageSchema.extend({ split: z.enum(['train', 'val']) })),
  /** Its last layer gives as many numbers as the teacher has features. */
  network: networkSpecSchema,
  /** Pixels, width and height, in which pictures could be shown to it once it has learned; the best of them is found out. */
  sizes: z.array(z.int()).min(1),
  objective: distillationObjectiveSchema,
  fitting: fittingConfigSchema,
  augmentation: augmentationSchema,
  seed: z.int(),
  cacheDir: z.string(),
  /** A whole student (ONNX) of the same form, made before, that it goes on from; null: random weights. */
  begin: z.string().nullable(),
  /** The backbone is written here as ONNX, its weights in half precision (beside, then renamed). */
  target: z.string(),
  /** And here the whole student in single precision, the imitating layer on top: what another can begin as. */
  studentTarget: z.string(),
  engine: z.enum(trainingEngines),
  /** As in `train`. */
  checkpointDir: z.string().nullable(),
})
export type DistillRequest = z.infer<typeof distillRequestSchema>

export const distillResultSchema = z.object({
  kind: z.literal('distill'),
  featureLength: z.int(),
  /** Learned numbers of the backbone, without the layer that imitates the teacher. */
  parameters: z.int(),
  bytes: z.int(),
  sha256: z.string(),
  preprocessing: preprocessingSchema,
  /** How well it does in each size, on whole pictures held back; empty without any. */
  sizes: z.array(z.object({ size: z.int(), agreement: z.number() })),
  /** Mean cosine between what student and teacher say, on pictures held back; null without any. */
  agreement: z.number().nullable(),
  epochs: z.int(),
  failed: z.array(z.object({ id: z.int(), error: wireErrorSchema })),
  timings: z.object({ features_s: z.number(), train_s: z.number() }),
  stopped: z.object({ reason: z.enum(['asked', 'diverged', 'error']), message: z.string() }).nullable(),
})
export type DistillResult = z.infer<typeof distillResultSchema>

/** What models weigh, those that are there and those that could be trained: nothing is learned. */
export const measureRequestSchema = z.object({
  kind: z.literal('measure'),
  models: z.array(
    z.union([
      /** Folder of a finished run. */
      z.object({ modelDir: z.string() }),
      /** A network of one input and one output, as ONNX. */
      z.object({ file: z.string() }),
      /** A network as it would come out of a training. */
      z.object({ network: networkSpecSchema }),
    ]),
  ),
})
export const measureResultSchema = z.object({
  kind: z.literal('measure'),
  /** In the order of the request. */
  models: z.array(carriedSchema),
})
