import { KestrelError, fromWire } from '#shared/errors/index.ts'
import type { Job } from '#shared/jobs/job.ts'
import { kestrelHome, logsFolder } from '#shared/util/home.ts'
import { composeStudio } from '#studio/compose.ts'
import type { Studio as ComposedStudio } from '#studio/compose.ts'
import { createFileLog } from '#studio/log-file.ts'
import { createTrainerLauncher } from '#studio/parent-link.ts'
import type { CliContext } from './context.ts'
import { viewOfJob } from './terminal.ts'

/** The studio in this process, with what the command line asks of it. */
export interface CliStudio extends Pick<
  ComposedStudio,
  'projects' | 'imports' | 'jobs' | 'bus' | 'registry' | 'fetch' | 'training' | 'client'
> {
  pool: ComposedStudio['training']['pool']
  backbones: ComposedStudio['training']['backbones']
  /** User-data folder. */
  home: string
  log: ReturnType<typeof createFileLog>
}

/** Opens the studio, does the work, and gives locks and processes back whatever happens. */
export async function withStudio<T>(
  { version }: CliContext,
  work: (studio: CliStudio) => Promise<T>,
  { oneShot = true } = {},
): Promise<T> {
  const home = kestrelHome()
  const log = createFileLog(logsFolder(home))
  const studio = await composeStudio({
    version,
    mode: 'browser',
    oneShot,
    home,
    log,
    launcher: createTrainerLauncher(null),
  })
  try {
    const { pool, backbones } = studio.training
    return await work({ ...studio, pool, backbones, home, log })
  } finally {
    await studio.jobs.stopAll()
    await studio.projects.closeAll()
    await studio.uploads.close()
    // Trainers end by themselves when this process does: nobody waits for them.
  }
}

/**
 * Shows a job until it is over; an interruption is passed on to it.
 * @param options.keepResult a job that was interrupted and has a result all the same counts as done
 * @returns the last snapshot of a job that is done
 * @throws KestrelError what the job failed with; `stopped` when it was interrupted
 */
export async function followJob(
  { bus, jobs }: Pick<CliStudio, 'bus' | 'jobs'>,
  jobId: string,
  { terminal, signal }: CliContext,
  { keepResult = false } = {},
): Promise<Job> {
  const cancel = (): void => jobs.cancel(jobId)
  const unsubscribe = bus.subscribe((event) => {
    if (event.type === 'job' && event.job.id === jobId) terminal.progress(viewOfJob(event.job))
  })
  if (signal.aborted) cancel()
  else signal.addEventListener('abort', cancel, { once: true })
  try {
    const job = await jobs.wait(jobId)
    if (job.error) throw fromWire(job.error)
    if (!keepResult || job.state !== 'done') signal.throwIfAborted()
    return job
  } finally {
    signal.removeEventListener('abort', cancel)
    unsubscribe()
    terminal.clear()
  }
}

/**
 * Makes sure that a backbone that was asked for by name is there; one only known by the catalogue is downloaded now.
 * @throws KestrelError backbone-unknown, backbone-damaged, offline, download-failed, checksum-mismatch
 */
export async function makeReady(id: string, studio: CliStudio, context: CliContext): Promise<void> {
  try {
    await studio.backbones.requireReady(id)
  } catch (error) {
    if (!(error instanceof KestrelError)) throw error
    if (error.code === 'backbone-unknown')
      throw new KestrelError(error.code, error.message, {
        remedy: '"kestrel backbones" lists those that can be had.',
        cause: error,
      })
    if (error.code !== 'no-backbone') throw error
    await followJob(studio, studio.backbones.download(id).jobId, context)
  }
}
