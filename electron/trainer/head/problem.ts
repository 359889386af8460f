import { availableParallelism } from 'node:os'
import { GraphBuilder } from '../graph/builder.ts'
import { writeOnnx } from '../graph/onnx/index.ts'
import { float32, int64s } from '../graph/tensor.ts'
import { int, type Tensor } from '../graph/types.ts'
import { OnnxSession } from '../engines/onnx/session.ts'
import type { Evaluation } from './lbfgs.ts'

/**
 * Loss and gradient of softmax regression (multinomial logistic regression) as one ONNX graph: two matrix products
 * over all pictures and a handful of operators on [pictures, classes]. Row losses leave the graph one by one and are
 * added up in 64 bits: near the optimum the decrease is smaller than the rounding of a 32-bit sum.
 */
function lossAndGradient(): Uint8Array {
  const builder = new GraphBuilder('softmax-regression')
  const features = builder.input({ name: 'features', type: 'float32', shape: ['n', 'd'] })
  const targets = builder.input({ name: 'targets', type: 'float32', shape: ['n', 'k'] })
  const rowWeights = builder.input({ name: 'row_weights', type: 'float32', shape: ['n', 1] })
  const weights = builder.input({ name: 'weights', type: 'float32', shape: ['k', 'd'] })
  const bias = builder.input({ name: 'bias', type: 'float32', shape: ['k'] })
  const columns = builder.constant('columns', int64s([1]))
  const rows = builder.constant('rows', int64s([0]))
  const keep = { keepdims: int(1) }
  const drop = { keepdims: int(0) }

  const logits = builder.node('Gemm', [features, weights, bias], { transB: int(1) }, 'logits')
  const top = builder.node('ReduceMax', [logits, columns], keep, 'top')
  const shifted = builder.node('Sub', [logits, top], {}, 'shifted')
  const powers = builder.node('Exp', [shifted], {}, 'powers')
  const total = builder.node('ReduceSum', [powers, columns], keep, 'total')
  const ofTruth = builder.node(
    'ReduceSum',
    [builder.node('Mul', [shifted, targets], {}, 'picked'), columns],
    drop,
    'margin',
  )
  const logTotal = builder.node(
    'Squeeze',
    [builder.node('Log', [total], {}, 'log_total'), columns],
    {},
    'log_sum',
  )
  const loss = builder.node('Sub', [logTotal, ofTruth], {}, 'loss')

  const probabilities = builder.node('Div', [powers, total], {}, 'probabilities')
  const residual = builder.node('Sub', [probabilities, targets], {}, 'residual')
  const weighted = builder.node('Mul', [residual, rowWeights], {}, 'weighted')
  const weightGradient = builder.node('Gemm', [weighted, features], { transA: int(1) }, 'weight_gradient')
  const biasGradient = builder.node('ReduceSum', [weighted, rows], drop, 'bias_gradient')

  builder.output(loss, { name: 'loss', type: 'float32', shape: ['n'] })
  builder.output(ofTruth, { name: 'margin', type: 'float32', shape: ['n'] })
  builder.output(weightGradient, { name: 'weight_gradient', type: 'float32', shape: ['k', 'd'] })
  builder.output(biasGradient, { name: 'bias_gradient', type: 'float32', shape: ['k'] })
  return writeOnnx(builder.build())
}

/** Logits → probabilities of given rows, for predictions from cached features. */
function probabilitiesGraph(): Uint8Array {
  const builder = new GraphBuilder('softmax-predictions')
  const features = builder.input({ name: 'features', type: 'float32', shape: ['n', 'd'] })
  const weights = builder.input({ name: 'weights', type: 'float32', shape: ['k', 'd'] })
  const bias = builder.input({ name: 'bias', type: 'float32', shape: ['k'] })
  const logits = builder.node('Gemm', [features, weights, bias], { transB: int(1) }, 'logits')
  const softmax = builder.node('Softmax', [logits], { axis: int(1) }, 'probabilities')
  builder.output(softmax, { name: 'probabilities', type: 'float32', shape: ['n', 'k'] })
  return writeOnnx(builder.build())
}

/** Below this many operations per evaluation a second thread costs more in handing over than it computes. */
const WORTH_THREADS = 50e6

const threadsFor = (rows: number, features: number, classes: number): number =>
  4 * rows * features * classes < WORTH_THREADS ? 1 : availableParallelism()

/** Sums over rows with a weight of the loss, and what the same pass says about the rows without. */
export interface RowStatistics {
  /** Mean cross-entropy (natural logarithm) of the rows. */
  loss: number
  accuracy: number
}

/** A set of rows with the weight of each; rows not in it weigh nothing. Weights add up to `total`. */
export interface RowSet {
  weights: Float32Array
  total: number
  tensor: Tensor
}

/**
 * Pictures' features (centred and scaled, `[rows, features]`, row-major) with their labels, held once for every fit on
 * any subset of the rows. Parameters are flat: weights `[classes, features]` row-major, then one bias per class.
 */
export class SoftmaxProblem {
  readonly rows: number
  readonly features: number
  readonly classes: number
  evaluations = 0
  /** Cross-entropy and "was it the top class" (0 = yes) per row, of the last evaluation. */
  lastLoss: Float32Array
  lastMargin: Float32Array
  /** The very array that was evaluated last; tells whether the figures of the last evaluation belong to a point. */
  lastPoint: Float64Array | null = null
  private readonly fit: OnnxSession
  private readonly predict: OnnxSession
  private readonly x: Tensor
  private readonly targets: Tensor
  private readonly weightGradient: Tensor
  private readonly biasGradient: Tensor

  private constructor(
    fit: OnnxSession,
    predict: OnnxSession,
    x: Float32Array,
    labels: Int32Array,
    features: number,
    classes: number,
  ) {
    this.fit = fit
    this.predict = predict
    this.rows = labels.length
    this.features = features
    this.classes = classes
    this.x = float32([this.rows, features], x)
    const targets = new Float32Array(this.rows * classes)
    labels.forEach((label, row) => (targets[row * classes + label] = 1))
    this.targets = float32([this.rows, classes], targets)
    this.weightGradient = float32([classes, features], new Float32Array(classes * features))
    this.biasGradient = float32([classes], new Float32Array(classes))
    this.lastLoss = new Float32Array(this.rows)
    this.lastMargin = new Float32Array(this.rows)
  }

  /** @param x `[labels.length, features]`, used in place: keep it unchanged until `dispose`. */
  static async open(
    x: Float32Array,
    labels: Int32Array,
    features: number,
    classes: number,
    threads = threadsFor(labels.length, features, classes),
  ): Promise<SoftmaxProblem> {
    const options = { threads }
    const fit = await OnnxSession.open(lossAndGradient(), options)
    const predict = await OnnxSession.open(probabilitiesGraph(), options)
    return new SoftmaxProblem(fit, predict, x, labels, features, classes)
  }

  get parameters(): number {
    return this.classes * (this.features + 1)
  }

  rowSet(includes: (row: number) => boolean): RowSet {
    const weights = new Float32Array(this.rows)
    let total = 0
    for (let row = 0; row < this.rows; row++) {
      if (!includes(row)) continue
      weights[row] = 1
      total += 1
    }
    return { weights, total, tensor: float32([this.rows, 1], weights) }
  }

  /** Mean weighted cross-entropy + strength / 2 · ‖weights‖² (biases are free), and its gradient. */
  async evaluate(point: Float64Array, rows: RowSet, strength: number): Promise<Evaluation> {
    this.evaluations += 1
    this.lastPoint = point
    const outputs = await this.fit.run(
      { features: this.x, targets: this.targets, row_weights: rows.tensor, ...this.parameterFeeds(point) },
      {
        loss: float32([this.rows], this.lastLoss),
        margin: float32([this.rows], this.lastMargin),
        weight_gradient: this.weightGradient,
        bias_gradient: this.biasGradient,
      },
    )
    this.lastLoss = outputs['loss']!.data as Float32Array
    this.lastMargin = outputs['margin']!.data as Float32Array
    const slopes = outputs['weight_gradient']!.data as Float32Array
    const biasSlopes = outputs['bias_gradient']!.data as Float32Array
    let value = 0
    for (let row = 0; row < this.rows; row++)
      if (rows.weights[row]! > 0) value += rows.weights[row]! * this.lastLoss[row]!
    value /= rows.total
    const gradient = new Float64Array(point.length)
    const count = slopes.length
    const scale = 1 / rows.total
    let squares = 0
    for (let i = 0; i < count; i++) {
      const weight = point[i]!
      squares += weight * weight
      gradient[i] = slopes[i]! * scale + strength * weight
    }
    for (let i = 0; i < biasSlopes.length; i++) gradient[count + i] = biasSlopes[i]! * scale
    return { value: value + 0.5 * strength * squares, gradient }
  }

  /** Of the last evaluation, for any rows, whether they took part in the gradient or not. Null without rows. */
  statistics(rows: RowSet): RowStatistics | null {
    if (rows.total === 0) return null
    let loss = 0
    let right = 0
    for (let row = 0; row < this.rows; row++) {
      const weight = rows.weights[row]!
      if (weight === 0) continue
      loss += weight * this.lastLoss[row]!
      if (this.lastMargin[row]! >= 0) right += weight
    }
    return { loss: loss / rows.total, accuracy: right / rows.total }
  }

  /** @returns probabilities `[count, classes]` of `count` rows of features `[count, features]`. */
  async probabilities(point: Float64Array, x: Float32Array): Promise<Float32Array> {
    const count = x.length / this.features
    if (count === 0) return new Float32Array(0)
    const outputs = await this.predict.run({
      features: float32([count, this.features], x),
      ...this.parameterFeeds(point),
    })
    return outputs['probabilities']!.data as Float32Array
  }

  private parameterFeeds(point: Float64Array): { weights: Tensor; bias: Tensor } {
    const count = this.classes * this.features
    return {
      weights: float32([this.classes, this.features], Float32Array.from(point.subarray(0, count))),
      bias: float32([this.classes], Float32Array.from(point.subarray(count))),
    }
  }

  async dispose(): Promise<void> {
    await this.fit.dispose()
    await this.predict.dispose()
  }
}
