import { join } from 'node:path'
import type { z } from 'zod'
import type { engineReportSchema } from '#shared/contract/trainer.ts'
import { resourcesFolder } from '#shared/util/app-folders.ts'
import { logsFolder } from '#shared/util/home.ts'
import { readCatalogue } from './backbones/catalogue.ts'
import type { CatalogueEntry } from './backbones/catalogue.ts'
import type { DownloadOptions } from './backbones/download.ts'
import { createRates } from './backbones/rates.ts'
import { createBackboneService } from './backbones/service.ts'
import type { BackboneService } from './backbones/service.ts'
import { createComparisonService } from './comparison/service.ts'
import { collectDiagnostics } from './diagnostics/service.ts'
import { createEvaluationService } from './evaluation/service.ts'
import { createExportsService } from './exports/service.ts'
import type { ExportsService } from './exports/service.ts'
import type { MediaRoutes, ProjectHooks, StudioPorts } from './ports.ts'
import { createKeptAnswers } from './predictions/kept-answers.ts'
import { createPredictionsService } from './predictions/service.ts'
import { createThresholds } from './predictions/thresholds.ts'
import type { Thresholds } from './predictions/thresholds.ts'
import type { OpenProject } from './projects/open-project.ts'
import { createRunsService } from './runs/service.ts'
import type { RunsService } from './runs/service.ts'
import { createTrainerPool } from './trainer-client/pool.ts'
import type { TrainerPool } from './trainer-client/pool.ts'
import type { TrainerDeadlines } from './trainer-client/trainer.ts'
import { createTrainingService } from './training/service.ts'
import type { TrainingService } from './training/service.ts'
import { trainingMedia } from './training-media.ts'
import { trainingRouter } from './training-router.ts'

export type EngineReport = z.infer<typeof engineReportSchema>

/** For callers in the same process (the command line), which ask for more than the contract has. */
export interface TrainingServices {
  pool: TrainerPool
  backbones: BackboneService
  training: TrainingService
  runs: RunsService
  exports: ExportsService
  thresholds: Thresholds
}

export interface TrainingPart {
  services: TrainingServices
  router: ReturnType<typeof trainingRouter>
  /** For system.engines. Starts the warm trainer. */
  engines(): Promise<EngineReport[]>
  /** For system.info; what is known now, without waiting. */
  engineWords(): { ready: boolean; words: string }
  media: MediaRoutes
  hooks: ProjectHooks
  /** Trainings that quitting would interrupt. */
  status(): { projectName: string; words: string }[]
  /** @throws KestrelError not-found */
  exportFolder(projectId: string, exportId: string): string
  lastAccuracy(project: OpenProject): number | null
  /** Ends all trainers. */
  close(): Promise<void>
}

export interface TrainingOptions {
  /** `KESTREL_BACKBONES`. */
  backboneFolder?: string | null
  /** Where the backbones lie that Kestrel brings along; null: none. The app's own when left out. */
  builtInBackbones?: string | null
  /** Other than the app's own only in tests. */
  catalogue?: readonly CatalogueEntry[]
  /** How downloads are made; other than the app's own only in tests. */
  downloadOptions?: DownloadOptions
  deadlines?: TrainerDeadlines
}

/** Puts the parts together that train, judge, use and export models. */
export function composeTraining(ports: StudioPorts, options: TrainingOptions = {}): TrainingPart {
  const { registry, jobs, bus, log, home, version, sources, datasets, refreshRecent } = ports
  const pool = createTrainerPool({
    launcher: ports.launcher,
    log: (level, text) => log[level](text),
    ...(options.deadlines ? { deadlines: options.deadlines } : {}),
  })
  const rates = createRates(join(home, 'rates.json'))
  const backbones = createBackboneService({
    ...{ home, jobs, bus, log, rates },
    // An empty variable means none, as in every shell.
    folder: options.backboneFolder ?? (process.env['KESTREL_BACKBONES'] || null),
    builtIn:
      options.builtInBackbones === undefined
        ? join(resourcesFolder(), 'backbones')
        : options.builtInBackbones,
    catalogue: options.catalogue ?? readCatalogue(),
    ...(options.downloadOptions && { downloadOptions: options.downloadOptions }),
    prepare: (file, target, signal) =>
      pool.quick<'prepare-backbone'>({ kind: 'prepare-backbone', file, target }, signal ? { signal } : {}),
  })
  const training = createTrainingService({
    ...{ pool, backbones, rates, bus, version, registry, jobs, log, refreshRecent },
    oneShot: ports.oneShot,
    settled: ports.settled,
    twins: ports.twins,
  })
  const comparison = createComparisonService({
    ...{ pool, backbones, rates, registry, jobs, bus, log, training },
    settled: ports.settled,
  })
  const kept = createKeptAnswers()
  const runs = createRunsService({ registry, refreshRecent, removed: kept.clear })
  const evaluation = createEvaluationService({ registry })
  const thresholds = createThresholds()
  const predictions = createPredictionsService({
    ...{ registry, jobs, pool, sources, datasets, thresholds, kept, bus, log },
  })
  const exports = createExportsService({ version, registry, jobs, pool, sources, thresholds, evaluation })

  let known: { engines: EngineReport[]; versions: Record<string, string>; cores: number } | null = null
  const hello = async () => {
    known ??= await pool.quick<'hello'>({ kind: 'hello' })
    return known
  }

  return {
    services: { pool, backbones, training, runs, exports, thresholds },
    router: trainingRouter({
      training,
      runs,
      evaluation,
      predictions,
      exports,
      backbones,
      comparison,
      sources,
    }),
    engines: async () => (await hello()).engines,
    engineWords() {
      if (!known) {
        hello().catch((error: unknown) => log.error('the engine did not start', error))
        return { ready: false, words: 'Starting the engine' }
      }
      const usable = known.engines.filter(({ available }) => available)
      if (usable.length === 0) return { ready: false, words: 'No engine can run on this computer' }
      const cores = known.cores === 1 ? '1 core' : `${known.cores} cores`
      return { ready: true, words: `Ready · ${cores}, ${usable.map(({ name }) => name).join(', ')}` }
    },
    media: trainingMedia({
      ...{ predictions, exports },
      diagnostics: () =>
        collectDiagnostics({
          ...{
            version,
            mode: ports.mode,
            home,
            logs: process.env['KESTREL_LOG_DIR'] ?? logsFolder(home),
            registry,
            backbones,
          },
          engines: hello,
        }),
    }),
    hooks: {
      opened(project) {
        const lost = training.recover(project)
        runs.sweep(project).catch((error: unknown) => log.warn('leftovers of runs were not removed', error))
        kept.sweep(project, (error) => log.warn('leftovers of answers were not removed', error))
        if (lost === 0) return
        bus.publish({
          type: 'notice',
          level: 'info',
          title: lost === 1 ? 'A training was interrupted' : `${lost} trainings were interrupted`,
          words:
            'Kestrel ended while it ran. What was computed is kept: press Train, and it goes on from there.',
        })
      },
      closing: (project) => predictions.forget(project),
    },
    status: training.status,
    exportFolder: exports.folder,
    lastAccuracy: runs.lastAccuracy,
    close: pool.close,
  }
}
