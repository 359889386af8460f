import { z } from 'zod'
import { trainMetricSchema } from '#shared/contract/trainer.ts'
import type { TrainMetric } from '#shared/contract/trainer.ts'
import { hasExploded, type Breakdown } from '#shared/domain/training/explosion.ts'
import { KestrelError } from '#shared/errors/index.ts'
import { TrainingBroke } from './broke.ts'
import type { Checkpoint } from './checkpoint.ts'
import type { Vector, Vectors } from './state.ts'
import type { StepRunner, TrainingBatch } from './step-runner.ts'

/** What the loop is given; every part plugs in. */
export interface FitInput {
  runner: StepRunner
  epochs: number
  /** Batches of an epoch (counted from 1), the same for the same epoch, whenever it is asked for. */
  batches: (epoch: number) => AsyncIterable<TrainingBatch>
  /** Learning rate of a step, counted from 0 over the whole training. */
  learningRate: (step: number, judged: readonly TrainMetric[]) => number
  /** Share of the old value kept in running statistics (Ioffe & Szegedy 2015), usually 0.9. */
  statisticsKeep: number
  /** Of the average of the parameters at a step counted from 1; 0 where none is kept. */
  averageDecay: (step: number) => number
  /** Judges the present numbers on the validation pictures; null where there are none. */
  judge: (() => Promise<Judgement>) | null
  /**
   * Where nobody judges, the same on some of the training pictures. A step says how the numbers before it did: only this
   * tells what the last update made of them.
   */
  probe?: () => Promise<Judgement>
  /** Losses of a network that knows nothing, of steps and as judged: the measure of an explosion. */
  guessing: { training: number; judged: number }
  /** Ends the training when it says so, after an epoch has been judged. */
  isDone?: (curve: readonly TrainMetric[]) => boolean
  hooks: FitHooks
}

export interface FitHooks {
  shouldStop: () => boolean
  onEpoch: (metric: TrainMetric) => void
  /** Rows shown so far in this epoch. */
  onBatch?: (epoch: number, rows: number) => void
  load?: () => Promise<Checkpoint<Progress> | null>
  save?: (progress: Progress, vectors: Vectors) => Promise<void>
}

const judgementSchema = z.object({ loss: z.number(), accuracy: z.number() })
export type Judgement = z.infer<typeof judgementSchema>

export const progressSchema = z.object({
  /** Finished epochs and steps. */
  epoch: z.int().min(0),
  step: z.int().min(0),
  curve: z.array(trainMetricSchema),
  /** The epoch whose numbers are kept, and how they did on the pictures that judge, or else on those looked at. */
  best: judgementSchema.extend({ epoch: z.int() }).nullable(),
  /** Loss of the very first step. */
  firstLoss: z.number().nullable().default(null),
  /** What was found by looking before the first step, where nobody judges. */
  before: judgementSchema.nullable().default(null),
})
export type Progress = z.infer<typeof progressSchema>

export interface FitOutcome {
  /**
   * The numbers worth keeping: of the best epoch by validation loss; where there is no validation, of the last one that had
   * not exploded.
   */
  vectors: Vectors
  curve: readonly TrainMetric[]
  /** Epoch the numbers are from. */
  epoch: number
  best: Progress['best']
  before: Progress['before']
  /** `diverged`: numbers that are not finite. `exploded`: a loss far above guessing. `early`: validation had stopped getting better. */
  stopped: Breakdown | 'asked' | 'early' | null
  /** Training loss of a network that knows nothing: what the curve is held against. */
  guessing: number
  /** Pure time of steps and of waiting for batches, seconds; what the bench compares. */
  seconds: { steps: number; epochs: number }
}

const BEST = 'best/'

/**
 * The loop, as the textbook writes it: draw a batch; forward, loss, backward, update (one graph); after every epoch judge
 * on the validation pictures, keep the best numbers, write a checkpoint.
 *
 * A run that was killed goes on after the last finished epoch and ends where the uninterrupted one ends: batches and
 * masks depend on seed, epoch and step alone, everything else is in the checkpoint.
 *
 * @throws TrainingBroke when the numbers broke down before anything good was reached, KestrelError `stopped` when it was
 *   stopped before the first epoch was done.
 */
export async function fit(input: FitInput): Promise<FitOutcome> {
  const { runner, epochs, hooks } = input
  const { state } = runner
  let progress: Progress = { epoch: 0, step: 0, curve: [], best: null, firstLoss: null, before: null }
  let best: Vectors | null = null
  const examines = input.judge !== null || input.probe !== undefined
  const seconds = { steps: 0, epochs: 0 }
  const ended = (stopped: FitOutcome['stopped']): FitOutcome => {
    const kept = progress.best?.epoch ?? (examines ? 0 : progress.epoch)
    // With no good epoch there is nothing to keep, even where all epochs were gone through.
    if (kept === 0) throw nothingReached(stopped, progress.curve, input.guessing.training)
    return {
      vectors: best ?? state.copy(),
      curve: progress.curve,
      epoch: kept,
      best: progress.best,
      before: progress.before,
      stopped: stopped ?? (input.judge === null && kept < progress.epoch ? 'exploded' : null),
      guessing: input.guessing.training,
      seconds,
    }
  }

  const kept = (await hooks.load?.()) ?? null
  if (kept) {
    state.restore(kept.vectors)
    progress = { ...kept.progress }
    best = prefixed(kept.vectors) ?? (isBest(progress) ? state.copy() : null)
    for (const metric of progress.curve) hooks.onEpoch(metric)
    // Killed after the checkpoint of its last epoch.
    if (input.isDone?.(progress.curve)) return ended('early')
  } else if (input.judge === null) progress.before = finiteOrNull((await input.probe?.()) ?? null)

  while (progress.epoch < epochs) {
    const epoch = progress.epoch + 1
    const before = state.copy()
    const began = performance.now()
    const losses: number[] = []
    let [loss, correct, rows, step] = [0, 0, 0, progress.step]
    for await (const batch of input.batches(epoch)) {
      if (hooks.shouldStop()) {
        // What half an epoch has learned is not judged yet: the state goes back to the last judged one.
        state.restore(before)
        return ended('asked')
      }
      const stepBegan = performance.now()
      const figures = await runner.run(batch, {
        learningRate: input.learningRate(step, progress.curve),
        step: step + 1,
        // At first a plain average, so that the starting values leave no trace.
        statisticsKeep: Math.min(input.statisticsKeep, step / (step + 1)),
        averageDecay: input.averageDecay(step + 1),
      })
      seconds.steps += (performance.now() - stepBegan) / 1000
      if (!Number.isFinite(figures.loss) || !Number.isFinite(figures.gradientNorm)) {
        state.restore(before)
        return ended('diverged')
      }
      progress.firstLoss ??= figures.loss
      losses.push(figures.loss)
      step += 1
      rows += batch.rows
      loss += figures.loss * batch.rows
      correct += figures.correct
      hooks.onBatch?.(epoch, rows)
    }
    seconds.epochs += (performance.now() - began) / 1000
    const judged = (await input.judge?.()) ?? null
    const examined = judged ?? (await input.probe?.()) ?? null
    if (examined && !Number.isFinite(examined.loss)) {
      state.restore(before)
      return ended('diverged')
    }
    const metric: TrainMetric = {
      step: epoch,
      trainLoss: loss / rows,
      trainAccuracy: correct / rows,
      valLoss: judged?.loss ?? null,
      valAccuracy: judged?.accuracy ?? null,
    }
    const curve = [...progress.curve, metric]
    const { training, judged: asJudged } = input.guessing
    const start = progress.firstLoss ?? 0
    // The mean of a whole epoch may hold a bad beginning that is over: what counts is how the epoch ends.
    const exploded = hasExploded(atTheEnd(losses), training, start)
    // Running statistics may lag behind in an early epoch: such numbers are not kept, and the training goes on.
    const isGood = !exploded && examined !== null && !hasExploded(examined.loss, asJudged, start)
    const better = isGood && (judged === null || judged.loss < (progress.best?.loss ?? Infinity))
    if (exploded) {
      state.restore(before)
      progress = { ...progress, curve }
      hooks.onEpoch(metric)
      return ended('exploded')
    }
    if (better) best = state.copy()
    progress = { ...progress, epoch, step, curve, best: better ? { epoch, ...examined } : progress.best }
    hooks.onEpoch(metric)
    if (hooks.save) await hooks.save(progress, withBest(state.copy(), isBest(progress) ? null : best))
    if (input.isDone?.(progress.curve)) return ended('early')
  }
  return ended(null)
}

function nothingReached(
  stopped: FitOutcome['stopped'],
  curve: readonly TrainMetric[],
  guessing: number,
): KestrelError {
  return stopped === 'asked'
    ? new KestrelError('stopped', 'Stopped before there was a model worth keeping.')
    : new TrainingBroke(stopped === 'diverged' ? 'diverged' : 'exploded', curve, guessing)
}

/** Mean loss of the last quarter of an epoch's steps. */
function atTheEnd(losses: readonly number[]): number {
  const last = losses.slice(-Math.ceil(losses.length / 4))
  return last.reduce((sum, loss) => sum + loss, 0) / Math.max(1, last.length)
}

const finiteOrNull = (judgement: Judgement | null): Judgement | null =>
  judgement !== null && Number.isFinite(judgement.loss) ? judgement : null

/** Whether the numbers of the last epoch are the best: then they are not written down twice. */
const isBest = ({ best, epoch }: Progress): boolean => best?.epoch === epoch

function withBest(vectors: Map<string, Vector>, best: Vectors | null): Map<string, Vector> {
  for (const [name, vector] of best ?? []) vectors.set(BEST + name, vector)
  return vectors
}

function prefixed(vectors: Vectors): Vectors | null {
  const found = [...vectors].filter(([name]) => name.startsWith(BEST))
  return found.length === 0 ? null : new Map(found.map(([name, vector]) => [name.slice(BEST.length), vector]))
}
