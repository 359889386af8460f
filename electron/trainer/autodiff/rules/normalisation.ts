import { positiveAxis } from '../../graph/infer/dimensions.ts'
import { float, floatAttribute, int, intAttribute, ints, intsAttribute } from '../../graph/types.ts'
import type { GradientContext, GradientRule } from '../context.ts'

const otherThanChannels = (shape: readonly number[]): number[] =>
  shape.flatMap((_, axis) => (axis === 1 ? [] : [axis]))

/** [channels] as [1, channels, 1, 1]. */
const perChannel = (c: GradientContext, value: string): string => {
  const shape = c.inputShape(0)
  return c.reshape(
    value,
    shape.map((size, axis) => (axis === 1 ? size : 1)),
  )
}

/**
 * With the statistics of the training behind it: an affine map per channel, y = γ·(x − m)/√(v + ε) + β. Mean and variance
 * get their gradients as any other value.
 */
const batchNormalization: GradientRule = (c) => {
  if (intAttribute(c.node, 'training_mode', 0) === 1)
    throw c.refusal('normalises with statistics of the batch, as ONNX writes it for training')
  const [x, gamma, mean, variance] = [0, 1, 3, 4].map((index) => c.input(index)) as [
    string,
    string,
    string,
    string,
  ]
  const epsilon = floatAttribute(c.node, 'epsilon', 1e-5)
  const inverse = c.op('Reciprocal', [c.op('Sqrt', [c.add(variance, epsilon)])])
  const scale = c.mul(gamma, inverse)
  const perBatch = (value: string): string => c.sum(value, otherThanChannels(c.inputShape(0)), false)
  const byInput = (): string => {
    const shape = c.inputShape(0).map((size, axis) => (axis === 1 ? size : 1))
    return c.timesDy(perChannel(c, scale), shape)
  }
  const inner = [1, 4].some((index) => c.needs(index))
  const outer = [2, 3].some((index) => c.needs(index))
  const summed = outer ? perBatch(c.dy) : ''
  // Σ dy·(x − m): of γ times 1/√(v + ε), of v times −γ/2·(v + ε)^(−3/2).
  const centred = inner ? perBatch(c.mul(c.dy, c.sub(x, perChannel(c, mean)))) : ''
  const byVariance = (): string => c.mul(c.mul(centred, scale), c.mul(c.mul(inverse, inverse), -0.5))
  const rules = [
    byInput,
    () => c.mul(centred, inverse),
    () => summed,
    () => c.neg(c.mul(summed, scale)),
    byVariance,
  ]
  return rules.map((rule, index) => (c.needs(index) ? rule() : null))
}

/** With the statistics of the batch (Ioffe & Szegedy 2015, section 3); they may be read by the loss as well. */
const batchNormalizationTraining: GradientRule = (c) => {
  const [x, gamma, mean, variance] = [c.input(0), c.input(1), c.output(1), c.output(2)]
  const shape = c.inputShape(0)
  const count = otherThanChannels(shape).reduce((product, axis) => product * shape[axis]!, 1)
  const parts: string[] = []
  let own: (string | null)[] = [null, null, null]
  if (c.gradient(0) !== null) {
    own = c.training(
      'BatchNormalizationGradient',
      [x, gamma, mean, variance, c.dy],
      { epsilon: float(floatAttribute(c.node, 'epsilon', 1e-5)) },
      3,
    )
    parts.push(own[0]!)
  }
  const [byMean, byVariance] = [c.gradient(1), c.gradient(2)]
  // m = Σx/n and v = Σ(x − m)²/n.
  if (byMean !== null) parts.push(perChannel(c, c.mul(byMean, 1 / count)))
  if (byVariance !== null)
    parts.push(c.mul(c.sub(x, perChannel(c, mean)), perChannel(c, c.mul(byVariance, 2 / count))))
  return [parts.length === 0 ? null : parts.reduce((a, b) => c.add(a, b)), own[1], own[2]]
}

/**
 * What all normalisations over parts of one picture share: x̂ = (x − m)/√(v + ε) over some axes, and, for the gradient g
 * of x̂, dx = (g − mean(g) − x̂·mean(g·x̂))/√(v + ε) (Ba, Kiros & Hinton 2016, from the chain rule as in Ioffe & Szegedy).
 */
function normalised(c: GradientContext, x: string, axes: readonly number[], epsilon: number) {
  const centred = c.sub(x, c.mean(x, axes, true))
  const variance = c.mean(c.mul(centred, centred), axes, true)
  const inverse = c.op('Reciprocal', [c.op('Sqrt', [c.add(variance, epsilon)])])
  const value = c.mul(centred, inverse)
  const back = (g: string): string => {
    const inner = c.sub(c.sub(g, c.mean(g, axes, true)), c.mul(value, c.mean(c.mul(g, value), axes, true)))
    return c.mul(inner, inverse)
  }
  return { value, back }
}

const layerNormalization: GradientRule = (c) => {
  if (c.gradient(1) !== null || c.gradient(2) !== null) throw c.refusal('hands its mean or deviation on')
  const shape = c.inputShape(0)
  const first = positiveAxis(intAttribute(c.node, 'axis', -1), shape.length)
  const axes = shape.flatMap((_, axis) => (axis < first ? [] : [axis]))
  const { value, back } = normalised(c, c.input(0), axes, floatAttribute(c.node, 'epsilon', 1e-5))
  return [
    c.needs(0) ? back(c.mul(c.dy, c.input(1))) : null,
    c.needs(1) ? c.unbroadcast(c.mul(c.dy, value), shape, c.inputShape(1)) : null,
    c.needs(2) ? c.unbroadcast(c.dy, shape, c.inputShape(2)) : null,
  ]
}

/**
 * Instance normalisation (each map on its own) and group normalisation (Wu & He 2018: channels in groups). Scale and
 * shift are one number per channel, or per group in ONNX's operator set 18.
 */
const groupNormalization =
  (groupsOf: (c: GradientContext) => number): GradientRule =>
  (c) => {
    const shape = c.inputShape(0)
    const [batch, channels] = [shape[0]!, shape[1]!]
    const groups = groupsOf(c)
    const grouped = [batch, groups, (shape.slice(1).reduce((a, b) => a * b, 1) / groups) | 0]
    const parameters = c.inputShape(1)[0]!
    // One number per group and one per channel both broadcast against [batch, numbers, pixels].
    const laid = [batch, parameters, (channels / parameters) * shape.slice(2).reduce((a, b) => a * b, 1)]
    const { value, back } = normalised(
      c,
      c.reshape(c.input(0), grouped),
      [2],
      floatAttribute(c.node, 'epsilon', 1e-5),
    )
    const dy = c.reshape(c.dy, laid)
    const byInput = (): string => {
      const scaled = c.mul(dy, c.reshape(c.input(1), [1, parameters, 1]))
      return c.reshape(back(c.reshape(scaled, grouped)), shape)
    }
    return [
      c.needs(0) ? byInput() : null,
      c.needs(1) ? c.sum(c.mul(dy, c.reshape(value, laid)), [0, 2], false) : null,
      c.needs(2) ? c.sum(dy, [0, 2], false) : null,
    ]
  }

/** Without a mean taken off (Zhang & Sennrich 2019): x̂ = x/√(mean(x²) + ε). */
const rmsNormalization: GradientRule = (c) => {
  const shape = c.inputShape(0)
  const first = positiveAxis(intAttribute(c.node, 'axis', -1), shape.length)
  const axes = shape.flatMap((_, axis) => (axis < first ? [] : [axis]))
  const x = c.input(0)
  const square = c.mean(c.mul(x, x), axes, true)
  const inverse = c.op('Reciprocal', [c.op('Sqrt', [c.add(square, floatAttribute(c.node, 'epsilon', 1e-5))])])
  const value = c.mul(x, inverse)
  const byInput = (): string => {
    const g = c.mul(c.dy, c.input(1))
    return c.mul(c.sub(g, c.mul(value, c.mean(c.mul(g, value), axes, true))), inverse)
  }
  return [
    c.needs(0) ? byInput() : null,
    c.needs(1) ? c.unbroadcast(c.mul(c.dy, value), shape, c.inputShape(1)) : null,
  ]
}

/** x̂ alone. ONNX adds 1e-9 to the deviation; its square under the root does the same where it matters, on flat maps. */
const meanVarianceNormalization: GradientRule = (c) => {
  const axes = intsAttribute(c.node, 'axes') ?? [0, 2, 3]
  return [normalised(c, c.input(0), axes, 1e-18).back(c.dy)]
}

/** y = x/‖x‖ along an axis, with the 1- or the 2-norm; 0 stays 0, without a gradient. */
const lpNormalization: GradientRule = (c) => {
  const [x, y] = [c.input(0), c.output()]
  const axis = positiveAxis(intAttribute(c.node, 'axis', -1), c.inputShape(0).length)
  const one = intAttribute(c.node, 'p', 2) === 1
  const norm = c.op(one ? 'ReduceL1' : 'ReduceL2', [x, c.list([axis])])
  const along = c.sum(c.mul(c.dy, y), [axis], true)
  const inner = c.sub(c.dy, c.mul(one ? c.op('Sign', [x]) : y, along))
  const zero = c.equal(norm, 0)
  return [c.mul(inner, c.div(c.sub(1, zero), c.add(norm, zero)))]
}

/**
 * Across channels (Krizhevsky et al. 2012): y = x·s^(−β) with s = bias + α/n · Σ x² over n neighbouring channels, so
 * dx = dy·s^(−β) − 2αβ/n · x · Σ dy·x·s^(−β−1), summed over the channels whose neighbourhood x lies in.
 */
const localResponse: GradientRule = (c) => {
  const shape = c.inputShape(0)
  const [batch, channels] = [shape[0]!, shape[1]!]
  const pixels = shape.slice(2).reduce((a, b) => a * b, 1)
  const count = intAttribute(c.node, 'size', 1)
  const alpha = floatAttribute(c.node, 'alpha', 1e-4)
  const beta = floatAttribute(c.node, 'beta', 0.75)
  const bias = floatAttribute(c.node, 'bias', 1)
  const before = Math.floor((count - 1) / 2)
  const behind = count - 1 - before
  // Channels as rows of one map: their neighbourhoods are a pooling window.
  const neighbours = (value: string, first: number, last: number): string => {
    const pooled = c.op('AveragePool', [c.reshape(value, [batch, 1, channels, pixels])], {
      kernel_shape: ints([count, 1]),
      pads: ints([first, 0, last, 0]),
      count_include_pad: int(1),
    })
    return c.reshape(pooled, shape)
  }
  const x = c.input(0)
  const s = c.add(c.mul(neighbours(c.mul(x, x), before, behind), alpha), bias)
  const power = c.op('Pow', [s, -beta])
  const spread = neighbours(c.mul(c.mul(c.dy, x), c.div(power, s)), behind, before)
  return [c.sub(c.mul(c.dy, power), c.mul(c.mul(x, 2 * alpha * beta), spread))]
}

export const normalisationGradients: Record<string, GradientRule> = {
  BatchNormalization: batchNormalization,
  'kestrel::BatchNormalizationTraining': batchNormalizationTraining,
  RMSNormalization: rmsNormalization,
  MeanVarianceNormalization: meanVarianceNormalization,
  LpNormalization: lpNormalization,
  LRN: localResponse,
  LayerNormalization: layerNormalization,
  InstanceNormalization: groupNormalization((c) => c.inputShape(0)[1]!),
  GroupNormalization: groupNormalization((c) => intAttribute(c.node, 'num_groups', 1)),
}
