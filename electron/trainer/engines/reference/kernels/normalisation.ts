import { floatAttribute, intAttribute } from '../../../graph/types.ts'
import { axisOf, broadcastOffsets, lanesOf } from '../indexing.ts'
import type { Lanes } from '../indexing.ts'
import type { Call, Kernel, KernelTable } from '../kernel.ts'
import { real } from '../value.ts'
import type { Real } from '../value.ts'

interface Statistics {
  mean: Float64Array
  /** The biased one: divided by the count. */
  variance: Float64Array
}

function statisticsOf(data: Float64Array, { starts, members }: Lanes): Statistics {
  const mean = Float64Array.from(
    starts,
    (start) => members.reduce((sum, member) => sum + data[start + member]!, 0) / members.length,
  )
  const variance = mean.map(
    (m, lane) =>
      members.reduce((sum, member) => sum + (data[starts[lane]! + member]! - m) ** 2, 0) / members.length,
  )
  return { mean, variance }
}

/** (x − mean) / √(variance + ε) of each lane. */
function standardise(
  data: Float64Array,
  { starts, members }: Lanes,
  { mean, variance }: Statistics,
  epsilon: number,
): Float64Array {
  const y = new Float64Array(data.length)
  starts.forEach((start, lane) => {
    const deviation = Math.sqrt(variance[lane]! + epsilon)
    for (const member of members) y[start + member] = (data[start + member]! - mean[lane]!) / deviation
  })
  return y
}

/** y · scale + bias, one of each per channel (axis 1). */
function perChannel(x: Real, y: Float64Array, scale: Float64Array, bias: Float64Array): Real {
  const at = broadcastOffsets(channelShape(x), x.shape)
  return real(
    x.shape,
    y.map((each, i) => each * scale[at[i]!]! + bias[at[i]!]!),
  )
}

const channelShape = (x: Real): number[] => x.shape.map((size, axis) => (axis === 1 ? size : 1))

const channelLanes = (x: Real): Lanes =>
  lanesOf(
    x.shape,
    x.shape.map((_, axis) => axis).filter((axis) => axis !== 1),
  )

const epsilonOf = (call: Call): number => floatAttribute(call.node, 'epsilon', 1e-5)

/** Ioffe & Szegedy, "Batch Normalization", arXiv:1502.03167, algorithm 2 (and 1 with `training_mode`). */
const batchNormalization: Kernel = (call) => {
  const [x, scale, bias, mean, variance] = [0, 1, 2, 3, 4].map((index) => call.real(index)) as [
    Real,
    Real,
    Real,
    Real,
    Real,
  ]
  const lanes = channelLanes(x)
  const training = intAttribute(call.node, 'training_mode', 0) === 1
  const used = training ? statisticsOf(x.data, lanes) : { mean: mean.data, variance: variance.data }
  const y = perChannel(x, standardise(x.data, lanes, used, epsilonOf(call)), scale.data, bias.data)
  if (!training) return [y]
  const momentum = floatAttribute(call.node, 'momentum', 0.9)
  const running = (kept: Real, now: Float64Array): Real =>
    real(
      kept.shape,
      kept.data.map((each, c) => each * momentum + now[c]! * (1 - momentum)),
    )
  return [y, running(mean, used.mean), running(variance, used.variance)]
}

/** x, gamma, beta → y, mean, variance: arXiv:1502.03167, algorithm 1. */
const batchNormalizationTraining: Kernel = (call) => {
  const [x, gamma, beta] = [call.real(0), call.real(1), call.real(2)]
  const lanes = channelLanes(x)
  const statistics = statisticsOf(x.data, lanes)
  const normal = standardise(x.data, lanes, statistics, epsilonOf(call))
  return [
    perChannel(x, normal, gamma.data, beta.data),
    real(gamma.shape, statistics.mean),
    real(gamma.shape, statistics.variance),
  ]
}

/**
 * x, gamma, mean, variance, dy → dx, dgamma, dbeta: arXiv:1502.03167, section 3, put together. With x̂ the normalised
 * x, m its count and sums over a channel: dx = γ/√(σ² + ε) · (dy − Σdy / m − x̂ · Σ(dy · x̂) / m).
 */
const batchNormalizationGradient: Kernel = (call) => {
  const [x, gamma, mean, variance, dy] = [0, 1, 2, 3, 4].map((index) => call.real(index)) as [
    Real,
    Real,
    Real,
    Real,
    Real,
  ]
  const lanes = channelLanes(x)
  const { starts, members } = lanes
  const epsilon = epsilonOf(call)
  const normal = standardise(x.data, lanes, { mean: mean.data, variance: variance.data }, epsilon)
  const dbeta = gamma.data.map((_, c) => members.reduce((sum, at) => sum + dy.data[starts[c]! + at]!, 0))
  const dgamma = gamma.data.map((_, c) =>
    members.reduce((sum, at) => sum + dy.data[starts[c]! + at]! * normal[starts[c]! + at]!, 0),
  )
  const dx = new Float64Array(x.data.length)
  gamma.data.forEach((scale, c) => {
    const factor = scale / Math.sqrt(variance.data[c]! + epsilon)
    const count = members.length
    for (const member of members) {
      const at = starts[c]! + member
      dx[at] = factor * (dy.data[at]! - dbeta[c]! / count - (normal[at]! * dgamma[c]!) / count)
    }
  })
  return [real(x.shape, dx), real(gamma.shape, dgamma), real(gamma.shape, dbeta)]
}

/** Each map of each picture by itself (Ulyanov et al., "Instance Normalization", arXiv:1607.08022). */
const instanceNormalization: Kernel = (call) => {
  const [x, scale, bias] = [call.real(0), call.real(1), call.real(2)]
  const lanes = lanesOf(x.shape, x.shape.map((_, axis) => axis).slice(2))
  const y = standardise(x.data, lanes, statisticsOf(x.data, lanes), epsilonOf(call))
  return [perChannel(x, y, scale.data, bias.data)]
}

/** All axes from `axis` on (Ba et al., "Layer Normalization", arXiv:1607.06450); also gives mean and 1/deviation. */
const layerNormalization: Kernel = (call) => {
  const [x, scale, bias] = [call.real(0), call.real(1), call.optionalReal(2)]
  const axis = axisOf(intAttribute(call.node, 'axis', -1), x.shape.length)
  const lanes = lanesOf(x.shape, x.shape.map((_, each) => each).slice(axis))
  const epsilon = epsilonOf(call)
  const statistics = statisticsOf(x.data, lanes)
  const atScale = broadcastOffsets(scale.shape, x.shape)
  const atBias = broadcastOffsets(bias?.shape ?? [], x.shape)
  const y = standardise(x.data, lanes, statistics, epsilon).map(
    (each, i) => each * scale.data[atScale[i]!]! + (bias?.data[atBias[i]!] ?? 0),
  )
  return [
    real(x.shape, y),
    real(lanes.keptShape, statistics.mean),
    real(
      lanes.keptShape,
      statistics.variance.map((each) => 1 / Math.sqrt(each + epsilon)),
    ),
  ]
}

/**
 * Channels in groups (Wu & He, "Group Normalization", arXiv:1803.08494). Scale and bias are given per channel since
 * set 21; in 18 to 20 they were given per group.
 */
const groupNormalization: Kernel = (call) => {
  const [x, scale, bias] = [call.real(0), call.real(1), call.real(2)]
  const [batch, channels] = [x.shape[0]!, x.shape[1]!]
  const groups = intAttribute(call.node, 'num_groups', 1)
  if (channels % groups !== 0) call.fail(`${channels} channels are to be ${groups} groups`)
  const grouped = [batch * groups, x.data.length / (batch * groups)]
  const lanes = lanesOf(grouped, [1])
  const y = standardise(x.data, lanes, statisticsOf(x.data, lanes), epsilonOf(call))
  const spread = (values: Float64Array): Float64Array =>
    call.opset >= 21
      ? values
      : Float64Array.from({ length: channels }, (_, c) => values[Math.floor((c * groups) / channels)]!)
  return [perChannel(x, y, spread(scale.data), spread(bias.data))]
}

/** x · scale / √(mean of x² + ε) over all axes from `axis` on (Zhang & Sennrich, arXiv:1910.07467). */
const rmsNormalization: Kernel = (call) => {
  const [x, scale] = [call.real(0), call.real(1)]
  const axis = axisOf(intAttribute(call.node, 'axis', -1), x.shape.length)
  const lanes = lanesOf(x.shape, x.shape.map((_, each) => each).slice(axis))
  const squares = statisticsOf(
    x.data.map((each) => each * each),
    lanes,
  ).mean
  const zeros = new Float64Array(squares.length)
  const at = broadcastOffsets(scale.shape, x.shape)
  const y = standardise(x.data, lanes, { mean: zeros, variance: squares }, epsilonOf(call))
  return [
    real(
      x.shape,
      y.map((each, i) => each * scale.data[at[i]!]!),
    ),
  ]
}

/** x / (bias + alpha/size · Σ x² over `size` neighbouring channels)^beta (Krizhevsky et al. 2012, section 3.3). */
const lrn: Kernel = (call) => {
  const x = call.real(0)
  const size = intAttribute(call.node, 'size', 1)
  const alpha = floatAttribute(call.node, 'alpha', 1e-4)
  const beta = floatAttribute(call.node, 'beta', 0.75)
  const bias = floatAttribute(call.node, 'bias', 1)
  const { starts, members } = lanesOf(x.shape, [1])
  const y = new Float64Array(x.data.length)
  for (const start of starts)
    members.forEach((member, c) => {
      const neighbours = members.slice(
        Math.max(0, c - Math.floor((size - 1) / 2)),
        c + Math.ceil((size - 1) / 2) + 1,
      )
      const squares = neighbours.reduce((sum, each) => sum + x.data[start + each]! ** 2, 0)
      y[start + member] = x.data[start + member]! / (bias + (alpha / size) * squares) ** beta
    })
  return [real(x.shape, y)]
}

/** x / ‖x‖ₚ along an axis, p 1 or 2; zeros stay zeros. */
const lpNormalization: Kernel = (call) => {
  const x = call.real(0)
  const power = intAttribute(call.node, 'p', 2)
  const { starts, members } = lanesOf(x.shape, [axisOf(intAttribute(call.node, 'axis', -1), x.shape.length)])
  const y = new Float64Array(x.data.length)
  for (const start of starts) {
    const sum = members.reduce((total, member) => total + Math.abs(x.data[start + member]!) ** power, 0)
    const norm = sum ** (1 / power)
    for (const member of members) y[start + member] = norm === 0 ? 0 : x.data[start + member]! / norm
  }
  return [real(x.shape, y)]
}

/** (x − mean) / (deviation + 1e-9) over `axes`, by default all but the channels. */
const meanVarianceNormalization: Kernel = (call) => {
  const x = call.real(0)
  const written = call.node.attributes['axes']
  const axes = (written?.kind === 'ints' ? written.value : [0, 2, 3]).map((axis) =>
    axisOf(axis, x.shape.length),
  )
  const lanes = lanesOf(x.shape, axes)
  const { mean, variance } = statisticsOf(x.data, lanes)
  const y = new Float64Array(x.data.length)
  lanes.starts.forEach((start, lane) => {
    for (const member of lanes.members)
      y[start + member] = (x.data[start + member]! - mean[lane]!) / (Math.sqrt(variance[lane]!) + 1e-9)
  })
  return [real(x.shape, y)]
}

export const normalisationKernels: KernelTable = {
  BatchNormalization: batchNormalization,
  InstanceNormalization: instanceNormalization,
  LayerNormalization: layerNormalization,
  GroupNormalization: groupNormalization,
  RMSNormalization: rmsNormalization,
  LRN: lrn,
  LpNormalization: lpNormalization,
  MeanVarianceNormalization: meanVarianceNormalization,
}

export const normalisationTraining = {
  BatchNormalizationTraining: batchNormalizationTraining,
  BatchNormalizationGradient: batchNormalizationGradient,
}
