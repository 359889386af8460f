import type { TrainMetric } from '#shared/contract/trainer.ts'
import { createRandom, shuffle } from '#shared/domain/random.ts'
import { KestrelError } from '#shared/errors/index.ts'
import { OnnxSession } from '../engines/onnx/session.ts'
import { writeOnnx } from '../graph/onnx/index.ts'
import { float32 } from '../graph/tensor.ts'
import type { Tensor } from '../graph/types.ts'
import { Adam, cosineRate } from './adam.ts'
import { applyAugmentation, drawAugmentation, identityAugmentation } from './augment.ts'
import {
  featuresGraph,
  headOf,
  initialParameters,
  initialStatistics,
  parameterLayout,
  trainingGraph,
  type CnnSpec,
  type ParameterInfo,
} from './small-cnn.ts'

const BATCH = 32
/** A last batch shorter than this is left out (the next epoch shuffles anew): its statistics would be noise. */
const SMALLEST_BATCH = 8
const PEAK_RATE = 3e-3
const WEIGHT_DECAY = 0.02
/** Share of the old value in the running statistics. */
const MOMENTUM = 0.9
/** Pictures shown in a training, and the fewest and most epochs. */
const BUDGET = 60_000
const EPOCHS = { least: 15, most: 60 }

export interface CnnInput {
  spec: CnnSpec
  /** uint8 planes `[pictures, 3, size, size]`. */
  pixels: Uint8Array
  labels: Int32Array
  /** Rows to learn from and rows to judge by. */
  train: readonly number[]
  val: readonly number[]
  seed: number
  epochs?: number
  /** Highest learning rate of the schedule. */
  peakRate?: number
  shouldStop: () => boolean
  onEpoch: (metric: TrainMetric) => void
  /** Pictures shown so far, of all that will be. */
  onBatch: (done: number, total: number) => void
}

export interface CnnFit {
  parameters: Float32Array
  statistics: Float32Array
  epochs: number
  stopped: 'asked' | 'diverged' | null
}

export const epochsFor = (pictures: number): number =>
  Math.min(EPOCHS.most, Math.max(EPOCHS.least, Math.round(BUDGET / Math.max(1, pictures))))

interface State {
  parameters: Float32Array
  statistics: Float32Array
}

/**
 * The loop as the textbook writes it: draw a batch, forward and backward (one graph), update. After each epoch the
 * validation pictures judge; the best weights by validation loss are kept, the last ones where there is no validation.
 *
 * @throws KestrelError `training-diverged` when nothing good was reached before the numbers broke down, `stopped` when
 *   it was stopped before the first epoch.
 */
export async function fitCnn(input: CnnInput): Promise<CnnFit> {
  const { spec, train, val, seed } = input
  const epochs = input.epochs ?? epochsFor(train.length)
  const session = await OnnxSession.open(writeOnnx(trainingGraph(spec)), { optimisation: 'extended' })
  const loop = new Loop(input, session, epochs)
  let best: (State & { loss: number }) | null = null
  try {
    const order = createRandom(seed, 'shuffle')
    for (let epoch = 1; epoch <= epochs; epoch++) {
      const outcome = await loop.epoch(shuffle(order, train))
      if (outcome === 'asked' || outcome === 'diverged') return ended(best, epoch - 1, outcome)
      const judged = val.length > 0 ? await evaluate(input, loop.state, val) : null
      const loss = judged?.loss ?? -epoch
      if (!Number.isFinite(loss)) return ended(best, epoch - 1, 'diverged')
      if (!best || loss < best.loss) best = { ...copy(loop.state), loss }
      input.onEpoch({
        step: epoch,
        trainLoss: outcome.loss,
        trainAccuracy: outcome.accuracy,
        valLoss: judged?.loss ?? null,
        valAccuracy: judged?.accuracy ?? null,
      })
    }
    return ended(best, epochs, null)
  } finally {
    await session.dispose()
  }
}

function ended(best: State | null, epochs: number, stopped: CnnFit['stopped']): CnnFit {
  if (best) return { parameters: best.parameters, statistics: best.statistics, epochs, stopped }
  if (stopped === 'diverged') {
    throw new KestrelError('training-diverged', 'The training got numbers that are not finite.', {
      kept: 'Pictures, labels and earlier models are unchanged.',
      remedy: 'Look for damaged pictures, or train with a backbone.',
    })
  }
  throw new KestrelError('stopped', 'Stopped before there was a model worth keeping.')
}

const copy = ({ parameters, statistics }: State): State => ({
  parameters: parameters.slice(),
  statistics: statistics.slice(),
})

class Loop {
  readonly state: State
  private readonly input: CnnInput
  private readonly session: OnnxSession
  private readonly infos: ParameterInfo[]
  private readonly adam: Adam
  private readonly isWeight: Uint8Array
  private readonly augmenting: ReturnType<typeof createRandom>
  private readonly steps: number
  private readonly total: number
  private readonly gradient: Float32Array
  private step = 0
  private shown = 0

  constructor(input: CnnInput, session: OnnxSession, epochs: number) {
    const { infos, total } = parameterLayout(input.spec)
    this.input = input
    this.session = session
    this.infos = infos
    this.state = {
      parameters: initialParameters(input.spec, input.seed),
      statistics: initialStatistics(input.spec),
    }
    this.adam = new Adam(total, { weightDecay: WEIGHT_DECAY })
    this.gradient = new Float32Array(total)
    this.isWeight = new Uint8Array(total)
    for (const { shape, offset, length } of infos)
      if (shape.length > 1) this.isWeight.fill(1, offset, offset + length)
    this.augmenting = createRandom(input.seed, 'augmentation')
    this.steps = epochs * batchesOf(input.train).length
    this.total = epochs * input.train.length
  }

  async epoch(order: readonly number[]): Promise<{ loss: number; accuracy: number } | 'asked' | 'diverged'> {
    let [loss, correct, count] = [0, 0, 0]
    for (const rows of batchesOf(order)) {
      if (this.input.shouldStop()) return 'asked'
      const result = await this.session.run({ ...this.batch(rows), ...this.parameterFeeds() })
      const batchLoss = (result['loss']!.data as Float32Array)[0]!
      if (!Number.isFinite(batchLoss) || !this.takeGradient(result)) return 'diverged'
      this.update(result['statistics']!.data as Float32Array)
      loss += batchLoss * rows.length
      correct += (result['correct']!.data as Float32Array)[0]!
      count += rows.length
      this.shown += rows.length
      this.input.onBatch(this.shown, this.total)
    }
    return { loss: loss / count, accuracy: correct / count }
  }

  private batch(rows: readonly number[]): Record<string, Tensor> {
    const { spec, pixels, labels } = this.input
    const length = 3 * spec.size * spec.size
    const x = new Float32Array(rows.length * length)
    const y = new Float32Array(rows.length * spec.classes)
    rows.forEach((row, i) => {
      applyAugmentation(pixels, row * length, spec.size, drawAugmentation(this.augmenting), x, i * length)
      y[i * spec.classes + labels[row]!] = 1
    })
    return {
      x: float32([rows.length, 3, spec.size, spec.size], x),
      y: float32([rows.length, spec.classes], y),
    }
  }

  private parameterFeeds(): Record<string, Tensor> {
    const feeds: Record<string, Tensor> = {}
    for (const { name, shape, offset, length } of this.infos)
      feeds[name] = float32(shape, this.state.parameters.subarray(offset, offset + length))
    return feeds
  }

  /** @returns whether all of it is finite. */
  private takeGradient(result: Readonly<Record<string, Tensor>>): boolean {
    let sum = 0
    for (const { name, offset } of this.infos) {
      const part = result[`d_${name}`]!.data as Float32Array
      this.gradient.set(part, offset)
      for (let i = 0; i < part.length; i++) sum += part[i]!
    }
    return Number.isFinite(sum)
  }

  private update(statistics: Float32Array): void {
    const rate = cosineRate(
      this.step,
      this.steps,
      this.input.peakRate ?? PEAK_RATE,
      Math.min(100, Math.ceil(this.steps / 10)),
    )
    this.adam.step(this.state.parameters, this.gradient, rate, (index) => this.isWeight[index] === 1)
    // At first a plain average, so that the starting values (0 and 1) leave no trace.
    const keep = Math.min(MOMENTUM, this.step / (this.step + 1))
    const running = this.state.statistics
    for (let i = 0; i < running.length; i++) running[i] = keep * running[i]! + (1 - keep) * statistics[i]!
    this.step += 1
  }
}

function batchesOf(order: readonly number[]): number[][] {
  const batches: number[][] = []
  for (let first = 0; first < order.length; first += BATCH) {
    const rows = order.slice(first, first + BATCH)
    if (first === 0 || rows.length >= SMALLEST_BATCH) batches.push(rows)
  }
  return batches
}

async function evaluate(input: CnnInput, state: State, rows: readonly number[]) {
  const { spec, labels } = input
  const probabilities = await predictCnn(input, state, rows)
  let loss = 0
  let right = 0
  rows.forEach((row, i) => {
    const of = probabilities.subarray(i * spec.classes, (i + 1) * spec.classes)
    const truth = of[labels[row]!]!
    loss -= Math.log(Math.max(truth, 1e-30))
    if (of.every((other, k) => other < truth || k === labels[row])) right += 1
  })
  return { loss: loss / rows.length, accuracy: right / rows.length }
}

/** @returns probabilities `[rows, classes]` by the network with its running statistics. */
export async function predictCnn(
  { spec, pixels }: Pick<CnnInput, 'spec' | 'pixels'>,
  { parameters, statistics }: State,
  rows: readonly number[],
): Promise<Float32Array> {
  const session = await OnnxSession.open(writeOnnx(featuresGraph(spec, parameters, statistics)))
  const head = headOf(spec, parameters)
  const width = spec.filters.at(-1)!
  const length = 3 * spec.size * spec.size
  const result = new Float32Array(rows.length * spec.classes)
  try {
    for (let first = 0; first < rows.length; first += BATCH) {
      const some = rows.slice(first, first + BATCH)
      const x = new Float32Array(some.length * length)
      some.forEach((row, i) =>
        applyAugmentation(pixels, row * length, spec.size, identityAugmentation, x, i * length),
      )
      const { features } = await session.run({ input: float32([some.length, 3, spec.size, spec.size], x) })
      const values = features!.data as Float32Array
      some.forEach((_, i) =>
        softmaxHead(
          values.subarray(i * width, (i + 1) * width),
          head,
          result.subarray((first + i) * spec.classes, (first + i + 1) * spec.classes),
        ),
      )
    }
  } finally {
    await session.dispose()
  }
  return result
}

function softmaxHead(features: Float32Array, head: Float64Array, into: Float32Array): void {
  const width = features.length
  const classes = into.length
  const logits = new Float64Array(classes)
  for (let k = 0; k < classes; k++) {
    let sum = head[classes * width + k]!
    for (let j = 0; j < width; j++) sum += features[j]! * head[k * width + j]!
    logits[k] = sum
  }
  const top = Math.max(...logits)
  let total = 0
  for (let k = 0; k < classes; k++) total += Math.exp(logits[k]! - top)
  for (let k = 0; k < classes; k++) into[k] = Math.exp(logits[k]! - top) / total
}
