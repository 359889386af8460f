import type { ActivationName } from '#shared/domain/network/index.ts'
import { scalar } from '../../graph/tensor.ts'
import { float } from '../../graph/types.ts'
import type { Flow, NetworkWriter } from './network-writer.ts'

/** Below zero, where the description names none (Maas, Hannun & Ng 2013). */
const leakySlope = 0.01
/** PReLU's slope before it has learned anything (He et al. 2015, section 2.1). */
const firstSlope = 0.25

type Writer = (w: NetworkWriter, x: Flow, name: string, slope?: number) => Flow

const single =
  (op: string, attributes: Readonly<Record<string, number>> = {}): Writer =>
  (w, x, name) =>
    w.op(
      name,
      op,
      [x.value],
      x.shape,
      Object.fromEntries(Object.entries(attributes).map(([key, value]) => [key, float(value)])),
    )

const clip =
  (low: number, high: number): Writer =>
  (w, x, name) => {
    const bounds = [
      w.builder.constant(`${name}/low`, scalar(low)),
      w.builder.constant(`${name}/high`, scalar(high)),
    ]
    return w.op(name, 'Clip', [x.value, ...bounds], x.shape)
  }

/** One learned slope per channel. */
const prelu: Writer = (w, x, name) => {
  const shape = [x.shape[0] ?? 1, ...x.shape.slice(1).map(() => 1)]
  return w.op(name, 'PRelu', [x.value, w.filled(`${name}/slope`, shape, 'slope', firstSlope)], x.shape)
}

/** x · Φ(x) = x · ½ · (1 + erf(x / √2)), exactly (Hendrycks & Gimpel 2016); ONNX has it as one operator from set 20 on. */
const gelu: Writer = (w, x, name) => {
  const number = (value: number): string => w.builder.constant(`${name}/number`, scalar(value))
  const erf = w.builder.node('Erf', [w.builder.node('Mul', [x.value, number(Math.SQRT1_2)])])
  const twice = w.builder.node('Add', [erf, number(1)])
  const half = w.builder.node('Mul', [x.value, number(0.5)])
  return w.op(name, 'Mul', [half, twice], x.shape)
}

/** x · σ(x) (Elfwing et al. 2018; "swish") */
const silu: Writer = (w, x, name) =>
  w.op(name, 'Mul', [x.value, w.builder.node('Sigmoid', [x.value], {}, `${name}/gate`)], x.shape)

const writers: Record<ActivationName, Writer> = {
  sigmoid: single('Sigmoid'),
  tanh: single('Tanh'),
  relu: single('Relu'),
  relu6: clip(0, 6),
  'leaky-relu': (w, x, name, slope = leakySlope) => single('LeakyRelu', { alpha: slope })(w, x, name),
  prelu,
  elu: single('Elu', { alpha: 1 }),
  gelu,
  silu,
  /** max(0, min(1, x / 6 + ½)) (Howard et al. 2019), not ONNX's x / 5. */
  'hard-sigmoid': single('HardSigmoid', { alpha: 1 / 6, beta: 0.5 }),
  'hard-swish': single('HardSwish'),
  'hard-tanh': clip(-1, 1),
}

export const activation = (
  w: NetworkWriter,
  x: Flow,
  name: string,
  kind: ActivationName,
  slope?: number,
): Flow => writers[kind](w, x, name, slope)
