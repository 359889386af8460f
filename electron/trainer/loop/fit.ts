import { z } from 'zod'
import { trainMetricSchema } from '#shared/contract/trainer.ts'
import type { TrainMetric } from '#shared/contract/trainer.ts'
import { KestrelError } from '#shared/errors/index.ts'
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
  judge: (() => Promise<{ loss: number; accuracy: number }>) | null
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

export const progressSchema = z.object({
  /** Finished epochs and steps. */
  epoch: z.int().min(0),
  step: z.int().min(0),
  curve: z.array(trainMetricSchema),
  best: z.object({ epoch: z.int(), loss: z.number(), accuracy: z.number() }).nullable(),
})
export type Progress = z.infer<typeof progressSchema>

export interface FitOutcome {
  /** The numbers worth keeping: of the best epoch by validation loss, or the last ones where there is no validation. */
  vectors: Vectors
  curve: readonly TrainMetric[]
  /** Epoch the numbers are from. */
  epoch: number
  best: Progress['best']
  /** `early`: validation had stopped getting better. */
  stopped: 'asked' | 'diverged' | 'early' | null
  /** Pure time of steps and of waiting for batches, seconds; what the bench compares. */
  seconds: { steps: number; epochs: number }
}

const BEST = 'best/'
/** The mean loss of an epoch has exploded when it is so many times that of the first epoch. */
const EXPLODED = 20

/**
 * The loop, as the textbook writes it: draw a batch; forward, loss, backward, update (one graph); after every epoch judge
 * on the validation pictures, keep the best numbers, write a checkpoint.
 *
 * A run that was killed goes on after the last finished epoch and ends where the uninterrupted one ends: batches and
 * masks depend on seed, epoch and step alone, everything else is in the checkpoint.
 *
 * @throws KestrelError `training-diverged` when the numbers broke down before anything good was reached, `stopped` when it
 *   was stopped before the first epoch was done.
 */
export async function fit(input: FitInput): Promise<FitOutcome> {
  const { runner, epochs, hooks } = input
  const { state } = runner
  let progress: Progress = { epoch: 0, step: 0, curve: [], best: null }
  let best: Vectors | null = null
  const kept = (await hooks.load?.()) ?? null
  if (kept) {
    state.restore(kept.vectors)
    best = prefixed(kept.vectors)
    progress = kept.progress
    for (const metric of progress.curve) hooks.onEpoch(metric)
  }
  const seconds = { steps: 0, epochs: 0 }
  const ended = (stopped: FitOutcome['stopped']): FitOutcome => {
    if (progress.epoch === 0) throw nothingReached(stopped)
    const last = state.copy()
    return {
      vectors: best ?? last,
      curve: progress.curve,
      epoch: progress.best?.epoch ?? progress.epoch,
      best: progress.best,
      stopped,
      seconds,
    }
  }

  while (progress.epoch < epochs) {
    const epoch = progress.epoch + 1
    const before = state.copy()
    const began = performance.now()
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
      step += 1
      rows += batch.rows
      loss += figures.loss * batch.rows
      correct += figures.correct
      hooks.onBatch?.(epoch, rows)
    }
    seconds.epochs += (performance.now() - began) / 1000
    const judged = (await input.judge?.()) ?? null
    const metric: TrainMetric = {
      step: epoch,
      trainLoss: loss / rows,
      trainAccuracy: correct / rows,
      valLoss: judged?.loss ?? null,
      valAccuracy: judged?.accuracy ?? null,
    }
    const first = progress.curve[0]?.trainLoss ?? metric.trainLoss
    if ((judged && !Number.isFinite(judged.loss)) || metric.trainLoss > EXPLODED * Math.max(first, 1)) {
      state.restore(before)
      return ended('diverged')
    }
    const better = judged !== null && (progress.best === null || judged.loss < progress.best.loss)
    if (better) best = state.copy()
    progress = {
      epoch,
      step,
      curve: [...progress.curve, metric],
      best: better ? { epoch, ...judged } : progress.best,
    }
    hooks.onEpoch(metric)
    if (hooks.save) await hooks.save(progress, withBest(state.copy(), best))
    if (input.isDone?.(progress.curve)) return ended('early')
  }
  return ended(null)
}

function nothingReached(stopped: FitOutcome['stopped']): KestrelError {
  return stopped === 'diverged'
    ? new KestrelError('training-diverged', 'The training got numbers that are not finite.', {
        kept: 'Pictures, labels and earlier models are unchanged.',
        remedy: 'Try a smaller learning rate (a tenth of it is a good try).',
      })
    : new KestrelError('stopped', 'Stopped before there was a model worth keeping.')
}

function withBest(vectors: Map<string, Vector>, best: Vectors | null): Map<string, Vector> {
  for (const [name, vector] of best ?? []) vectors.set(BEST + name, vector)
  return vectors
}

function prefixed(vectors: Vectors): Vectors | null {
  const found = [...vectors].filter(([name]) => name.startsWith(BEST))
  return found.length === 0 ? null : new Map(found.map(([name, vector]) => [name.slice(BEST.length), vector]))
}
