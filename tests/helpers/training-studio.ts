import { createHash } from 'node:crypto'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { TrainConfig } from '#shared/contract/training.ts'
import type { Job } from '#shared/jobs/job.ts'
import { composeStudio } from '#studio/compose.ts'
import type { Studio } from '#studio/compose.ts'
import type { TrainingOptions } from '#studio/compose-training.ts'
import type { Log } from '#studio/log.ts'
import { launcherOf, realTrainer } from './launcher.ts'
import { tinyFeatureLength, tinyNetwork } from './tiny-backbone.ts'

/** Warnings and errors are kept, so that a test can say that there were none. */
export function memoryLog(): Log & { lines: string[] } {
  const lines: string[] = []
  const note =
    (level: string) =>
    (message: string, cause?: unknown): void => {
      lines.push(`${level}: ${message} ${cause instanceof Error ? cause.stack : (cause ?? '')}`)
    }
  return { lines, info() {}, warn: note('warn'), error: note('error') }
}

/** A folder as KESTREL_BACKBONES names it, with a backbone of random weights: small, real, and no help at all. */
export async function tinyBackboneFolder(
  folder: string,
  { id = 'tiny', bytes = tinyNetwork() } = {},
): Promise<string> {
  await mkdir(join(folder, id), { recursive: true })
  await writeFile(join(folder, id, 'model.onnx'), bytes)
  const entry = {
    id,
    input: [32, 32, 3],
    preprocessing: 'x/127.5-1 RGB',
    features: tinyFeatureLength,
    model_sha256: createHash('sha256').update(bytes).digest('hex'),
    file: 'model.onnx',
  }
  await writeFile(join(folder, 'index.json'), JSON.stringify({ backbones: [entry] }))
  return folder
}

export interface TrainingStudio extends Studio {
  log: ReturnType<typeof memoryLog>
  /** Pids of all trainers that were started. */
  trainers: number[]
  /** Trains to the end. */
  train(projectId: string, change?: Partial<TrainConfig>): Promise<{ runId: string; job: Job }>
  /** A project with the pictures of a folder; its labels are the names of the sub-folders. */
  projectOf(folder: string, name?: string): Promise<string>
}

/**
 * The whole studio with real trainer processes.
 * @param backbones what KESTREL_BACKBONES names; null: none
 * @param builtIn where those lie that come with Kestrel; left out: the app's own, or none where there are no others either
 */
export async function trainingStudio(
  home: string,
  backbones: string | null,
  builtIn: string | null | undefined = backbones === null ? null : undefined,
  more: Pick<TrainingOptions, 'catalogue' | 'downloadOptions'> = {},
): Promise<TrainingStudio> {
  const log = memoryLog()
  const trainers: number[] = []
  const real = launcherOf(realTrainer)
  if (backbones === null) delete process.env['KESTREL_BACKBONES']
  else process.env['KESTREL_BACKBONES'] = backbones
  const studio = await composeStudio({
    version: '0.0.0-test',
    mode: 'browser',
    home,
    log,
    ...more,
    ...(builtIn !== undefined && { builtInBackbones: builtIn }),
    launcher: {
      launch(env) {
        const child = real.launch(env)
        void child.pid.then((pid) => pid !== null && trainers.push(pid))
        return child
      },
    },
  })
  const { client, jobs } = studio
  return {
    ...studio,
    log,
    trainers,
    async train(projectId, change = {}) {
      const { recommended } = await client.training.options({ projectId })
      const config = { ...recommended, ...change }
      const { runId, jobId } = await client.training.start({ projectId, config })
      return { runId, job: await jobs.wait(jobId) }
    },
    async projectOf(folder, name = 'Shapes') {
      const { projectId } = await client.projects.create({ name })
      const source = studio.sources.register([folder], 'read')
      const { jobId } = await client.imports.start({ projectId, source, rule: 'parent' })
      const job = await jobs.wait(jobId)
      if (job.state !== 'done') throw new Error(`import ended ${job.state}: ${job.error?.message}`)
      return projectId
    },
  }
}
