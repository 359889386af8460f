import { z } from 'zod'
import { call, ok, projectRef, window } from './base.ts'
import { splitNames } from './trainer.ts'

export const pictureFilterSchema = z.object({
  /** A label id, 'none' for unlabelled, or absent for all. */
  label: z.union([z.int(), z.literal('none')]).optional(),
  split: z.enum([...splitNames, 'none']).optional(),
  /** `active` hides excluded ones. `problem`: something is odd about it (a finding). */
  show: z.enum(['active', 'excluded', 'problem', 'all']).default('active'),
  /** Part of the file name or label name, case-insensitive. */
  search: z.string().max(200).optional(),
})
export type PictureFilter = z.infer<typeof pictureFilterSchema>

export const pictureSorts = ['added', 'name', 'label', 'size', 'sharpness', 'doubt'] as const
export type PictureSort = (typeof pictureSorts)[number]

export const pictureRowSchema = z.object({
  id: z.int(),
  name: z.string(),
  labelId: z.int().nullable(),
  split: z.enum(splitNames).nullable(),
  excluded: z.boolean(),
  /** Codes of findings: 'blurry', 'dark', 'damaged', 'twin' … */
  findings: z.array(z.string()),
  /** What the newest run says of it when that differs from its label (out-of-fold or test). */
  modelSays: z.object({ labelId: z.int(), confidence: z.number() }).nullable(),
})
export type PictureRow = z.infer<typeof pictureRowSchema>

export const pictureDetailSchema = pictureRowSchema.extend({
  width: z.int(),
  height: z.int(),
  bytes: z.int(),
  format: z.string(),
  addedAt: z.number(),
  /** Relative to what was imported; for the eye only. */
  origin: z.string(),
  findingWords: z.array(z.object({ code: z.string(), words: z.string() })),
  /** Whether the person said "it is right" against the model. */
  confirmed: z.boolean(),
  /** Pictures that look nearly the same (perceptual hash), at most 12. */
  alike: z.array(z.int()),
})
export type PictureDetail = z.infer<typeof pictureDetailSchema>

export const labelSchema = z.object({
  id: z.int(),
  name: z.string(),
  /** Index into the palette of shared/domain/labels.ts. */
  colour: z.int().min(0),
  position: z.int(),
  /** Pictures that are not excluded. */
  pictures: z.int(),
})
export type Label = z.infer<typeof labelSchema>

const stepSchema = z.object({
  /** Which action it is; no other of the project ever has the same number. */
  step: z.int(),
  name: z.string(),
  pictures: z.int(),
})

export const countsSchema = z.object({
  revision: z.int(),
  total: z.int(),
  active: z.int(),
  excluded: z.int(),
  unlabelled: z.int(),
  problems: z.int(),
  skippedFiles: z.int(),
  splits: z.object({ train: z.int(), val: z.int(), test: z.int(), none: z.int() }),
  labels: z.array(labelSchema),
  /** The action that undo takes back, and the one that redo does again. */
  undo: stepSchema.nullable(),
  redo: stepSchema.nullable(),
})
export type Counts = z.infer<typeof countsSchema>

const query = projectRef.extend({ filter: pictureFilterSchema, sort: z.enum(pictureSorts).default('added') })

export const pictures = {
  counts: call.input(projectRef).output(countsSchema),
  window: call
    .input(query.extend(window.shape))
    .output(z.object({ revision: z.int(), total: z.int(), rows: z.array(pictureRowSchema) })),
  /** Ids at positions [from, to) of a view, for Shift and lasso selections; at most 100,000. */
  ids: call.input(query.extend({ from: z.int().min(0), to: z.int().min(0) })).output(z.array(z.int())),
  get: call.input(projectRef.extend({ pictureId: z.int() })).output(pictureDetailSchema),
  /** It was opened large, or beside what the model says of it. Counted where it is a test picture of the newest run. */
  looked: call.input(projectRef.extend({ pictureId: z.int() })).output(ok),
}

/** Which pictures an action is for: ids, or a whole view except some. The page never has to hold 100,000 ids. */
export const selectionSchema = z.union([
  z.object({ ids: z.array(z.int()).max(100_000) }),
  z.object({ filter: pictureFilterSchema, except: z.array(z.int()).max(100_000) }),
])
export type Selection = z.infer<typeof selectionSchema>

const changed = z.object({
  changed: z.int(),
  revision: z.int(),
  /** What `undo` can be asked to take back; null when nothing changed, and after an undo. */
  step: z.int().nullable(),
})
const labelName = z.string().min(1).max(200)

export const labels = {
  create: call.input(projectRef.extend({ name: labelName })).output(changed.extend({ labelId: z.int() })),
  rename: call.input(projectRef.extend({ labelId: z.int(), name: labelName })).output(changed),
  recolour: call.input(projectRef.extend({ labelId: z.int(), colour: z.int().min(0) })).output(changed),
  /** All pictures of `from` get the label `into`; `from` is gone. */
  merge: call.input(projectRef.extend({ from: z.int(), into: z.int() })).output(changed),
  /** Its pictures become unlabelled. */
  remove: call.input(projectRef.extend({ labelId: z.int() })).output(changed),
  reorder: call.input(projectRef.extend({ labelIds: z.array(z.int()) })).output(changed),
}

export const labelling = {
  assign: call
    .input(projectRef.extend({ selection: selectionSchema, labelId: z.int().nullable() }))
    .output(changed),
  exclude: call.input(projectRef.extend({ selection: selectionSchema })).output(changed),
  restore: call.input(projectRef.extend({ selection: selectionSchema })).output(changed),
  /** "It is right": the label stays although the model says otherwise. */
  confirm: call.input(projectRef.extend({ selection: selectionSchema })).output(changed),
  /** Takes back the latest action; with `step` only that one, and nothing when later ones came after it. */
  undo: call
    .input(projectRef.extend({ step: z.int().optional() }))
    .output(changed.extend({ name: z.string() })),
  redo: call.input(projectRef).output(changed.extend({ name: z.string() })),
}
