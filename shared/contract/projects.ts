import { z } from 'zod'
import { call, jobRef, ok, projectRef, sourceToken } from './base.ts'

export const recentProjectSchema = z.object({
  projectId: z.string(),
  name: z.string(),
  /** For the eye only. */
  location: z.string(),
  openedAt: z.number(),
  pictures: z.int(),
  labels: z.array(z.object({ name: z.string(), colour: z.int() })),
  /** How many strip pictures there are (0–6), see mediaUrl.recentStrip. */
  strip: z.int(),
  /** Of the last finished run. */
  accuracy: z.number().nullable(),
  /** The folder is not there any more. */
  missing: z.boolean(),
})
export type RecentProject = z.infer<typeof recentProjectSchema>

export const projectSchema = z.object({
  projectId: z.string(),
  name: z.string(),
  location: z.string(),
  createdAt: z.number(),
  /** Grows with every change of pictures or labels. */
  revision: z.int(),
  lastSavedAt: z.number(),
})
export type Project = z.infer<typeof projectSchema>

export const projects = {
  recent: call.output(z.array(recentProjectSchema)),
  /**
   * Without `parent` the project goes into the folder of Settings. `numbered`: there a number is put behind a name that is
   * taken; nobody chose it, so nobody can choose another. Errors: name-taken.
   */
  create: call
    .input(
      z.object({
        name: z.string().min(1).max(200),
        parent: sourceToken.optional(),
        numbered: z.boolean().default(false),
      }),
    )
    .output(projectSchema),
  /** Opens a recent project, or a `.kestrel` folder that was chosen or dropped. Errors: project-newer, project-locked, project-damaged. */
  open: call
    .input(z.union([z.object({ projectId: z.string() }), z.object({ source: sourceToken })]))
    .output(projectSchema),
  /** Makes a project from the bundled sample pictures and starts its import. */
  sample: call.output(projectSchema.extend({ jobId: z.string() })),
  get: call.input(projectRef).output(projectSchema),
  rename: call.input(projectRef.extend({ name: z.string().min(1).max(200) })).output(projectSchema),
  /** Takes it off the list; nothing on disk is touched. */
  forget: call.input(projectRef).output(ok),
  close: call.input(projectRef).output(ok),
}

/** How a picture's label follows from its folders. */
export const labelRules = ['parent', 'first', 'last', 'path', 'none'] as const
export type LabelRule = (typeof labelRules)[number]

export const importPlanSchema = z.object({
  pictures: z.int(),
  bytes: z.number(),
  ignored: z.int(),
  /** Unpacked or sent files are gone afterwards: they are copied, whatever is chosen. */
  mustCopy: z.boolean(),
  /** Bytes that copying needs (unpacked files lie beside their copies until it is over) and that are free. */
  needsBytes: z.number(),
  freeBytes: z.number(),
  /** Folders below the source, at most 500, with the pictures directly in them; depth 0 is what was dropped. */
  tree: z.array(z.object({ path: z.string(), name: z.string(), depth: z.int(), pictures: z.int() })),
  treeTruncated: z.boolean(),
  /** Levels of folders between the source and the pictures, at most. */
  depth: z.int(),
  /** train/val/test folders were found and will be kept as the split. */
  splitFolders: z.object({ train: z.int(), val: z.int(), test: z.int() }).nullable(),
  /** What each rule would give; `recommended` first. */
  rules: z.array(
    z.object({
      rule: z.enum(labelRules),
      labels: z.array(z.object({ name: z.string(), pictures: z.int() })),
      unlabelled: z.int(),
    }),
  ),
  recommended: z.enum(labelRules),
})
export type ImportPlan = z.infer<typeof importPlanSchema>

export const importProblemSchema = z.object({
  file: z.string(),
  code: z.string(),
  message: z.string(),
})
export type ImportProblem = z.infer<typeof importProblemSchema>

export const imports = {
  /** Looks at names only; fast. Without `projectId` for a project that is made when the person says so. */
  inspect: call.input(projectRef.partial().extend({ source: sourceToken })).output(importPlanSchema),
  start: call
    .input(
      projectRef.extend({
        source: sourceToken,
        rule: z.enum(labelRules),
        /** Put all pictures under this label instead. */
        labelId: z.int().optional(),
        /** Keep train/val/test folders as the split. */
        keepSplit: z.boolean().default(true),
        /** `copy` into the project, or `reference` where they are. */
        storage: z.enum(['copy', 'reference']).default('copy'),
      }),
    )
    .output(jobRef),
  /** Files that could not be read, newest import first. */
  problems: call
    .input(
      projectRef.extend({ offset: z.int().min(0).default(0), limit: z.int().min(1).max(500).default(100) }),
    )
    .output(z.object({ total: z.int(), duplicates: z.int(), problems: z.array(importProblemSchema) })),
}
