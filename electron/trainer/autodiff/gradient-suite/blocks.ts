import { float, int, ints } from '../../graph/types.ts'
import type { Sketch } from './sketch.ts'
import type { CaseTable } from './types.ts'

const same3 = { kernel_shape: ints([3, 3]), pads: ints([1, 1, 1, 1]) }

const pointwise = (s: Sketch, x: string, name: string, from: number, to: number): string =>
  s.op('Conv', [x, s.value(name, [to, from, 1, 1])])

const batchNorm = (s: Sketch, x: string, name: string, channels: number): string => {
  const inputs = [x, s.value(`${name} scale`, [channels]), s.value(`${name} shift`, [channels])]
  return s.training('BatchNormalizationTraining', inputs, 3, { epsilon: float(1e-3) })[0]!
}

/** Squeeze and excite (Hu et al. 2018): one number per map, which the map is multiplied with. */
function squeezeExcite(s: Sketch, x: string, channels: number, squeezed: number, gate: string): string {
  const mean = s.op('GlobalAveragePool', [x])
  const small = s.op('Relu', [pointwise(s, mean, 'squeeze', channels, squeezed)])
  return s.op('Mul', [x, s.op(gate, [pointwise(s, small, 'excite', squeezed, channels)])])
}

const projected = (s: Sketch, x: string, name: string, width: number): string =>
  s.op('Add', [s.op('MatMul', [x, s.value(name, [width, width])]), s.value(`${name} bias`, [width])])

/** What the architectures that Kestrel knows are put together from. */
export const blockCases: CaseTable = {
  /** He et al. 2016, with a projection on the shortcut. */
  'Residual block': (s) => {
    const x = s.value('x', [2, 2, 4, 4])
    const first = batchNorm(s, s.op('Conv', [x, s.value('w1', [3, 2, 3, 3])], same3), 'bn1', 3)
    const second = batchNorm(
      s,
      s.op('Conv', [s.op('Relu', [first]), s.value('w2', [3, 3, 3, 3])], same3),
      'bn2',
      3,
    )
    return s.op('Relu', [s.op('Add', [second, pointwise(s, x, 'shortcut', 2, 3)])])
  },
  'Separable convolution': (s) => {
    const x = s.value('x', [2, 3, 4, 4])
    const depthwise = s.op('Conv', [x, s.value('depthwise', [3, 1, 3, 3])], { ...same3, group: int(3) })
    return pointwise(s, depthwise, 'pointwise', 3, 4)
  },
  /** MobileNetV3 (Howard et al. 2019). */
  'Inverted residual with squeeze and excite': (s) => {
    const x = s.value('x', [2, 2, 3, 3])
    const wide = s.op('HardSwish', [pointwise(s, x, 'expand', 2, 4)])
    const depthwise = s.op('Conv', [wide, s.value('depthwise', [4, 1, 3, 3])], { ...same3, group: int(4) })
    const excited = squeezeExcite(s, s.op('HardSwish', [depthwise]), 4, 2, 'HardSigmoid')
    return s.op('Add', [x, pointwise(s, excited, 'project', 4, 2)])
  },
  'Squeeze and excite with sigmoid': (s) => squeezeExcite(s, s.value('x', [2, 4, 3, 3]), 4, 2, 'Sigmoid'),
  /** Liu et al. 2022: depthwise 7×7, then channels last, layer normalisation, a small network per pixel, layer scale. */
  'ConvNeXt block': {
    opset: 20,
    draw: (s) => {
      const x = s.value('x', [1, 3, 4, 4])
      const depthwise = s.op('Conv', [x, s.value('depthwise', [3, 1, 7, 7]), s.value('bias', [3])], {
        pads: ints([3, 3, 3, 3]),
        group: int(3),
      })
      const inputs = [s.transpose(depthwise, 0, 2, 3, 1), s.value('scale', [3]), s.value('shift', [3])]
      const normal = s.op('LayerNormalization', inputs, { epsilon: float(1e-6) })
      const wide = s.op('Gelu', [s.op('MatMul', [normal, s.value('w1', [3, 6])])])
      const narrow = s.op('MatMul', [wide, s.value('w2', [6, 3])])
      const scaled = s.op('Mul', [narrow, s.value('layer scale', [3])])
      return s.op('Add', [x, s.transpose(scaled, 0, 3, 1, 2)])
    },
  },
  /** Vaswani et al. 2017, two heads, queries, keys and values from one product, as vision transformers are written. */
  'Self-attention': (s) => {
    const [batch, tokens, heads, size] = [2, 3, 2, 2]
    const width = heads * size
    const x = s.value('x', [batch, tokens, width])
    const all = s.op('Add', [
      s.op('MatMul', [x, s.value('qkv', [width, 3 * width])]),
      s.value('qkv bias', [3 * width]),
    ])
    const parted = s.transpose(s.reshape(all, batch, tokens, 3, heads, size), 2, 0, 3, 1, 4)
    const [query, key, value] = [0, 1, 2].map((index) => {
      const at = s.builder.constant('part', {
        type: 'int64',
        shape: [],
        data: BigInt64Array.of(BigInt(index)),
      })
      return s.op('Gather', [parted, at], { axis: int(0) })
    }) as [string, string, string]
    const scores = s.op('MatMul', [query, s.transpose(key, 0, 1, 3, 2)])
    const weights = s.op('Softmax', [s.op('Mul', [scores, s.constant([], [size ** -0.5])])], {
      axis: int(-1),
    })
    const mixed = s.transpose(s.op('MatMul', [weights, value]), 0, 2, 1, 3)
    return projected(s, s.reshape(mixed, batch, tokens, width), 'project', width)
  },
  /** Dosovitskiy et al. 2021: patches to tokens, a class token before them, positions added, the class token read. */
  'Patches, class token and positions': (s) => {
    const [batch, width] = [2, 3]
    const patches = s.op('Conv', [s.value('x', [batch, 2, 4, 4]), s.value('patch', [width, 2, 2, 2])], {
      kernel_shape: ints([2, 2]),
      strides: ints([2, 2]),
    })
    const tokens = s.transpose(s.reshape(patches, batch, width, 4), 0, 2, 1)
    const first = s.op('Expand', [s.value('class token', [1, 1, width]), s.list(batch, 1, width)])
    const all = s.op('Concat', [first, tokens], { axis: int(1) })
    const placed = s.op('Tanh', [s.op('Add', [all, s.value('positions', [1, 5, width])])])
    const at = s.builder.constant('first', { type: 'int64', shape: [], data: BigInt64Array.of(0n) })
    return s.op('Gather', [placed, at], { axis: int(1) })
  },
  /** SqueezeNet's fire module (Iandola et al. 2016) and Inception read one value several times and join the results. */
  'Branches, joined': (s) => {
    const x = s.op('Relu', [s.value('x', [2, 2, 3, 3])])
    const left = pointwise(s, x, 'left', 2, 2)
    const right = s.op('Conv', [x, s.value('right', [3, 2, 3, 3])], same3)
    const pooled = s.op('MaxPool', [x], { kernel_shape: ints([3, 3]), pads: ints([1, 1, 1, 1]) })
    return s.op('Relu', [s.op('Concat', [left, right, pooled], { axis: int(1) })])
  },
  /** Huang et al. 2017: everything before is joined to what comes after. */
  'Dense block': (s) => {
    const x = s.value('x', [2, 2, 3, 3])
    const first = s.op('Concat', [x, pointwise(s, s.op('Relu', [x]), 'w1', 2, 2)], { axis: int(1) })
    const second = s.op('Concat', [first, pointwise(s, s.op('Relu', [first]), 'w2', 4, 2)], { axis: int(1) })
    return s.op('GlobalAveragePool', [second])
  },
}
