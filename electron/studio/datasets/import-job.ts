import { existsSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { isInterruption } from '../jobs/job-runner.ts'
import type { JobContext, JobFacts } from '../jobs/job-runner.ts'
import { throttle } from '../jobs/throttle.ts'
import type { OpenProject } from '../projects/open-project.ts'
import { createImportsRepository } from '../storage/imports-repository.ts'
import type { ImportFile } from '../storage/imports-repository.ts'
import { createCommitter } from './commit-files.ts'
import type { CommitSums } from './commit-files.ts'
import type { ImportOptions } from './import-options.ts'
import { createKeepOriginal } from './originals.ts'
import type { PictureReader } from './picture-reader.ts'
import { readFiles } from './read-files.ts'
import { scan } from './scan.ts'
import { excludeGone } from './sync-folder.ts'
import type { FileResult } from './read-files.ts'
import type { TwinFinder } from './twins.ts'

export interface ImportJobPorts {
  reader: PictureReader
  twins: Pick<TwinFinder, 'compare'>
  reportError(error: unknown): void
}

export interface ImportJob {
  project: OpenProject
  importId: number
  options: ImportOptions
  context: JobContext
}

/** Files fetched from the list at a time. */
const READ_BATCH = 500
/** Results are written when there are this many, or when the oldest has waited this long. */
const COMMIT_FILES = 64
const COMMIT_MS = 250
const ANNOUNCE_MS = 700
/** Pictures in work at a time. While one is decoded others are read, hashed or written. */
export const parallelReads = (): number => Math.min(24, Math.max(4, availableParallelism() * 3))

/**
 * Reads what was dropped into the project. What has to be done is in the database, so a crash or a closed window only
 * interrupts: it goes on behind the last committed file when the project is opened again.
 */
export async function runImport(job: ImportJob, ports: ImportJobPorts): Promise<JobFacts> {
  const imports = job.project.use(createImportsRepository)
  try {
    const options = job.options.total === null ? await scan(job) : job.options
    await readAll(job, options, ports)
    if (job.context.signal.aborted) throw job.context.signal.reason
    if (options.sync) excludeGone(job.project, options.roots)
    imports.setState(job.importId, 'done')
    await cleanUp(options)
    await ports.twins.compare(job.project)
    return factsOf(job)
  } catch (error) {
    // Left as it is when only the app closes: it goes on when the project is opened again.
    if (!isInterruption(job.context.signal)) {
      imports.setState(job.importId, job.context.signal.aborted ? 'cancelled' : 'failed')
      await cleanUp(job.options)
    }
    job.context.update({ facts: factsOf(job) })
    throw error
  }
}

const cleanUp = async ({ staging }: ImportOptions): Promise<void> => {
  if (staging !== null) await rm(staging, { recursive: true, force: true })
}

function factsOf({ project, importId }: ImportJob): JobFacts {
  const row = project.use(createImportsRepository).find(importId)
  return { imported: row?.read ?? 0, duplicates: row?.duplicates ?? 0, skipped: row?.refused ?? 0 }
}

async function readAll(
  { project, importId, context }: ImportJob,
  options: ImportOptions,
  { reader, reportError }: ImportJobPorts,
): Promise<void> {
  const imports = project.use(createImportsRepository)
  const committer = createCommitter(project, {
    importId,
    ...options,
    isGone: options.sync ? isGone : undefined,
  })
  const announce = throttle(() => project.announce('pictures', 'labels'), ANNOUNCE_MS)
  const before = imports.find(importId)
  const sums: CommitSums = {
    imported: before?.read ?? 0,
    duplicates: before?.duplicates ?? 0,
    skipped: before?.refused ?? 0,
  }
  const progress = (): void =>
    context.update({
      stage: 'reading',
      done: sums.imported + sums.duplicates + sums.skipped,
      total: options.total,
      facts: { ...sums },
    })

  let waiting: FileResult[] = []
  let oldest = 0
  const commit = (): void => {
    if (waiting.length === 0) return
    const written = committer.commit(waiting)
    waiting = []
    sums.imported += written.imported
    sums.duplicates += written.duplicates
    sums.skipped += written.skipped
    announce()
    progress()
  }

  progress()
  try {
    const results = readFiles(waitingFiles(imports, importId), {
      reader,
      keepOriginal: createKeepOriginal(project),
      storage: options.storage,
      parallel: parallelReads(),
      known: committer.known,
      reportError,
      signal: context.signal,
    })
    for await (const result of results) {
      if (waiting.length === 0) oldest = performance.now()
      waiting.push(result)
      if (waiting.length >= COMMIT_FILES || performance.now() - oldest > COMMIT_MS) commit()
    }
  } finally {
    // What was read is kept, also when it ends early.
    commit()
    announce.flush()
  }
}

const isGone = (path: string): boolean => !existsSync(path)

/** The files that are still to be read, in batches, so that a list of a million does not lie in memory. */
function* waitingFiles(
  imports: ReturnType<typeof createImportsRepository>,
  importId: number,
): Generator<ImportFile> {
  let after = -1
  for (;;) {
    const batch = imports.waiting(importId, after, READ_BATCH)
    yield* batch
    const last = batch.at(-1)
    if (!last) return
    after = last.position
  }
}
