import { z } from 'zod'
import { wireErrorSchema } from '../errors/index.ts'

export const jobKinds = [
  'import',
  'train',
  'export',
  'predict-folder',
  'sort-folder',
  'download',
  'prepare',
  'label',
  'compare',
] as const
export const jobStates = ['queued', 'running', 'stopping', 'done', 'failed', 'cancelled'] as const

/**
 * A long piece of work as one value. Progress is throttled with a leading and a trailing call, so the last percent
 * always arrives; a window that opens late asks for the list.
 */
export const jobSchema = z.object({
  id: z.string(),
  projectId: z.string().nullable(),
  kind: z.enum(jobKinds),
  state: z.enum(jobStates),
  /** What is being done, as a key of the page's texts: 'scanning', 'reading', 'features', 'fitting', 'proving', … */
  stage: z.string(),
  done: z.number(),
  /** Null while it is not known yet. */
  total: z.number().nullable(),
  /** Units (mostly pictures) per second. */
  rate: z.number().nullable(),
  etaSeconds: z.number().nullable(),
  /** What it works on, for the person: a folder's or run's name. */
  title: z.string(),
  /** Extra facts for the notice at the end, by kind: imported, duplicates, skipped, runId, exportId … */
  facts: z.record(z.string(), z.union([z.string(), z.number(), z.boolean(), z.null()])),
  error: wireErrorSchema.nullable(),
  startedAt: z.number(),
  endedAt: z.number().nullable(),
})
export type Job = z.infer<typeof jobSchema>

export const isOver = (job: Job): boolean =>
  job.state === 'done' || job.state === 'failed' || job.state === 'cancelled'

/** Folds a new snapshot into the known jobs; an older snapshot of the same job never replaces a finished one. */
export function reduceJobs(known: ReadonlyMap<string, Job>, next: Job): Map<string, Job> {
  const before = known.get(next.id)
  const jobs = new Map(known)
  if (!before || !isOver(before) || isOver(next)) jobs.set(next.id, next)
  return jobs
}
