import { z } from 'zod'
import { call, jobRef, ok, projectRef, runRef, sourceToken, window } from './base.ts'
import { exportFormats, proofSchema } from './trainer.ts'
import { wireErrorSchema } from '../errors/index.ts'

export const thresholdSchema = z.object({
  /** In force: the person's, else the chosen one. */
  value: z.number(),
  chosen: z.number(),
  /** On the validation (or out-of-fold) pictures at `value`. */
  answeredShare: z.number(),
  rightOfAnswered: z.number(),
})
export type Threshold = z.infer<typeof thresholdSchema>

export const predictionSchema = z.object({
  /** Addressable as long as its answer is listed; see mediaUrl.prediction. */
  predictionId: z.string(),
  name: z.string(),
  width: z.int(),
  height: z.int(),
  /** Highest first, at most 10. Indices into the run's classes. */
  top: z.array(z.object({ classIndex: z.int(), confidence: z.number() })),
  /** Below the threshold: the honest answer is "not sure". */
  unsure: z.boolean(),
  milliseconds: z.number(),
  error: wireErrorSchema.nullable(),
  /** The label its picture has in the project, after feedback and as long as that stands. */
  labelled: z.object({ labelId: z.int(), name: z.string() }).nullable(),
})
export type Prediction = z.infer<typeof predictionSchema>

export const predictions = {
  threshold: call.input(runRef).output(thresholdSchema),
  /** `null` goes back to the chosen one. */
  setThreshold: call
    .input(runRef.extend({ value: z.number().min(0).max(1).nullable() }))
    .output(thresholdSchema),
  /**
   * A handful of pictures at once (a drop of files, a pasted picture, a camera frame). `asTable`: it is a folder or
   * more than a handful; nothing was asked, it is to be a folder job. `live`: a look through the camera; neither its
   * picture nor its answer is kept.
   */
  predict: call
    .input(runRef.extend({ source: sourceToken, live: z.boolean().default(false) }))
    .output(z.object({ predictions: z.array(predictionSchema), asTable: z.boolean() })),
  /** Answers to single pictures, newest first; they stay in the project. `madeRoom`: older ones that are gone. */
  asked: call.input(runRef).output(z.object({ predictions: z.array(predictionSchema), madeRoom: z.int() })),
  /** Removes these answers of a run and the copies of their pictures. What got a label stays in the project. */
  clearAsked: call.input(runRef).output(ok),
  predictFolder: call.input(runRef.extend({ source: sourceToken })).output(jobRef),
  /** Folder jobs whose answers are at hand, newest first; they are kept until the project is closed. */
  folders: call.input(projectRef).output(
    z.array(
      z.object({
        jobId: z.string(),
        runId: z.string(),
        /** The folder's name; empty when several things were dropped. */
        title: z.string(),
        /** Answered so far. */
        pictures: z.int(),
      }),
    ),
  ),
  /** Rows of a folder job, while it runs and after. */
  table: call
    .input(
      projectRef.extend({
        jobId: z.string(),
        classIndex: z.int().nullable(),
        unsure: z.boolean().nullable(),
        ...window.shape,
      }),
    )
    .output(
      z.object({
        total: z.int(),
        perClass: z.array(z.int()),
        unsure: z.int(),
        failed: z.int(),
        rows: z.array(predictionSchema),
      }),
    ),
  /**
   * Copies a folder job's pictures into folders named by label ("not sure" has its own). Desktop: a chosen folder.
   * Browsers download mediaUrl.predictionsSorted.
   */
  sortInto: call.input(projectRef.extend({ jobId: z.string(), target: sourceToken })).output(jobRef),
  /**
   * ✓ / ✗: puts the picture into the project under the right label (an existing one or a new name). A step of the
   * history of labelling, whether the picture is new or there already.
   */
  feedback: call
    .input(
      projectRef.extend({
        predictionId: z.string(),
        label: z.union([z.object({ labelId: z.int() }), z.object({ name: z.string().min(1).max(200) })]),
      }),
    )
    .output(
      z.object({
        pictureId: z.int(),
        alreadyThere: z.boolean(),
        /** It had another label, or none, before. */
        relabelled: z.boolean(),
        /** It was excluded before. */
        restored: z.boolean(),
      }),
    ),
}

export const exportRecordSchema = z.object({
  exportId: z.string(),
  runId: z.string(),
  format: z.enum(exportFormats),
  bytes: z.int(),
  createdAt: z.number(),
  proof: proofSchema,
  threshold: z.number(),
})
export type ExportRecord = z.infer<typeof exportRecordSchema>

export const exportsContract = {
  /** The newest export per format for a run. */
  list: call.input(runRef).output(z.array(exportRecordSchema)),
  start: call.input(runRef.extend({ format: z.enum(exportFormats) })).output(jobRef),
  /** The texts of an export, for "How to use it". */
  texts: call
    .input(projectRef.extend({ exportId: z.string() }))
    .output(z.object({ card: z.string(), python: z.string().nullable(), javascript: z.string().nullable() })),
  /** Copies the export's folder into a folder the person chose (desktop). Browsers download mediaUrl.exportZip. */
  saveTo: call
    .input(projectRef.extend({ exportId: z.string(), target: sourceToken }))
    .output(z.object({ name: z.string() })),
}

export const backboneSchema = z.object({
  id: z.string(),
  name: z.string(),
  /** In plain words: what it is good for. */
  words: z.string(),
  architecture: z.string(),
  inputSize: z.int(),
  featureLength: z.int(),
  bytes: z.number(),
  licence: z.string(),
  /** `ready` to use; `available` to download; `broken` with the reason in `detail`. */
  state: z.enum(['ready', 'available', 'downloading', 'broken']),
  source: z.enum(['store', 'folder', 'built-in', 'catalogue', 'added']),
  detail: z.string().nullable(),
  /** Measured on this machine, pictures per second. */
  rate: z.number().nullable(),
})
export type Backbone = z.infer<typeof backboneSchema>

export const backbones = {
  list: call.output(z.array(backboneSchema)),
  /** Why a folder that was named for more of them gives none, in words; empty when all is well. */
  problems: call.output(z.array(z.string())),
  download: call.input(z.object({ backboneId: z.string() })).output(jobRef),
  /** A file of the person's own: ONNX, Keras or TF.js layers. */
  add: call.input(z.object({ source: sourceToken })).output(backboneSchema),
  remove: call.input(z.object({ backboneId: z.string() })).output(ok),
}
