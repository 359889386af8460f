import { float, int, string } from '../../graph/types.ts'
import type { Attributes } from '../../graph/types.ts'
import { between, type Draw, type Sketch } from './sketch.ts'
import type { CaseTable } from './types.ts'

/** Values on both sides of everything that bends. */
const wide = between(-4, 4)

const activation =
  (op: string, attributes: Attributes = {}, draw: Draw = wide) =>
  (s: Sketch): string =>
    s.op(op, [s.value('x', [3, 8], draw)], attributes)

export const activationCases: CaseTable = {
  ReLU: activation('Relu'),
  'Leaky ReLU': activation('LeakyRelu', { alpha: float(0.1) }),
  'PReLU, a slope per channel': (s) =>
    s.op('PRelu', [s.value('x', [2, 3, 2, 2]), s.value('slope', [3, 1, 1], between(0.1, 0.5))]),
  'PReLU, one slope': (s) => s.op('PRelu', [s.value('x', [2, 6]), s.value('slope', [1], between(0.1, 0.5))]),
  ELU: activation('Elu', { alpha: float(1.5) }),
  SELU: activation('Selu'),
  CELU: activation('Celu', { alpha: float(0.7) }),
  GELU: { opset: 20, draw: activation('Gelu') },
  'GELU, approximated by tanh': { opset: 20, draw: activation('Gelu', { approximate: string('tanh') }) },
  'GELU, as older files write it': (s) => {
    const x = s.value('x', [3, 8], wide)
    const erf = s.op('Erf', [s.op('Div', [x, s.constant([], [Math.SQRT2])])])
    return s.op('Mul', [s.op('Mul', [x, s.op('Add', [erf, s.constant([], [1])])]), s.constant([], [0.5])])
  },
  Mish: activation('Mish'),
  'SiLU, as a product': (s) => {
    const x = s.value('x', [3, 8], wide)
    return s.op('Mul', [x, s.op('Sigmoid', [x])])
  },
  'SiLU, as one operator': { opset: 24, draw: activation('Swish', { alpha: float(1.25) }) },
  Sigmoid: activation('Sigmoid'),
  'Hard sigmoid': activation('HardSigmoid', { alpha: float(1 / 6) }),
  'Hard swish': activation('HardSwish'),
  Tanh: activation('Tanh'),
  Softplus: activation('Softplus'),
  Softsign: activation('Softsign'),
  'Thresholded ReLU': activation('ThresholdedRelu', { alpha: float(0.8) }),
  Shrink: activation('Shrink', { lambd: float(0.7), bias: float(0.2) }),
  'ReLU6, bounds as inputs': (s) =>
    s.op('Clip', [s.value('x', [3, 8], between(-4, 10)), s.constant([], [0]), s.constant([], [6])]),
  'Clip, bounds that learn': (s) =>
    s.op('Clip', [s.value('x', [3, 8], wide), s.value('low', [], [-1.5]), s.value('high', [], [2.5])]),
  'Clip, one bound': (s) => s.op('Clip', [s.value('x', [3, 8], wide), '', s.constant([], [0.5])]),
  'Clip, no bound': activation('Clip'),
  Erf: activation('Erf'),
  Softmax: (s) => s.op('Softmax', [s.value('x', [3, 5], wide)]),
  'Softmax over channels': (s) => s.op('Softmax', [s.value('x', [2, 3, 2, 2])], { axis: int(1) }),
  'Log softmax': (s) => s.op('LogSoftmax', [s.value('x', [3, 5], wide)], { axis: int(1) }),
}
