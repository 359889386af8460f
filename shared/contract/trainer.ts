import { z } from 'zod'
import { wireErrorSchema } from '../errors/index.ts'
import { preprocessingSchema } from '../domain/preprocessing/definition.ts'
import { trainingCheckSchema } from '../domain/training/babysitter.ts'
import { gradientPlanSchema } from '../domain/training/presets.ts'
import {
  distillRequestSchema,
  distillResultSchema,
  madeSmallSchema,
  measureRequestSchema,
  measureResultSchema,
  teacherModelSchema,
} from './trainer-distillation.ts'
import { preparedBackboneSchema, trainerImageSchema, trainingEngines } from './trainer-parts.ts'

export * from './trainer-distillation.ts'
export * from './trainer-parts.ts'

/**
 * What studio and trainer say to each other. The trainer never opens the database and never knows a window: it gets
 * paths and numbers, and answers with numbers and files in the folder it was given.
 *
 * Every request has an id chosen by the studio; every answer repeats it. A request ends with exactly one `result` or
 * `error`; before that come any number of `progress`, `metric` and `partial` messages.
 */

const typedFloat32 = z.custom<Float32Array>((value) => value instanceof Float32Array, 'expected Float32Array')
const typedInt32 = z.custom<Int32Array>((value) => value instanceof Int32Array, 'expected Int32Array')

export const splitNames = ['train', 'val', 'test'] as const
export type SplitName = (typeof splitNames)[number]

export const trainImageSchema = trainerImageSchema.extend({
  /** Index into `classes`. */
  label: z.int().min(0),
  split: z.enum(splitNames),
  /** What it shares with other pictures of the same shot, which no fold may tear apart; left out: it is alone. */
  group: z.string().optional(),
})

/**
 * `head`: frozen backbone + linear head by L-BFGS. `fine-tune`: then the top of the backbone, too, by gradient descent.
 * `scratch`: a network that learns from the pixels alone, also for when no backbone can be had.
 */
export const recipes = ['head', 'fine-tune', 'scratch'] as const
export type Recipe = (typeof recipes)[number]

/**
 * What a head makes small: the cross-entropy of its softmax, or the squared hinge of one linear support vector machine for
 * each class against the rest, whose probabilities are a ranking.
 */
export const headObjectives = ['softmax', 'svm'] as const
export type HeadObjective = (typeof headObjectives)[number]

export const trainRequestSchema = z.object({
  kind: z.literal('train'),
  recipe: z.enum(recipes),
  backbone: preparedBackboneSchema.nullable(),
  /** Of the head, also of the one a fine-tuning begins with; left out: softmax. */
  objective: z.enum(headObjectives).optional(),
  classes: z.array(z.string()).min(2),
  images: z.array(trainImageSchema),
  seed: z.int(),
  /** Folds for the out-of-fold predictions of training + validation pictures. 0: none. */
  folds: z.int().min(0).max(50),
  /** Where features are kept between runs. */
  cacheDir: z.string(),
  /** An empty folder; the trainer writes the finished model into it. The studio renames it into place. */
  runDir: z.string(),
  /** Folder of an earlier finished run with the same classes, backbone and objective, to start the fit from. */
  warmStartFrom: z.string().nullable(),
  /** Everything that decides the course of a training by gradients; null for `head`. */
  gradients: gradientPlanSchema.nullable(),
  /** `reference` computes in 64 bits, very slowly: for checking the others on toy networks. */
  engine: z.enum(trainingEngines),
  /**
   * A folder for the state of a training by gradients, written after every epoch; a request for the very same training
   * goes on from there. Null: nothing is kept.
   */
  checkpointDir: z.string().nullable(),
  /** A training by gradients learns what this model answers, besides the labels; left out: the labels alone. */
  teacher: teacherModelSchema.optional(),
})
export type TrainRequest = z.infer<typeof trainRequestSchema>

/** Probabilities row by row: `probabilities[i * classes + c]` belongs to `ids[i]`. */
export const predictionBlockSchema = z.object({ ids: typedInt32, probabilities: typedFloat32 })
export type PredictionBlock = z.infer<typeof predictionBlockSchema>

export const foldsLeftOutSchema = z.object({
  count: z.int().min(1),
  /** Folds that hold pictures. */
  of: z.int(),
  message: z.string(),
})

/**
 * Fine-tuned against frozen: which became the model, and the shares right of the validation pictures; null where nobody
 * judged: there are no such pictures, or adapting the network came to nothing.
 */
export const keptSchema = z.object({
  tuned: z.boolean(),
  headAccuracy: z.number().nullable(),
  tunedAccuracy: z.number().nullable(),
})
export type Kept = z.infer<typeof keptSchema>

export const trainResultSchema = z.object({
  kind: z.literal('train'),
  featureLength: z.int(),
  regularisation: z.object({
    /** L2 strength per picture on centred, scaled features; null where no head was fitted. */
    chosen: z.number().nullable(),
    /** `valLogLoss` is what the head made small: with an SVM its squared hinge. */
    tried: z.array(z.object({ strength: z.number(), valAccuracy: z.number(), valLogLoss: z.number() })),
  }),
  steps: z.int(),
  /** Validation pictures, by the model fitted on the training pictures alone. */
  val: predictionBlockSchema,
  /** Test pictures, by the final model fitted on training + validation. */
  test: predictionBlockSchema,
  /**
   * Training + validation pictures, each by a model that did not learn from it; `fold[i]` belongs to `ids[i]`. Null
   * without folds. Folds that hold no picture, or could not be trained, are not among them.
   */
  outOfFold: predictionBlockSchema.extend({ fold: typedInt32 }).nullable(),
  /** Folds that could not be trained, and why in words; missing where there are none. */
  foldsLeftOut: foldsLeftOutSchema.optional(),
  /** Pictures that could not be decoded any more; they took no part. */
  failed: z.array(z.object({ id: z.int(), error: wireErrorSchema })),
  timings: z.object({ features_s: z.number(), train_s: z.number(), evaluate_s: z.number() }),
  /** Set when the training ended early with the last good weights kept. */
  stopped: z.object({ reason: z.enum(['asked', 'diverged', 'error']), message: z.string() }).nullable(),
  /** How many features came from the cache and how many were computed now. */
  features: z.object({ cached: z.int(), computed: z.int() }),
  /** What was noticed while it trained, by `checkTraining`, or by `checkHead` for `head`. */
  checks: z.array(trainingCheckSchema),
  /** Null for other recipes than `fine-tune`. */
  kept: keptSchema.nullable(),
  /** With a teacher only. */
  madeSmall: madeSmallSchema.optional(),
})
export type TrainResult = z.infer<typeof trainResultSchema>

export const prepareBackboneRequestSchema = z.object({
  kind: z.literal('prepare-backbone'),
  /** `.onnx`, `.h5`, `.keras` or the `model.json` of TF.js layers; told apart by content. */
  file: z.string(),
  /** The prepared ONNX file is written here (beside, then renamed). */
  target: z.string(),
})
export const prepareBackboneResultSchema = z.object({
  kind: z.literal('prepare-backbone'),
  architecture: z.string().nullable(),
  input: z.object({ width: z.int(), height: z.int() }),
  featureLength: z.int(),
  /** Node or layer the features are taken from. */
  featureLayer: z.string(),
  parameters: z.int(),
  sha256: z.string(),
  /** What the file says or does itself, or the recognised architecture expects; null when only the person or the catalogue can know. */
  preprocessing: preprocessingSchema.nullable(),
  /** What the file can tell apart, when it is a model that Kestrel made. */
  labels: z.array(z.string()).optional(),
})
export type PrepareBackboneResult = z.infer<typeof prepareBackboneResultSchema>

export const featuresRequestSchema = z.object({
  kind: z.literal('features'),
  backbone: preparedBackboneSchema,
  images: z.array(trainerImageSchema),
  cacheDir: z.string(),
  /** Also send the features back, `[images, featureLength]`. Off when only the cache is to be filled. */
  returnFeatures: z.boolean(),
})
export const featuresResultSchema = z.object({
  kind: z.literal('features'),
  cached: z.int(),
  computed: z.int(),
  failed: z.array(z.object({ id: z.int(), error: wireErrorSchema })),
  /** Row i belongs to `images[i]`; rows of failed pictures are NaN. */
  features: typedFloat32.nullable(),
  seconds: z.number(),
})

export const predictRequestSchema = z.object({
  kind: z.literal('predict'),
  /** Folder of a finished run, or of an ONNX export. */
  modelDir: z.string(),
  images: z.array(z.object({ id: z.int(), path: z.string() })),
})
/** Sent as `partial` while a folder is predicted, in the order in which pictures get done. */
export const predictPartialSchema = z.object({
  kind: z.literal('predict'),
  id: z.int(),
  /** Length of classes; null when the picture could not be read. */
  probabilities: typedFloat32.nullable(),
  error: wireErrorSchema.nullable(),
  /** Decode + preprocessing + network for this picture, milliseconds. */
  milliseconds: z.number(),
})
export type PredictPartial = z.infer<typeof predictPartialSchema>
export const predictResultSchema = z.object({
  kind: z.literal('predict'),
  classes: z.array(z.string()),
  done: z.int(),
  failed: z.int(),
})

export const exportFormats = ['onnx', 'tfjs'] as const
export type ExportFormat = (typeof exportFormats)[number]

export const exportRequestSchema = z.object({
  kind: z.literal('export'),
  format: z.enum(exportFormats),
  modelDir: z.string(),
  /** An empty folder the export is written into. */
  targetDir: z.string(),
  /** For the model card. */
  card: z.object({
    name: z.string(),
    kestrelVersion: z.string(),
    createdAt: z.string(),
    backbone: z.string(),
    backboneLicence: z.string().nullable(),
    recipe: z.enum(recipes),
    /** Of the head that is the model, or that a fine-tuning began with; left out: softmax. */
    objective: z.enum(headObjectives).optional(),
    /** Whether the backbone was adapted and that became the model. Left out: as the recipe says. */
    tuned: z.boolean().optional(),
    /** Beside the model it was made from; left out: it was made from none. */
    madeSmall: madeSmallSchema.optional(),
    seed: z.int(),
    pictures: z.object({ train: z.int(), val: z.int(), test: z.int() }),
    testAccuracy: z.number().nullable(),
    testAccuracyCi95: z.tuple([z.number(), z.number()]).nullable(),
    macroF1: z.number().nullable(),
    perClass: z.array(
      z.object({
        label: z.string(),
        precision: z.number(),
        recall: z.number(),
        f1: z.number(),
        support: z.int(),
      }),
    ),
  }),
  /** Below this top probability the answer is "not sure". */
  threshold: z.number().min(0).max(1),
  /** Up to ten pictures that are copied into the export with the expected answers. */
  samples: z.array(z.object({ path: z.string(), name: z.string(), label: z.string() })),
  /** Original files for the proof and what the app answers for them, `[proofImages, classes]`. */
  proofImages: z.array(z.object({ path: z.string() })),
  proofProbabilities: typedFloat32,
})
export type ExportRequest = z.infer<typeof exportRequestSchema>

export const proofSchema = z.object({
  /** Original picture files run through the written export with the shipped JavaScript snippet. */
  images: z.int(),
  same_answer: z.int(),
  /** Largest absolute difference of a probability, from the files. */
  max_abs_diff: z.number(),
  /** The same on one and the same input tensor: what the format itself changes. */
  max_abs_diff_same_tensor: z.number(),
  /** Whether the export may be offered: at most 0.5 % other answers and at most 1e-3 on the same tensor. */
  passed: z.boolean(),
})
export type Proof = z.infer<typeof proofSchema>
export const exportResultSchema = z.object({
  kind: z.literal('export'),
  bytes: z.int(),
  files: z.array(z.string()),
  proof: proofSchema,
})
export type ExportResult = z.infer<typeof exportResultSchema>

export const helloRequestSchema = z.object({ kind: z.literal('hello') })
export const engineReportSchema = z.object({
  id: z.string(),
  name: z.string(),
  version: z.string().nullable(),
  available: z.boolean(),
  /** In words: what it runs on, or why it cannot. */
  detail: z.string(),
})
export const helloResultSchema = z.object({
  kind: z.literal('hello'),
  engines: z.array(engineReportSchema),
  versions: z.record(z.string(), z.string()),
  cores: z.int(),
})

export const trainerRequestSchema = z.discriminatedUnion('kind', [
  helloRequestSchema,
  prepareBackboneRequestSchema,
  featuresRequestSchema,
  trainRequestSchema,
  distillRequestSchema,
  measureRequestSchema,
  predictRequestSchema,
  exportRequestSchema,
])
export type TrainerRequest = z.infer<typeof trainerRequestSchema>

export const trainerResultSchema = z.discriminatedUnion('kind', [
  helloResultSchema,
  prepareBackboneResultSchema,
  featuresResultSchema,
  trainResultSchema,
  distillResultSchema,
  measureResultSchema,
  predictResultSchema,
  exportResultSchema,
])
export type TrainerResult = z.infer<typeof trainerResultSchema>
export type TrainerResultOf<K extends TrainerRequest['kind']> = Extract<TrainerResult, { kind: K }>

/** Studio → trainer. */
export const toTrainerSchema = z.discriminatedUnion('type', [
  z.object({ type: z.literal('request'), id: z.string(), request: trainerRequestSchema }),
  /** `keep: true` asks a training to end with the best so far; `false` gives the work up. */
  z.object({ type: z.literal('stop'), id: z.string(), keep: z.boolean() }),
])
export type ToTrainer = z.infer<typeof toTrainerSchema>

export const trainStages = ['reading', 'features', 'fitting', 'evaluating', 'writing', 'proving'] as const
export type TrainStage = (typeof trainStages)[number]

/** One step of the fit. For `head` a step is an L-BFGS iteration, else an epoch. */
export const trainMetricSchema = z.object({
  step: z.int(),
  trainLoss: z.number(),
  trainAccuracy: z.number().nullable(),
  valLoss: z.number().nullable(),
  valAccuracy: z.number().nullable(),
})
export type TrainMetric = z.infer<typeof trainMetricSchema>

/** Trainer → studio. */
export const fromTrainerSchema = z.discriminatedUnion('type', [
  z.object({ type: z.literal('ready'), pid: z.int() }),
  z.object({
    type: z.literal('progress'),
    id: z.string(),
    stage: z.enum(trainStages),
    done: z.int(),
    total: z.int(),
    /** Pictures per second, where that means something. */
    rate: z.number().nullable(),
  }),
  z.object({ type: z.literal('metric'), id: z.string(), metric: trainMetricSchema }),
  z.object({ type: z.literal('partial'), id: z.string(), partial: predictPartialSchema }),
  z.object({ type: z.literal('result'), id: z.string(), result: trainerResultSchema }),
  z.object({ type: z.literal('error'), id: z.string(), error: wireErrorSchema }),
  z.object({ type: z.literal('log'), level: z.enum(['info', 'warn', 'error']), text: z.string() }),
])
export type FromTrainer = z.infer<typeof fromTrainerSchema>
