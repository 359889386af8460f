import { availableParallelism } from 'node:os'
import type { HeadObjective } from '#shared/contract/trainer.ts'
import { OnnxSession } from '../engines/onnx/session.ts'
import { writeOnnx } from '../graph/onnx/index.ts'
import { float32 } from '../graph/tensor.ts'
import type { Tensor } from '../graph/types.ts'
import { lossAndGradient, probabilitiesGraph, turningGraph } from './graphs.ts'
import type { Evaluation } from './lbfgs.ts'
import { asSoftmax } from './objective.ts'

/** Below this many operations per evaluation a second thread costs more in handing over than it computes. */
const WORTH_THREADS = 50e6
/** Features are kept a second time, turned, up to this size. */
const TURNED_BYTES = 256 * 2 ** 20
/** Numbers of [rows, models, classes] that one pass may hold, a few times over. */
const PASS_NUMBERS = 4e6

const threadsFor = (rows: number, features: number, classes: number): number =>
  4 * rows * features * classes < WORTH_THREADS ? 1 : availableParallelism()

/** Over some rows, whether they took part in the gradient or not. */
export interface RowStatistics {
  /** Mean loss of the rows: cross-entropy (natural logarithm), or squared hinge. */
  loss: number
  accuracy: number
}

/** A set of rows with the weight of each; rows not in it weigh nothing. Weights add up to `total`. */
export interface RowSet {
  weights: Float32Array
  total: number
}

/** What is to be evaluated: parameters on the mean over some rows, with L2 of this strength. */
export interface HeadRequest {
  point: Float64Array
  rows: RowSet
  strength: number
}

/** Value and gradient, and what the same pass says about every row. */
export interface HeadEvaluation extends Evaluation {
  /** Of one of `models` models, row by row: `values[row * models + model]`. */
  rowFigures: { loss: Float32Array; margin: Float32Array; model: number; models: number }
}

export interface HeadOptions {
  objective?: HeadObjective
  threads?: number
}

/**
 * Pictures' features (centred and scaled, `[rows, features]`, row-major) with their labels, held once for every fit on
 * any subset of the rows. Parameters are flat: weights `[classes, features]` row-major, then one bias per class.
 */
export class HeadProblem {
  readonly objective: HeadObjective
  readonly rows: number
  readonly features: number
  readonly classes: number
  /** Evaluations so far, of any model. */
  evaluations = 0
  private readonly fit: OnnxSession
  /** Opened when probabilities are first asked for: many problems are only fitted. */
  private predict: Promise<OnnxSession> | null = null
  private readonly threads: number
  private readonly constants: Record<string, Tensor>
  private readonly targets: Float32Array
  private weightsOfRows: { sets: readonly RowSet[]; tensor: Tensor } | null = null

  private constructor(
    { fit, threads }: { fit: OnnxSession; threads: number },
    shape: { rows: number; features: number; classes: number; objective: HeadObjective },
    constants: Record<string, Tensor>,
  ) {
    this.fit = fit
    this.threads = threads
    this.objective = shape.objective
    this.rows = shape.rows
    this.features = shape.features
    this.classes = shape.classes
    this.targets = new Float32Array(this.rows * this.classes)
    this.constants = { ...constants, targets: float32([this.rows, 1, this.classes], this.targets) }
  }

  /** @param x `[labels.length, features]`, used in place: keep it unchanged until `dispose`. */
  static async open(
    x: Float32Array,
    labels: Int32Array,
    features: number,
    classes: number,
    { objective = 'softmax', threads = threadsFor(labels.length, features, classes) }: HeadOptions = {},
  ): Promise<HeadProblem> {
    const rows = labels.length
    const turned = x.byteLength <= TURNED_BYTES
    const constants: Record<string, Tensor> = { features: float32([rows, features], x) }
    if (turned) constants['turned'] = await turn(constants['features']!, threads)
    const graph = lossAndGradient(objective, classes, turned)
    const fit = await OnnxSession.open(writeOnnx(graph), { threads })
    const problem = new HeadProblem({ fit, threads }, { rows, features, classes, objective }, constants)
    labels.forEach((label, row) => problem.relabel(row, label))
    return problem
  }

  get parameters(): number {
    return this.classes * (this.features + 1)
  }

  /** Those of the parameters that are no biases: they come first. */
  get weights(): number {
    return this.classes * this.features
  }

  /** How many models fit into one pass. */
  get width(): number {
    return Math.max(1, Math.floor(PASS_NUMBERS / Math.max(1, this.rows * this.classes)))
  }

  /** Gives a row another label. */
  relabel(row: number, label: number): void {
    this.targets.fill(0, row * this.classes, (row + 1) * this.classes)
    this.targets[row * this.classes + label] = 1
  }

  rowSet(includes: (row: number) => boolean): RowSet {
    const weights = new Float32Array(this.rows)
    let total = 0
    for (let row = 0; row < this.rows; row++) {
      if (!includes(row)) continue
      weights[row] = 1
      total += 1
    }
    return { weights, total }
  }

  /** Mean weighted loss + strength / 2 · ‖weights‖² (biases are free), and its gradient. */
  async evaluate(point: Float64Array, rows: RowSet, strength: number): Promise<HeadEvaluation> {
    return (await this.evaluateAll([{ point, rows, strength }]))[0]!
  }

  /** Several models in one pass over the features; no more than `width` at a time. */
  async evaluateAll(requests: readonly HeadRequest[]): Promise<HeadEvaluation[]> {
    this.evaluations += requests.length
    const { features, classes, rows } = this
    const models = requests.length
    const count = classes * features
    const weights = new Float32Array(models * count)
    const bias = new Float32Array(models * classes)
    requests.forEach(({ point }, model) => {
      weights.set(point.subarray(0, count), model * count)
      bias.set(point.subarray(count), model * classes)
    })
    const outputs = await this.fit.run({
      ...this.constants,
      row_weights: this.rowWeights(requests.map((request) => request.rows)),
      weights: float32([models * classes, features], weights),
      bias: float32([models * classes], bias),
    })
    const floats = (name: string): Float32Array => outputs[name]!.data as Float32Array
    const [loss, margin, slopes, biasSlopes] = [
      floats('loss'),
      floats('margin'),
      floats('weight_gradient'),
      floats('bias_gradient'),
    ]
    return requests.map(({ point, rows: set, strength }, model) => {
      let value = 0
      for (let row = 0, at = model; row < rows; row++, at += models)
        if (set.weights[row]! > 0) value += set.weights[row]! * loss[at]!
      const gradient = new Float64Array(point.length)
      const scale = 1 / set.total
      const first = model * count
      let squares = 0
      for (let i = 0; i < count; i++) {
        const weight = point[i]!
        squares += weight * weight
        gradient[i] = slopes[first + i]! * scale + strength * weight
      }
      for (let k = 0; k < classes; k++) gradient[count + k] = biasSlopes[model * classes + k]! * scale
      return {
        value: value * scale + 0.5 * strength * squares,
        gradient,
        rowFigures: { loss, margin, model, models },
      }
    })
  }

  /** @returns probabilities `[count, classes]` of `count` rows of features `[count, features]`. */
  async probabilities(point: Float64Array, x: Float32Array): Promise<Float32Array> {
    const count = x.length / this.features
    if (count === 0) return new Float32Array(0)
    const softmax = asSoftmax(this.objective, point)
    const weights = this.classes * this.features
    this.predict ??= OnnxSession.open(writeOnnx(probabilitiesGraph()), { threads: this.threads })
    const predict = await this.predict
    const outputs = await predict.run({
      features: float32([count, this.features], x),
      weights: float32([this.classes, this.features], new Float32Array(softmax.subarray(0, weights))),
      bias: float32([this.classes], new Float32Array(softmax.subarray(weights))),
    })
    return outputs['probabilities']!.data as Float32Array
  }

  async dispose(): Promise<void> {
    await this.fit.dispose()
    await (await this.predict)?.dispose()
  }

  private rowWeights(sets: readonly RowSet[]): Tensor {
    const models = sets.length
    if (models === 1) return float32([this.rows, 1, 1], sets[0]!.weights)
    const known = this.weightsOfRows
    if (known?.sets.length === models && sets.every((set, model) => set === known.sets[model]))
      return known.tensor
    const together = new Float32Array(this.rows * models)
    sets.forEach(({ weights }, model) => {
      for (let row = 0; row < this.rows; row++) together[row * models + model] = weights[row]!
    })
    const tensor = float32([this.rows, models, 1], together)
    this.weightsOfRows = { sets, tensor }
    return tensor
  }
}

/** What an evaluation says about some rows. Null without rows. */
export function statistics({ rowFigures }: HeadEvaluation, rows: RowSet): RowStatistics | null {
  if (rows.total === 0) return null
  const { loss, margin, model, models } = rowFigures
  let sum = 0
  let right = 0
  for (let row = 0, at = model; row < rows.weights.length; row++, at += models) {
    const weight = rows.weights[row]!
    if (weight === 0) continue
    sum += weight * loss[at]!
    if (margin[at]! >= 0) right += weight
  }
  return { loss: sum / rows.total, accuracy: right / rows.total }
}

async function turn(features: Tensor, threads: number): Promise<Tensor> {
  const session = await OnnxSession.open(writeOnnx(turningGraph()), { threads })
  try {
    return (await session.run({ features }))['turned']!
  } finally {
    await session.dispose()
  }
}
