import type { TrainMetric } from '#shared/contract/trainer.ts'
import { isOff } from '#shared/domain/augmentation/index.ts'
import type { Augmentation } from '#shared/domain/augmentation/index.ts'
import { shuffledOrder } from '#shared/domain/sampling.ts'
import { classWeightsOf, rowWeightsOf } from '#shared/domain/training/class-weights.ts'
import type { EarlyStoppingConfig, FittingConfig } from '#shared/domain/training/config.ts'
import { shouldStopEarly } from '#shared/domain/training/early-stopping.ts'
import { guessingLoss } from '#shared/domain/training/explosion.ts'
import { mixTargets } from '#shared/domain/training/mixing.ts'
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
import { Judge, judgeLogits, probabilitiesOf } from './judge.ts'
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
  classes: number
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
    const { engine, network, groups, fitting, data, classes, seed } = this.options
    const { regularisation, epochs, batchSize } = fitting
    const runner = new StepRunner(
      engine,
      network,
      {
        groups,
        loss: fitting.loss,
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
    const labels = round.val.map((row) => data.labels[row]!)
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
          return this.learningBatches(stream, this.classWeights(round.train))
        },
        learningRate: (step, curve) =>
          fitting.learningRate *
          rateFactor(fitting.schedule, { step, stepsPerEpoch, epochs, losses: lossesOf(curve) }),
        statisticsKeep: STATISTICS_KEEP,
        averageDecay: (step) => averageDecayAt(regularisation.averageDecay ?? 0, step),
        judge:
          round.val.length === 0
            ? null
            : async () => judgeLogits(await this.logits(round.val, runner.state.copy()), labels, classes),
        ...(round.val.length === 0 && { probe: () => this.probe(round.train, runner.state.copy()) }),
        guessing: {
          training: guessingLoss(fitting.loss, classes),
          judged: Math.max(guessingLoss(fitting.loss, classes), Math.log(classes)),
        },
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
    return probabilitiesOf(await this.logits(rows, vectors), this.options.classes)
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

  private logits(rows: readonly number[], vectors: Vectors): Promise<Float32Array> {
    return this.judge.logits(this.judgingBatches(rows), vectors, this.averaged)
  }

  /** How the numbers do on some of the training pictures, evenly taken. */
  private async probe(train: readonly number[], vectors: Vectors): Promise<Judgement> {
    const every = Math.max(1, train.length / MOST_PROBED)
    const rows = Array.from(
      { length: Math.min(train.length, MOST_PROBED) },
      (_, i) => train[Math.floor(i * every)]!,
    )
    const labels = rows.map((row) => this.options.data.labels[row]!)
    return judgeLogits(await this.logits(rows, vectors), labels, this.options.classes)
  }

  private classWeights(train: readonly number[]): number[] {
    const { data, fitting, classes } = this.options
    const counts = new Array<number>(classes).fill(0)
    for (const row of train) counts[data.labels[row]!]! += 1
    return classWeightsOf(fitting.classWeights, counts)
  }

  private async *learningBatches(
    stream: BatchStream,
    classWeights: readonly number[],
  ): AsyncGenerator<TrainingBatch> {
    const { classes, data } = this.options
    for (let batch = await stream.next(); batch; batch = await stream.next()) {
      const rows = batch.rows.length
      const own = new Float32Array(rows * classes)
      batch.rows.forEach((row, i) => (own[i * classes + data.labels[row]!] = 1))
      const targets = mixTargets(batch.mixing, own)
      yield {
        x: await this.throughTrunk(batch),
        targets,
        weights: rowWeightsOf(targets, classWeights),
        rows,
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
