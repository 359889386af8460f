import { eventIterator } from '@orpc/contract'
import { z } from 'zod'
import { jobSchema } from '../jobs/job.ts'
import { call, ok, sourceToken } from './base.ts'
import { engineReportSchema, trainMetricSchema } from './trainer.ts'

export const settingsSchema = z.object({
  theme: z.enum(['system', 'light', 'dark']),
  /** Folder for new projects; empty: the user's Documents/Kestrel, or the user-data folder. */
  projectsFolder: z.string(),
  /** Copy pictures into projects, or leave them where they are. */
  importStorage: z.enum(['copy', 'reference']),
  checkForUpdates: z.boolean(),
})
export type Settings = z.infer<typeof settingsSchema>

export const appInfoSchema = z.object({
  version: z.string(),
  mode: z.enum(['desktop', 'browser']),
  platform: z.string(),
  cores: z.int(),
  homeFolder: z.string(),
  projectsFolder: z.string(),
  /** For the rail's foot: "Ready · 2 cores, ONNX Runtime". */
  engine: z.object({ ready: z.boolean(), words: z.string() }),
})
export type AppInfo = z.infer<typeof appInfoSchema>

export const eventSchema = z.discriminatedUnion('type', [
  z.object({ type: z.literal('hello'), jobs: z.array(jobSchema) }),
  z.object({ type: z.literal('heartbeat'), at: z.number() }),
  z.object({ type: z.literal('job'), job: jobSchema }),
  z.object({
    type: z.literal('changed'),
    projectId: z.string(),
    revision: z.int(),
    /** Which views are out of date. */
    what: z.array(z.enum(['pictures', 'labels', 'runs', 'exports', 'project'])),
  }),
  z.object({
    type: z.literal('metric'),
    projectId: z.string(),
    runId: z.string(),
    metric: trainMetricSchema,
  }),
  z.object({ type: z.literal('backbones') }),
  /** Something the person should know that no call of theirs caused: a recovered crash, a low disk. */
  z.object({
    type: z.literal('notice'),
    level: z.enum(['info', 'warning']),
    title: z.string(),
    words: z.string(),
  }),
])
export type StudioEvent = z.infer<typeof eventSchema>

export const system = {
  info: call.output(appInfoSchema),
  settings: call.output(settingsSchema),
  /** `projectsFolderSource`: a folder the person chose, as a token; the page never sends a path of its own making. */
  setSettings: call
    .input(
      settingsSchema
        .partial()
        .extend({ projectsFolder: z.literal('').optional(), projectsFolderSource: sourceToken.optional() }),
    )
    .output(settingsSchema),
  engines: call.output(z.array(engineReportSchema)),
  /** All that happens, from now on. A newer subscription of the same window ends its older one. Heartbeat every 10 s. */
  events: call.input(z.object({ windowId: z.string().max(64) })).output(eventIterator(eventSchema)),
}

export const jobs = {
  list: call.input(z.object({ projectId: z.string().nullable() })).output(z.array(jobSchema)),
  cancel: call.input(z.object({ jobId: z.string() })).output(ok),
}
