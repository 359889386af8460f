import { createRandom } from '#shared/domain/random.ts'
import { GraphBuilder } from '../graph/builder.ts'
import { float32, int64s } from '../graph/tensor.ts'
import { float, int, ints, string, type Graph } from '../graph/types.ts'
import { inputGradient, weightGradient, type Convolution } from './conv-gradients.ts'

/**
 * The small fixed network of the `pixels` recipe: three times 3×3 convolution → 2×2 max pooling → batch normalisation →
 * ReLU, then global average pooling and a dense layer. Normalising after pooling is this network's own definition, not
 * an approximation: mean and variance are those of the pooled values, a quarter of the work.
 */
export interface CnnSpec {
  /** Pixels, width and height; divisible by 2 as often as there are blocks. */
  size: number
  /** Filters of each block. */
  filters: readonly number[]
  classes: number
}

export const pixelsSpec = (classes: number): CnnSpec => ({ size: 64, filters: [32, 64, 128], classes })

/** Added to variances (Ioffe & Szegedy 2015). */
export const EPSILON = 1e-3

export interface ParameterInfo {
  name: string
  shape: readonly number[]
  offset: number
  length: number
}

/** All learned numbers in one flat array, block by block: `w`, `gamma`, `beta`; then `dense` and `bias`. */
export function parameterLayout({ filters, classes }: CnnSpec): { infos: ParameterInfo[]; total: number } {
  const shapes: [string, number[]][] = []
  filters.forEach((count, block) => {
    shapes.push([`w${block}`, [count, filters[block - 1] ?? 3, 3, 3]])
    shapes.push([`gamma${block}`, [count]], [`beta${block}`, [count]])
  })
  shapes.push(['dense', [classes, filters.at(-1)!]], ['bias', [classes]])
  let offset = 0
  const infos = shapes.map(([name, shape]) => {
    const info = { name, shape, offset, length: shape.reduce((a, b) => a * b, 1) }
    offset += info.length
    return info
  })
  return { infos, total: offset }
}

/**
 * First weights: convolutions normal with variance 2 / fan-in (He et al. 2015), gamma 1, beta 0, dense with variance
 * 1 / fan-in, bias 0.
 */
export function initialParameters(spec: CnnSpec, seed: number): Float32Array {
  const { infos, total } = parameterLayout(spec)
  const random = createRandom(seed, 'weights')
  const parameters = new Float32Array(total)
  for (const { name, shape, offset, length } of infos) {
    const fanIn = shape.slice(1).reduce((a, b) => a * b, 1)
    const deviation = name.startsWith('w')
      ? Math.sqrt(2 / fanIn)
      : name === 'dense'
        ? Math.sqrt(1 / fanIn)
        : 0
    if (deviation > 0) for (let i = 0; i < length; i++) parameters[offset + i] = random.normal(0, deviation)
    else if (name.startsWith('gamma')) parameters.fill(1, offset, offset + length)
  }
  return parameters
}

/** Mean and variance of each block's batch normalisation, flat: block by block mean, variance. */
export function initialStatistics({ filters }: CnnSpec): Float32Array {
  return Float32Array.from(
    filters.flatMap((count) => [...new Array<number>(count).fill(0), ...new Array<number>(count).fill(1)]),
  )
}

interface Block extends Convolution {
  gamma: string
  conv: string
  pooled: string
  normalised: string
  inverse: string
  output: string
}

/**
 * One training step's loss and gradients as a graph of inference operators.
 *
 * Inputs: `x` [n, 3, size, size], `y` one-hot [n, classes], and every parameter by name. Outputs: `loss` (mean
 * cross-entropy), `correct` (pictures whose class was on top), `statistics` (mean and variance per block, flat), and
 * `d_NAME` for every parameter.
 */
export function trainingGraph(spec: CnnSpec): Graph {
  const g = new GraphBuilder('small-cnn-step')
  const { size, filters, classes } = spec
  const x = g.input({ name: 'x', type: 'float32', shape: ['n', 3, size, size] })
  const y = g.input({ name: 'y', type: 'float32', shape: ['n', classes] })
  const { infos } = parameterLayout(spec)
  const parameter = new Map(infos.map(({ name, shape }) => [name, g.input({ name, type: 'float32', shape })]))
  const overPixels = g.constant('over_pixels', int64s([0, 2, 3]))
  const overRows = g.constant('over_rows', int64s([0]))
  const overColumns = g.constant('over_columns', int64s([1]))
  const epsilon = g.constant('epsilon', float32([], [EPSILON]))
  const zero = g.constant('zero', float32([], [0]))
  const up2 = g.constant('up2', float32([4], [1, 1, 2, 2]))
  const drop = { keepdims: int(0) }
  const keep = { keepdims: int(1) }
  const statistics: string[] = []
  const op = (type: string, inputs: string[], attributes = {}): string => g.node(type, inputs, attributes)
  const perChannel = (values: string, count: number): string =>
    op('Reshape', [values, g.constant('per_channel', int64s([1, count, 1, 1]))])
  const upsample = (values: string): string =>
    op('Resize', [values, '', up2], {
      mode: string('nearest'),
      coordinate_transformation_mode: string('asymmetric'),
      nearest_mode: string('floor'),
    })
  const mask = (condition: string): string => op('Cast', [condition], { to: int(1) })

  // Forward.
  const blocks: Block[] = []
  let current = x
  filters.forEach((to, index) => {
    const from = filters[index - 1] ?? 3
    const weight = parameter.get(`w${index}`)!
    const gamma = parameter.get(`gamma${index}`)!
    const conv = op('Conv', [current, weight], { kernel_shape: ints([3, 3]), pads: ints([1, 1, 1, 1]) })
    const pooled = op('MaxPool', [conv], { kernel_shape: ints([2, 2]), strides: ints([2, 2]) })
    const mean = op('ReduceMean', [pooled, overPixels], keep)
    const centred = op('Sub', [pooled, mean])
    const variance = op('ReduceMean', [op('Mul', [centred, centred]), overPixels], keep)
    const inverse = op('Reciprocal', [op('Sqrt', [op('Add', [variance, epsilon])])])
    const normalised = op('Mul', [centred, inverse])
    const scaled = op('Mul', [normalised, perChannel(gamma, to)])
    const output = op('Relu', [op('Add', [scaled, perChannel(parameter.get(`beta${index}`)!, to)])])
    const flat = g.constant('flat', int64s([-1]))
    statistics.push(op('Reshape', [mean, flat]), op('Reshape', [variance, flat]))
    blocks.push({
      input: current,
      weight,
      gamma,
      conv,
      pooled,
      normalised,
      inverse,
      output,
      from,
      to,
      size: size >> index,
    })
    current = output
  })
  const last = blocks.at(-1)!
  const map = size >> filters.length
  const features = op('ReduceMean', [current, g.constant('over_map', int64s([2, 3]))], drop)
  const dense = parameter.get('dense')!
  const logits = op('Gemm', [features, dense, parameter.get('bias')!], { transB: int(1) })
  const logProbabilities = op('LogSoftmax', [logits], { axis: int(1) })
  const perRow = op('ReduceSum', [op('Mul', [logProbabilities, y]), overColumns], drop)
  const loss = op('Neg', [op('ReduceMean', [perRow, overRows], drop)])
  const top = op('ReduceMax', [logits, overColumns], drop)
  const truth = op('ReduceSum', [op('Mul', [logits, y]), overColumns], drop)
  const correct = op('ReduceSum', [mask(op('GreaterOrEqual', [truth, top])), overRows], drop)
  g.output(loss, { name: 'loss', type: 'float32', shape: [] })
  g.output(correct, { name: 'correct', type: 'float32', shape: [] })
  g.output(op('Concat', statistics, { axis: int(0) }), { name: 'statistics', type: 'float32', shape: [null] })

  // Backward.
  const gradient = (name: string, value: string): void => {
    const info = infos.find((candidate) => candidate.name === name)!
    g.output(value, { name: `d_${name}`, type: 'float32', shape: info.shape })
  }
  const rows = op('ReduceSum', [y], drop)
  const perPicture = op('Div', [op('Sub', [op('Exp', [logProbabilities]), y]), rows])
  gradient('dense', op('Gemm', [perPicture, features], { transA: int(1) }))
  gradient('bias', op('ReduceSum', [perPicture, overRows], drop))
  const share = g.constant('share', float32([], [1 / (map * map)]))
  const atFeatures = op('Mul', [op('Gemm', [perPicture, dense]), share])
  // Every pixel of a map has the same gradient: broadcasting against the ReLU mask below spreads it.
  let upstream = op('Reshape', [atFeatures, g.constant('as_map', int64s([-1, last.to, 1, 1]))])
  for (const [index, block] of [...blocks.entries()].reverse()) {
    const d = op('Mul', [mask(op('Greater', [block.output, zero])), upstream])
    const beta = op('ReduceSum', [d, overPixels], keep)
    const gamma = op('ReduceSum', [op('Mul', [d, block.normalised]), overPixels], keep)
    gradient(`beta${index}`, op('Reshape', [beta, g.constant('flat', int64s([block.to]))]))
    gradient(`gamma${index}`, op('Reshape', [gamma, g.constant('flat', int64s([block.to]))]))
    // Ioffe & Szegedy 2015, section 3: dp = γ/σ · (d − mean(d) − x̂ · mean(d · x̂)).
    const meanD = op('ReduceMean', [d, overPixels], keep)
    const meanDx = op('ReduceMean', [op('Mul', [d, block.normalised]), overPixels], keep)
    const inner = op('Sub', [op('Sub', [d, meanD]), op('Mul', [block.normalised, meanDx])])
    const atPooled = op('Mul', [inner, op('Mul', [perChannel(block.gamma, block.to), block.inverse])])
    // The pooled maximum hands its gradient to where it came from.
    const chosen = mask(op('Equal', [block.conv, upsample(block.pooled)]))
    const atConv = op('Mul', [chosen, upsample(atPooled)])
    gradient(`w${index}`, weightGradient(g, block, atConv))
    if (index > 0) upstream = inputGradient(g, block, atConv)
  }
  return g.build()
}

/**
 * The trained network up to its features, with everything it learned as constants: `input` [batch, 3, size, size] →
 * `features` [batch, filters]. The dense layer stays outside, as the head.
 */
export function featuresGraph(spec: CnnSpec, parameters: Float32Array, statistics: Float32Array): Graph {
  const g = new GraphBuilder('small-cnn')
  const infos = new Map(parameterLayout(spec).infos.map((info) => [info.name, info]))
  const constant = (name: string): string => {
    const { shape, offset, length } = infos.get(name)!
    return g.constant(name, float32(shape, parameters.slice(offset, offset + length)))
  }
  let current = g.input({ name: 'input', type: 'float32', shape: ['batch', 3, spec.size, spec.size] })
  let at = 0
  spec.filters.forEach((count, block) => {
    const conv = g.node('Conv', [current, constant(`w${block}`)], {
      kernel_shape: ints([3, 3]),
      pads: ints([1, 1, 1, 1]),
    })
    const pooled = g.node('MaxPool', [conv], { kernel_shape: ints([2, 2]), strides: ints([2, 2]) })
    const mean = g.constant(`mean${block}`, float32([count], statistics.slice(at, at + count)))
    const variance = g.constant(
      `variance${block}`,
      float32([count], statistics.slice(at + count, at + 2 * count)),
    )
    at += 2 * count
    const normalised = g.node(
      'BatchNormalization',
      [pooled, constant(`gamma${block}`), constant(`beta${block}`), mean, variance],
      { epsilon: float(EPSILON) },
    )
    current = g.node('Relu', [normalised])
  })
  const pooled = g.node('GlobalAveragePool', [current])
  const features = g.node('Flatten', [pooled], { axis: int(1) })
  g.output(features, { name: 'features', type: 'float32', shape: ['batch', spec.filters.at(-1)!] })
  return g.build()
}

/** The dense layer as a head: flat weights `[classes, features]`, then biases. */
export function headOf(spec: CnnSpec, parameters: Float32Array): Float64Array {
  const { infos } = parameterLayout(spec)
  const dense = infos.find(({ name }) => name === 'dense')!
  return Float64Array.from(parameters.subarray(dense.offset))
}
