import { z } from 'zod'
import type { TrainMetric } from '#shared/contract/trainer.ts'
import {
  foldsLeftOutSchema,
  keptSchema,
  madeSmallSchema,
  trainMetricSchema,
  weighedSchema,
} from '#shared/contract/trainer.ts'
import { sharedShotsSchema, trainConfigSchema } from '#shared/contract/training.ts'
import { trainingCheckSchema } from '#shared/domain/training/babysitter.ts'
import { gradientPlanSchema } from '#shared/domain/training/presets.ts'
import { wireErrorSchema } from '#shared/errors/index.ts'
import type { ProjectDatabase } from './database.ts'

/** As they were when the run began; the name is what the model says, the id tells which label it is today. */
const runClassesSchema = z.array(z.object({ labelId: z.int(), name: z.string(), colour: z.int() })).min(2)
const ci95 = z.tuple([z.number(), z.number()])

/** What is known of a run beyond its settings. Figures come from the stored predictions and are kept for the lists. */
export const runFactsSchema = z.object({
  counts: z.object({ train: z.int(), val: z.int(), test: z.int() }),
  backbone: z
    .object({ id: z.string(), name: z.string(), sha256: z.string(), licence: z.string() })
    .nullable(),
  warmStartFrom: z.string().nullable(),
  /** The stopped run whose training this one goes on with; null for one of its own. */
  continues: z.string().nullable().default(null),
  featureLength: z.int().nullable(),
  testAccuracy: z.number().nullable(),
  testAccuracyCi95: ci95.nullable(),
  testMacroF1: z.number().nullable(),
  valAccuracy: z.number().nullable(),
  outOfFoldAccuracy: z.number().nullable(),
  regularisation: z.number().nullable(),
  stopped: z.object({ reason: z.string(), message: z.string() }).nullable(),
  timings: z.object({ features_s: z.number(), train_s: z.number(), evaluate_s: z.number() }).nullable(),
  features: z.object({ cached: z.int(), computed: z.int() }).nullable(),
  /** Folds that could not be trained; null without any. */
  foldsLeftOut: foldsLeftOutSchema.nullable().default(null),
  /** Pictures that could not be decoded any more. */
  failed: z.int(),
  steps: z.int(),
  /** Null for runs from before they were looked for. */
  sharedShots: sharedShotsSchema.nullable().default(null),
  /** Network and settings of a training by gradients. */
  gradients: gradientPlanSchema.nullable().default(null),
  checks: z.array(trainingCheckSchema).default([]),
  /** Fine-tuned against frozen, on the validation pictures. */
  kept: keptSchema.nullable().default(null),
  /** What it and its teacher weigh, measured before it began to learn. */
  weighed: weighedSchema.nullable().default(null),
  /** Beside the model it was made from. */
  madeSmall: madeSmallSchema.nullable().default(null),
  kestrel: z.string(),
})
export type RunFacts = z.infer<typeof runFactsSchema>

export const runStates = ['running', 'done', 'stopped', 'failed', 'interrupted', 'removed'] as const
export type RunState = (typeof runStates)[number]

export interface RunRecord {
  id: string
  number: number
  name: string
  state: RunState
  versionId: number
  config: z.infer<typeof trainConfigSchema>
  classes: z.infer<typeof runClassesSchema>
  facts: RunFacts
  error: z.infer<typeof wireErrorSchema> | null
  /** The person's own; null: the chosen one. */
  threshold: number | null
  createdAt: number
  endedAt: number | null
  revision: number
}

interface Stored extends Omit<RunRecord, 'config' | 'classes' | 'facts' | 'error'> {
  config: string
  classes: string
  result: string
  error: string | null
}

export type RunsRepository = ReturnType<typeof createRunsRepository>

export function createRunsRepository({ sql, transaction }: ProjectDatabase) {
  const columns = `id, number, name, state, version_id AS versionId, config, classes, result, error, threshold,
    created_at AS createdAt, ended_at AS endedAt, revision`
  const all = sql.prepare<[], Stored>(
    `SELECT ${columns} FROM runs WHERE state <> 'removed' ORDER BY number DESC`,
  )
  const byId = sql.prepare<[string], Stored>(
    `SELECT ${columns} FROM runs WHERE id = ? AND state <> 'removed'`,
  )
  const newestModel = sql.prepare<[], Stored>(
    `SELECT ${columns} FROM runs WHERE state IN ('done', 'stopped') ORDER BY number DESC`,
  )
  const nextNumber = sql.prepare<[], number>('SELECT ifnull(max(number), 0) + 1 FROM runs').pluck()
  const insert =
    sql.prepare(`INSERT INTO runs (id, number, name, state, version_id, config, classes, result, error,
      threshold, created_at, ended_at, revision)
    VALUES (@id, @number, @name, 'running', @versionId, @config, @classes, @result, NULL, NULL, @createdAt, NULL,
      @revision)`)
  const end = sql.prepare<[RunState, string, string | null, number, string]>(
    'UPDATE runs SET state = ?, result = ?, error = ?, ended_at = ? WHERE id = ?',
  )
  const setState = sql.prepare<[RunState, string]>('UPDATE runs SET state = ? WHERE id = ?')
  const setFacts = sql.prepare<[string, string]>('UPDATE runs SET result = ? WHERE id = ?')
  const restart = sql.prepare<[string]>(
    "UPDATE runs SET state = 'running', error = NULL, ended_at = NULL WHERE id = ?",
  )
  const rename = sql.prepare<[string, string]>('UPDATE runs SET name = ? WHERE id = ?')
  const setThreshold = sql.prepare<[number | null, string]>('UPDATE runs SET threshold = ? WHERE id = ?')
  const running = sql.prepare<[], string>("SELECT id FROM runs WHERE state = 'running'").pluck()
  const addStep = sql.prepare<[string, number, string]>(
    'INSERT OR REPLACE INTO run_steps (run_id, step, metric) VALUES (?, ?, ?)',
  )
  const steps = sql
    .prepare<[string], string>('SELECT metric FROM run_steps WHERE run_id = ? ORDER BY step')
    .pluck()

  const record = ({ result, ...row }: Stored): RunRecord => ({
    ...row,
    config: trainConfigSchema.parse(JSON.parse(row.config)),
    classes: runClassesSchema.parse(JSON.parse(row.classes)),
    facts: runFactsSchema.parse(JSON.parse(result)),
    error: row.error === null ? null : wireErrorSchema.parse(JSON.parse(row.error)),
  })

  return {
    /** Newest first; removed ones left out. */
    all: (): RunRecord[] => all.all().map(record),
    find: (id: string): RunRecord | undefined => {
      const row = byId.get(id)
      return row && record(row)
    },
    /** The newest run that has a model, or the newest one that fits. */
    newestWithModel(fits: (run: RunRecord) => boolean = () => true): RunRecord | undefined {
      for (const row of newestModel.iterate()) {
        const run = record(row)
        if (fits(run)) return run
      }
      return undefined
    },
    nextNumber: (): number => nextNumber.get() ?? 1,
    insert(run: Omit<RunRecord, 'state' | 'error' | 'threshold' | 'endedAt'>): void {
      insert.run({
        ...run,
        config: JSON.stringify(run.config),
        classes: JSON.stringify(run.classes),
        result: JSON.stringify(run.facts),
        facts: undefined,
      })
    },
    end(
      id: string,
      outcome: { state: RunState; facts: RunFacts; error: RunRecord['error']; endedAt: number },
    ): void {
      const error = outcome.error && JSON.stringify(outcome.error)
      end.run(outcome.state, JSON.stringify(outcome.facts), error, outcome.endedAt, id)
    },
    /** What became known while it is under way. */
    setFacts(id: string, facts: RunFacts): void {
      setFacts.run(JSON.stringify(facts), id)
    },
    /** A run that was interrupted before it had a model is under way again. */
    restart(id: string): void {
      restart.run(id)
    },
    markRemoved(id: string): void {
      setState.run('removed', id)
    },
    rename(id: string, name: string): void {
      rename.run(name, id)
    },
    setThreshold(id: string, value: number | null): void {
      setThreshold.run(value, id)
    },
    /** Ids of runs that are under way, or were when their process ended. */
    running: (): string[] => running.all(),
    addSteps(id: string, metrics: readonly TrainMetric[]): void {
      transaction(() => {
        for (const metric of metrics) addStep.run(id, metric.step, JSON.stringify(metric))
      })
    },
    steps: (id: string): TrainMetric[] =>
      steps.all(id).map((metric) => trainMetricSchema.parse(JSON.parse(metric))),
  }
}
