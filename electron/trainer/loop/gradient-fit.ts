import type { TrainMetric } from '#shared/contract/trainer.ts'
import { isOff } from '#shared/domain/augmentation/index.ts'
import type { Augmentation } from '#shared/domain/augmentation/index.ts'
import { shuffledOrder } from '#shared/domain/sampling.ts'
import type { EarlyStoppingConfig, FittingConfig } from '#shared/domain/training/config.ts'
import { shouldStopEarly } from '#shared/domain/training/early-stopping.ts'
import { averageDecayAt } from '#shared/domain/training/regularisation.ts'
import { rateFactor } from '#shared/domain/training/schedules.ts'
import type { ParameterGroup } from '../autodiff/layout.ts'
import { createOptimiser } from '../autodiff/optimisers/index.ts'
import { batchesPerEpoch } from '../data/batches.ts'
import type { Batch, BatchStream } from '../data/batches.ts'
import type { Engine } from '../engines/engine.ts'
import type { Network } from '../models/network.ts'
import type { Boundary } from './boundary.ts'
import { readCheckpoint, writeCheckpoint } from './checkpoint.ts'
import { fit, progressSchema } from './fit.ts'
import type { FitOutcome, Judgement } from './fit.ts'
import type { Goal, Lesson } from './goal.ts'
import { Judge } from './judge.ts'
import type { JudgedBatch } from './judge.ts'
import type { Vectors } from './state.ts'
import { StepRunner } from './step-runner.ts'
import type { TrainingBatch } from './step-runner.ts'
import { JUDGING_BATCH } from './training-data.ts'
import type { TrainingData } from './training-data.ts'

/** Share of the old value in running statistics. */
const STATISTICS_KEEP = 0.9
/** Training pictures that are looked at after each epoch where nobody judges. */
export const MOST_PROBED = 128

export interface GradientFitOptions {
  engine: Engine
  /** Takes pictures, or what the trunk gives. */
  network: Network
  /** The frozen part before it, or null. It belongs to the caller: several fits may share it. */
  boundary: Boundary | null
  groups: readonly ParameterGroup[]
  fitting: FittingConfig
  augmentation: Augmentation
  data: TrainingData
  /** What it learns; its loss takes the place of the one in `fitting`. */
  goal: Goal
  seed: number
}

export interface FitRound {
  train: readonly number[]
  /** Empty: nothing judges, the last epoch is kept. */
  val: readonly number[]
  shouldStop: () => boolean
  onEpoch: (metric: TrainMetric) => void
  /** Pictures shown so far, of all that will be. */
  onBatch: (done: number, total: number) => void
  /** Where the state is kept after every epoch, and what it must belong to; null: nowhere. */
  checkpoint: { file: string; fingerprint: string } | null
}

/** Trains one network on pictures, and answers with it: what all recipes that learn by gradients share. */
export class GradientFit {
  private readonly options: GradientFitOptions
  private readonly judge: Judge

  constructor(options: GradientFitOptions) {
    this.options = options
    this.judge = new Judge(options.engine, options.network, options.groups, JUDGING_BATCH)
  }

  private get averaged(): boolean {
    return this.options.fitting.regularisation.averageDecay !== null
  }

  /** @throws KestrelError as `fit` */
  async run(round: FitRound): Promise<FitOutcome> {
    const { engine, network, groups, fitting, data, goal, seed } = this.options
    const { regularisation, epochs, batchSize } = fitting
    const runner = new StepRunner(
      engine,
      network,
      {
        groups,
        loss: goal.loss,
        optimiser: createOptimiser(fitting.optimiser),
        clipNorm: regularisation.clipNorm,
        average: this.averaged,
      },
      seed,
    )
    const stepsPerEpoch = batchesPerEpoch(round.train.length, {
      batchSize,
      smallestBatch: Math.min(8, batchSize),
    })
    const lessons = goal.lessons(round.train)
    const lossesOf = (curve: readonly TrainMetric[]): number[] =>
      curve.map(({ trainLoss, valLoss }) => valLoss ?? trainLoss)
    const streams: BatchStream[] = []
    const { checkpoint } = round
    const { earlyStopping } = regularisation
    try {
      return await fit({
        runner,
        epochs,
        batches: (epoch) => {
          const stream =
            streams[0] ??
            data.learning({
              order: shuffledOrder(round.train, seed),
              epochs,
              firstEpoch: epoch - 1,
              batchSize,
              augmentation: this.options.augmentation,
              mixing: regularisation,
              seed,
            })
          streams[0] = stream
          return this.learningBatches(stream, lessons)
        },
        learningRate: (step, curve) =>
          fitting.learningRate *
          rateFactor(fitting.schedule, { step, stepsPerEpoch, epochs, losses: lossesOf(curve) }),
        statisticsKeep: STATISTICS_KEEP,
        averageDecay: (step) => averageDecayAt(regularisation.averageDecay ?? 0, step),
        judge:
          round.val.length === 0
            ? null
            : async () => goal.judge(await this.outputs(round.val, runner.state.copy()), round.val),
        ...(round.val.length === 0 && { probe: () => this.probe(round.train, runner.state.copy()) }),
        guessing: goal.guessing,
        ...(earlyStopping && {
          isDone: (curve) => shouldStopEarly(earlyStopping, monitored(earlyStopping, curve)),
        }),
        hooks: {
          shouldStop: round.shouldStop,
          onEpoch: round.onEpoch,
          onBatch: (epoch, rows) =>
            round.onBatch((epoch - 1) * round.train.length + rows, epochs * round.train.length),
          ...(checkpoint && {
            load: () => readCheckpoint(checkpoint.file, checkpoint.fingerprint, progressSchema),
            save: (progress, vectors) =>
              writeCheckpoint(checkpoint.file, { fingerprint: checkpoint.fingerprint, progress, vectors }),
          }),
        },
      })
    } finally {
      for (const stream of streams) await stream.close()
      await runner.dispose()
    }
  }

  /** @returns probabilities `[rows, classes]` with these numbers in the network (their average where one is kept). */
  async predict(rows: readonly number[], vectors: Vectors): Promise<Float32Array> {
    return this.options.goal.answers(await this.outputs(rows, vectors))
  }

  /** The numbers that answer, one vector per group, and the running statistics. */
  answering(vectors: Vectors): { parameters: Float32Array[]; statistics: Float32Array } {
    const kind = this.averaged ? 'average' : 'parameters'
    return {
      parameters: this.options.groups.map((_, group) => Float32Array.from(vectors.get(`${kind}/${group}`)!)),
      statistics: Float32Array.from(vectors.get('statistics') ?? []),
    }
  }

  dispose(): Promise<void> {
    return this.judge.dispose()
  }

  private outputs(rows: readonly number[], vectors: Vectors): Promise<Float32Array> {
    return this.judge.logits(this.judgingBatches(rows), vectors, this.averaged)
  }

  /** How the numbers do on some of the training pictures, evenly taken. */
  private async probe(train: readonly number[], vectors: Vectors): Promise<Judgement> {
    const every = Math.max(1, train.length / MOST_PROBED)
    const rows = Array.from(
      { length: Math.min(train.length, MOST_PROBED) },
      (_, i) => train[Math.floor(i * every)]!,
    )
    return this.options.goal.judge(await this.outputs(rows, vectors), rows)
  }

  private async *learningBatches(
    stream: BatchStream,
    lessonOf: (rows: Int32Array, mixing: Batch['mixing']) => Lesson,
  ): AsyncGenerator<TrainingBatch> {
    for (let batch = await stream.next(); batch; batch = await stream.next()) {
      yield {
        x: await this.throughTrunk(batch),
        ...lessonOf(batch.rows, batch.mixing),
        rows: batch.rows.length,
      }
      if (batch.last) return
    }
  }

  /** Pictures that change in every epoch go through the trunk each time; others once. */
  private async throughTrunk({ x, rows, mixing }: Batch): Promise<Float32Array> {
    const { boundary, augmentation } = this.options
    if (!boundary) return x
    const plain = isOff(augmentation) && mixing.kind === 'none'
    return plain ? await boundary.of(rows, x) : await boundary.ofChanging(rows.length, x)
  }

  /** Pictures as they are; behind a trunk what it gives is kept, because it stays the same from epoch to epoch. */
  private async *judgingBatches(rows: readonly number[]): AsyncGenerator<JudgedBatch> {
    if (rows.length === 0) return
    const { boundary, data } = this.options
    for await (const batch of data.judging(rows))
      yield {
        x: boundary ? await boundary.of(batch.rows, batch.x) : batch.x,
        rows: batch.rows.length,
      }
  }
}

/** What early stopping looks at: the validation pictures, or the training ones where there are none. */
function monitored({ monitor }: EarlyStoppingConfig, curve: readonly TrainMetric[]): number[] {
  return curve.map(({ trainLoss, trainAccuracy, valLoss, valAccuracy }) =>
    monitor === 'loss' ? (valLoss ?? trainLoss) : (valAccuracy ?? trainAccuracy ?? 0),
  )
}
