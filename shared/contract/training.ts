import { z } from 'zod'
import { call, ci95, ok, projectRef, runRef, splitChoice, window } from './base.ts'
import { studentIds } from '../domain/distillation/students.ts'
import { trainingCheckSchema } from '../domain/training/babysitter.ts'
import { gradientChangesSchema } from '../domain/training/presets.ts'
import {
  foldsLeftOutSchema,
  headObjectives,
  keptSchema,
  madeSmallSchema,
  recipes,
  splitNames,
  trainingEngines,
  trainMetricSchema,
  weighedSchema,
} from './trainer.ts'

/**
 * What stays on one side and in one fold: pictures of one shot (near-duplicates), or only files that are the same. The latter
 * is for figures beside those of others, who divide so: a picture may be judged whose twin was learned from.
 */
export const keptTogether = ['shots', 'copies'] as const

export const trainConfigSchema = z.object({
  recipe: z.enum(recipes),
  backboneId: z.string().nullable(),
  /** Of the head on the backbone, also of the one a fine-tuning begins with. Means nothing from scratch. */
  objective: z.enum(headObjectives).default('softmax'),
  split: splitChoice,
  seed: z
    .int()
    .min(0)
    .max(2 ** 31 - 1),
  folds: z.int().min(0).max(50).default(5),
  together: z.enum(keptTogether).default('shots'),
  /** What differs from the preset of a recipe that trains by gradients. */
  changes: gradientChangesSchema.default({}),
  engine: z.enum(trainingEngines).default('onnx'),
  /**
   * A training whose model a smaller one learns from, finished or before it in the queue; null: the labels alone. Not
   * with the recipe `head`.
   */
  teacherRunId: z.string().nullable().default(null),
})
export type TrainConfig = z.infer<typeof trainConfigSchema>

/** Shots that there are several pictures of. */
export const sharedShotsSchema = z.object({
  groups: z.int(),
  /** In all of them. */
  pictures: z.int(),
  /** Groups that lie on several sides, and pictures of val and test that were as good as learned because of that. */
  across: z.object({ groups: z.int(), val: z.int(), test: z.int() }),
})
export type SharedShots = z.infer<typeof sharedShotsSchema>

export const trainingOptionsSchema = z.object({
  /** The good default for this project. */
  recommended: trainConfigSchema,
  usable: z.int(),
  unlabelled: z.int(),
  excluded: z.int(),
  perLabel: z.array(z.object({ labelId: z.int(), pictures: z.int() })),
  split: z.object({ train: z.int(), val: z.int(), test: z.int() }),
  /** Pictures whose split was given by train/val/test folders. */
  splitFixed: z.int(),
  sharedShots: sharedShotsSchema,
  /** Why training cannot start, in words with the next step; empty when it can. */
  blockers: z.array(z.object({ code: z.string(), words: z.string() })),
  /** What is worth knowing before: few pictures in a class, strong imbalance … */
  warnings: z.array(z.object({ code: z.string(), words: z.string() })),
})
export type TrainingOptions = z.infer<typeof trainingOptionsSchema>

export const forecastSchema = z.object({
  seconds: z.number(),
  featuresSeconds: z.number(),
  fitSeconds: z.number(),
  cachedPictures: z.int(),
  /** `measured` on this machine before, or `estimated` from the catalogue. */
  basis: z.enum(['measured', 'estimated']),
})
export type Forecast = z.infer<typeof forecastSchema>

/** A network that a model could be made small with. */
export const studentSchema = z.object({
  id: z.enum(studentIds),
  /** What to train it with. */
  config: trainConfigSchema,
  /** Whether it knows pictures already; the others learn from this project's pictures alone. */
  pretrained: z.boolean(),
  /** Of the model file. */
  bytes: z.int(),
  /** For one picture on this machine, decoding not counted. */
  milliseconds: z.number(),
})
export type Student = z.infer<typeof studentSchema>

/** Whose knowledge a smaller network takes over: a finished training's, or a backbone's, on which a head is trained first. */
export const teacherSchema = z.union([
  z.strictObject({ runId: z.string().max(64) }),
  z.strictObject({ backboneId: z.string().max(200) }),
])
export type Teacher = z.infer<typeof teacherSchema>

export const training = {
  /** What a teacher weighs, and what lighter networks there are for it; none where it is light already. */
  students: call.input(projectRef.extend({ teacher: teacherSchema })).output(
    z.object({
      teacher: z.object({ bytes: z.int(), milliseconds: z.number() }),
      students: z.array(studentSchema),
    }),
  ),
  options: call.input(projectRef).output(trainingOptionsSchema),
  forecast: call.input(projectRef.extend({ config: trainConfigSchema })).output(forecastSchema),
  start: call
    .input(projectRef.extend({ config: trainConfigSchema }))
    .output(z.object({ runId: z.string(), jobId: z.string() })),
  /**
   * Trains a smaller network by a teacher. Where that is a backbone, the newest head on it teaches, if it is one of the
   * pictures and labels of now; else one is trained before.
   */
  makeSmall: call
    .input(projectRef.extend({ teacher: teacherSchema, config: trainConfigSchema }))
    .output(z.object({ runId: z.string(), jobId: z.string(), teacherRunId: z.string() })),
  /**
   * Goes on with a training by gradients that was interrupted or stopped, from its last finished epoch. A stopped run has a
   * model and stays as it is: what goes on is a run of its own.
   */
  resume: call.input(runRef).output(z.object({ runId: z.string(), jobId: z.string() })),
  /** Asks for an end with the best so far; enforced after a deadline. */
  stop: call.input(runRef).output(ok),
}

/** Figures of one part of the data. Rows of `confusion` are true, columns predicted, order of the run's classes. */
export const metricsSchema = z.object({
  accuracy: z.number(),
  accuracy_ci95: ci95,
  macro_f1: z.number(),
  log_loss: z.number(),
  top5: z.number(),
  per_class: z.array(
    z.object({
      label: z.string(),
      precision: z.number(),
      recall: z.number(),
      f1: z.number(),
      support: z.int(),
    }),
  ),
  confusion: z.array(z.array(z.int())),
})
export type Metrics = z.infer<typeof metricsSchema>

export const runSchema = z.object({
  runId: z.string(),
  /** 1, 2, 3 … within the project. */
  number: z.int(),
  name: z.string(),
  state: z.enum(['running', 'done', 'stopped', 'failed', 'interrupted']),
  config: trainConfigSchema,
  backboneName: z.string().nullable(),
  createdAt: z.number(),
  seconds: z.number().nullable(),
  /** Label ids (null when the label is gone) and names in the order of the confusion matrix. */
  classes: z.array(z.object({ labelId: z.int().nullable(), name: z.string(), colour: z.int() })),
  counts: z.object({ train: z.int(), val: z.int(), test: z.int() }),
  testAccuracy: z.number().nullable(),
  testAccuracyCi95: ci95.nullable(),
  valAccuracy: z.number().nullable(),
  outOfFoldAccuracy: z.number().nullable(),
  /** Folds that could not be trained: the pictures in them are not in `outOfFoldAccuracy`. Null where there are none. */
  foldsLeftOut: foldsLeftOutSchema.nullable(),
  regularisation: z.number().nullable(),
  stopped: z.object({ reason: z.string(), message: z.string() }).nullable(),
  error: z.object({ code: z.string(), message: z.string(), remedy: z.string().optional() }).nullable(),
  /** Interrupted or stopped, and there is a state to go on from. */
  resumable: z.boolean(),
  /** Number of the stopped run that this one goes on from; null: it began at the beginning. */
  continues: z.int().nullable(),
  /** What was noticed while it trained. */
  checks: z.array(trainingCheckSchema),
  /** Null for other recipes than `fine-tune`. */
  kept: keptSchema.nullable(),
  /** Number of the training whose model it learned from, while that is there. */
  teacher: z.int().nullable(),
  /** What teacher and student weigh, and how the teacher does on its validation pictures; null without a teacher. */
  weighed: weighedSchema.extend({ teacherValAccuracy: z.number().nullable() }).nullable(),
  /** It beside the model it was made from; null without a teacher, and until it has ended. */
  madeSmall: madeSmallSchema.nullable(),
  /** Pictures or labels have changed since. */
  stale: z.boolean(),
})
export type Run = z.infer<typeof runSchema>

export const runs = {
  list: call.input(projectRef).output(z.array(runSchema)),
  get: call.input(runRef).output(runSchema),
  /** The curve, for a window that opens late. Live steps come as `metric` events. */
  curve: call.input(runRef).output(z.array(trainMetricSchema)),
  rename: call.input(runRef.extend({ name: z.string().min(1).max(200) })).output(runSchema),
  /** Moves the run's model to the trash folder of the project; undoable until it is emptied. */
  remove: call.input(runRef).output(ok),
  passport: call.input(runRef).output(z.record(z.string(), z.unknown())),
}

export const evaluationParts = ['test', 'outOfFold'] as const
export type EvaluationPart = (typeof evaluationParts)[number]

/** Most certain first, or least certain first. */
export const pictureOrders = ['surest', 'unsurest'] as const
export type PictureOrder = (typeof pictureOrders)[number]

const evaluationRowSchema = z.object({
  pictureId: z.int(),
  name: z.string(),
  /** Indices into the run's classes. */
  trueClass: z.int(),
  predicted: z.int(),
  confidence: z.number(),
  /** The label it has now. */
  labelId: z.int().nullable(),
  excluded: z.boolean(),
  confirmed: z.boolean(),
  split: z.enum(splitNames),
})
export type EvaluationRow = z.infer<typeof evaluationRowSchema>

/** Became right, became wrong, wrong in another way; held against the label a picture has now. */
export const flipKinds = ['fixed', 'broken', 'changed'] as const
export const flipSchema = z.object({
  pictureId: z.int(),
  name: z.string(),
  labelId: z.int().nullable(),
  /** Label names said by run a and run b. */
  before: z.string(),
  after: z.string(),
  kind: z.enum(flipKinds),
  excluded: z.boolean(),
  confirmed: z.boolean(),
})
export type Flip = z.infer<typeof flipSchema>

export const evaluation = {
  summary: call.input(runRef.extend({ part: z.enum(evaluationParts) })).output(
    z.object({
      metrics: metricsSchema,
      pictures: z.int(),
      /** What a model that always says the most frequent class would get. */
      majorityAccuracy: z.number(),
      /**
       * Honesty about the test: how many test pictures were looked at (their answer was shown, or they
       * were opened large), and how many were relabelled or excluded since the split.
       */
      testOpened: z.int(),
      testChanged: z.int(),
      /** "About n more pictures of this class should help most", or null. */
      advice: z.object({ classIndex: z.int(), words: z.string() }).nullable(),
    }),
  ),
  /** Pictures of a cell, a row (predicted null), a column (true null) or all; by how certain the run was. Opening test pictures is counted. */
  pictures: call
    .input(
      runRef.extend({
        part: z.enum(evaluationParts),
        trueClass: z.int().min(0).nullable(),
        predicted: z.int().min(0).nullable(),
        only: z.enum(['all', 'wrong', 'right']).default('all'),
        order: z.enum(pictureOrders).default('surest'),
        ...window.shape,
      }),
    )
    .output(z.object({ total: z.int(), rows: z.array(evaluationRowSchema) })),
  /**
   * Which pictures flipped between two runs, on the pictures both have predicted; `kind` null lists all. Counts are of all
   * that flipped. Listing test pictures is counted.
   */
  flips: call
    .input(
      projectRef.extend({
        a: z.string(),
        b: z.string(),
        part: z.enum(evaluationParts),
        kind: z.enum(flipKinds).nullable().default(null),
        ...window.shape,
      }),
    )
    .output(
      z.object({
        compared: z.int(),
        fixed: z.int(),
        broken: z.int(),
        changed: z.int(),
        rows: z.array(flipSchema),
      }),
    ),
}
