import { floatAttribute, stringAttribute } from '../../../graph/types.ts'
import { broadcastOffsets } from '../indexing.ts'
import { mapped } from '../kernel.ts'
import type { Kernel, KernelTable } from '../kernel.ts'
import { erf } from '../special.ts'
import { fromNumbers, numbersOf, real } from '../value.ts'

const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x))

/** ln(1 + eˣ), written so that large x does not overflow. */
const softplus = (x: number): number => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)))

/** Hendrycks & Gimpel, "Gaussian Error Linear Units", arXiv:1606.08415: x Φ(x), and its approximation by tanh. */
const gelu = mapped(({ node }) =>
  stringAttribute(node, 'approximate', 'none') === 'tanh'
    ? (x) => 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3)))
    : (x) => 0.5 * x * (1 + erf(x / Math.SQRT2)),
)

/** Relu is defined for whole numbers too. */
const relu: Kernel = (call) => {
  const x = call.input(0)
  return [
    fromNumbers(
      x.type,
      x.shape,
      Float64Array.from(numbersOf(x), (each) => Math.max(0, each)),
    ),
  ]
}

/** He et al., "Delving Deep into Rectifiers", arXiv:1502.01852: the slope is learned, often one per channel. */
const prelu: Kernel = (call) => {
  const [x, slope] = [call.real(0), call.real(1)]
  const at = broadcastOffsets(slope.shape, x.shape)
  return [
    real(
      x.shape,
      x.data.map((each, i) => (each < 0 ? slope.data[at[i]!]! * each : each)),
    ),
  ]
}

/** Activations of onnx.ai/onnx/operators, one entry at a time, with the defaults given there. */
export const activationKernels: KernelTable = {
  Relu: relu,
  PRelu: prelu,
  Gelu: gelu,
  LeakyRelu: mapped(({ node }) => {
    const alpha = floatAttribute(node, 'alpha', 0.01)
    return (x) => (x < 0 ? alpha * x : x)
  }),
  ThresholdedRelu: mapped(({ node }) => {
    const alpha = floatAttribute(node, 'alpha', 1)
    return (x) => (x > alpha ? x : 0)
  }),
  Elu: mapped(({ node }) => {
    const alpha = floatAttribute(node, 'alpha', 1)
    return (x) => (x < 0 ? alpha * Math.expm1(x) : x)
  }),
  Selu: mapped(({ node }) => {
    const alpha = floatAttribute(node, 'alpha', 1.67326319217681884765625)
    const gamma = floatAttribute(node, 'gamma', 1.05070102214813232421875)
    return (x) => gamma * (x > 0 ? x : alpha * Math.expm1(x))
  }),
  Celu: mapped(({ node }) => {
    const alpha = floatAttribute(node, 'alpha', 1)
    return (x) => Math.max(0, x) + Math.min(0, alpha * Math.expm1(x / alpha))
  }),
  Sigmoid: mapped(() => sigmoid),
  Tanh: mapped(() => Math.tanh),
  Softplus: mapped(() => softplus),
  Softsign: mapped(() => (x) => x / (1 + Math.abs(x))),
  Mish: mapped(() => (x) => x * Math.tanh(softplus(x))),
  HardSigmoid: mapped(({ node }) => {
    const alpha = floatAttribute(node, 'alpha', 0.2)
    const beta = floatAttribute(node, 'beta', 0.5)
    return (x) => Math.max(0, Math.min(1, alpha * x + beta))
  }),
  HardSwish: mapped(() => (x) => x * Math.max(0, Math.min(1, x / 6 + 0.5))),
  Shrink: mapped(({ node }) => {
    const lambda = floatAttribute(node, 'lambd', 0.5)
    const bias = floatAttribute(node, 'bias', 0)
    return (x) => (x < -lambda ? x + bias : x > lambda ? x - bias : 0)
  }),
}
