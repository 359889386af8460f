import { z } from 'zod'
import { sourceToken } from './tokens.ts'

/**
 * What the desktop shell (main) and the studio say to each other beside the page's traffic: messages over the process
 * channel, and the few HTTP routes that exist on the private pipe only.
 */

/** Names one trainer process between studio and main; made by the studio. */
export const trainerToken = z.string().min(8).max(64)

export const toParentSchema = z.discriminatedUnion('type', [
  /** The studio listens on its pipe. */
  z.object({ type: z.literal('ready') }),
  /** With `runAsNode` off only main can start a Node process. `env` is added to main's own for that process. */
  z.object({
    type: z.literal('fork-trainer'),
    token: trainerToken,
    env: z.record(z.string().regex(/^KESTREL_[A-Z_]+$|^(OMP|ORT|TF)_[A-Z_]+$/), z.string().max(4096)),
  }),
  z.object({ type: z.literal('kill-trainer'), token: trainerToken, force: z.boolean() }),
])
export type ToParent = z.infer<typeof toParentSchema>

export const fromParentSchema = z.discriminatedUnion('type', [
  z.object({ type: z.literal('trainer-started'), token: trainerToken, pid: z.int().positive() }),
  z.object({
    type: z.literal('trainer-exit'),
    token: trainerToken,
    code: z.int().nullable(),
    signal: z.string().nullable(),
  }),
  /** Finish what is being written, close the databases, exit. */
  z.object({ type: z.literal('shutdown') }),
])
export type FromParent = z.infer<typeof fromParentSchema>

/** Header with the secret that main and studio share; without it the pipe answers 401. */
export const pipeSecretHeader = 'x-kestrel-secret'

export const registerSourcesSchema = z.object({
  /** Absolute paths the person dropped or chose. */
  paths: z.array(z.string().min(1).max(32_768)).min(1).max(10_000),
  /** `write`: a folder or file to save into. */
  purpose: z.enum(['read', 'write']),
})
export type RegisterSources = z.infer<typeof registerSourcesSchema>
export const registeredSourcesSchema = z.object({ token: sourceToken })

/** What the file manager may be asked to show. Ids and tokens only: the page never says a path. */
export const revealSchema = z.discriminatedUnion('what', [
  z.object({ what: z.literal('project'), projectId: z.string().min(1).max(64) }),
  z.object({
    what: z.literal('export'),
    projectId: z.string().min(1).max(64),
    exportId: z.string().min(1).max(64),
  }),
  z.object({ what: z.literal('source'), token: sourceToken }),
  z.object({ what: z.literal('home') }),
  z.object({ what: z.literal('logs') }),
])
export type Reveal = z.infer<typeof revealSchema>
export const locatedSchema = z.object({ path: z.string().min(1) })

export const studioStatusSchema = z.object({
  /** Trainings that would be interrupted by quitting. */
  trainings: z.array(z.object({ projectName: z.string(), words: z.string() })),
  /** Imports, exports and others; they go on after the next start. */
  otherJobs: z.int().min(0),
})
export type StudioStatus = z.infer<typeof studioStatusSchema>

export const internalRoutes = {
  sources: '/internal/sources',
  locate: '/internal/locate',
  status: '/internal/status',
} as const
