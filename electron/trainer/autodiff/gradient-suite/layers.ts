import { float, int, ints, string } from '../../graph/types.ts'
import type { Attributes } from '../../graph/types.ts'
import { between, type Sketch } from './sketch.ts'
import type { CaseTable, Drawing } from './types.ts'

const positive = between(0.5, 2)

interface ConvolutionSpec {
  x?: readonly number[]
  w: readonly number[]
  attributes?: Attributes
  bias?: boolean
}

const convolution =
  ({ x = [2, 3, 5, 6], w, attributes = {}, bias = false }: ConvolutionSpec): Drawing =>
  (s) =>
    s.op('Conv', [s.value('x', x), s.value('w', w), ...(bias ? [s.value('bias', [w[0]!])] : [])], attributes)

const transposed =
  (w: readonly number[], attributes: Attributes, bias = false): Drawing =>
  (s) => {
    const channels = w[1]! * (attributes['group']?.kind === 'int' ? attributes['group'].value : 1)
    const inputs = [s.value('x', [2, 4, 3, 4]), s.value('w', w)]
    return s.op('ConvTranspose', bias ? [...inputs, s.value('bias', [channels])] : inputs, attributes)
  }

const pool =
  (op: string, attributes: Attributes, x: readonly number[] = [2, 2, 5, 6]): Drawing =>
  (s) =>
    s.op(op, [s.value('x', x)], attributes)

const square = (kernel: number, stride: number, pad = 0): Attributes => ({
  kernel_shape: ints([kernel, kernel]),
  strides: ints([stride, stride]),
  pads: ints([pad, pad, pad, pad]),
})

const batchStatistics =
  (shape: readonly number[]): Drawing =>
  (s) => {
    const channels = [shape[1]!]
    const inputs = [s.value('x', shape), s.value('gamma', channels), s.value('beta', channels)]
    return s.training('BatchNormalizationTraining', inputs, 3, { epsilon: float(1e-3) })[0]!
  }

const fullyConnected: Record<string, Drawing> = {
  'Fully connected': (s) =>
    s.op('Gemm', [s.value('x', [4, 5]), s.value('w', [3, 5]), s.value('bias', [3])], { transB: int(1) }),
  'Fully connected, all options': (s) =>
    s.op('Gemm', [s.value('x', [5, 4]), s.value('w', [3, 5]), s.value('bias', [4, 1])], {
      transA: int(1),
      transB: int(1),
      alpha: float(0.5),
      beta: float(2),
    }),
  'Fully connected, turned input': (s) =>
    s.op('Gemm', [s.value('x', [5, 4]), s.value('w', [5, 3])], { transA: int(1), alpha: float(-2) }),
  'Fully connected, one shift for all': (s) =>
    s.op('Gemm', [s.value('x', [4, 5]), s.value('w', [5, 3]), s.value('bias', [])]),
  'Fully connected, batch of one': (s) =>
    s.op('Gemm', [s.value('x', [1, 5]), s.value('w', [5, 3]), s.value('bias', [1, 3])]),
}

const convolutions: Record<string, Drawing> = {
  'Convolution 3×3': convolution({ w: [4, 3, 3, 3], attributes: square(3, 1, 1), bias: true }),
  'Convolution 1×1': convolution({ w: [4, 3, 1, 1], bias: true }),
  'Convolution on 1×1 maps': convolution({ x: [3, 4, 1, 1], w: [5, 4, 1, 1], bias: true }),
  'Convolution, batch of one': convolution({ x: [1, 2, 4, 4], w: [3, 2, 3, 3] }),
  'Convolution, stride 2': convolution({ w: [4, 3, 3, 3], attributes: square(3, 2, 1) }),
  'Convolution, stride larger than filter': convolution({ w: [4, 3, 2, 2], attributes: square(2, 3) }),
  'Convolution 1×1, stride 2': convolution({ w: [4, 3, 1, 1], attributes: square(1, 2) }),
  'Convolution, uneven filter, strides and pads': convolution({
    w: [2, 3, 2, 3],
    attributes: { strides: ints([2, 1]), pads: ints([1, 0, 0, 2]) },
  }),
  'Convolution, dilated': convolution({
    w: [2, 3, 3, 2],
    attributes: { dilations: ints([2, 3]), pads: ints([2, 1, 1, 2]) },
  }),
  'Convolution, same padding': convolution({
    w: [2, 3, 3, 2],
    attributes: { auto_pad: string('SAME_UPPER'), strides: ints([2, 2]) },
  }),
  'Convolution, same padding before': convolution({
    w: [2, 3, 2, 2],
    attributes: { auto_pad: string('SAME_LOWER') },
  }),
  'Convolution, valid padding': convolution({ w: [2, 3, 2, 2], attributes: { auto_pad: string('VALID') } }),
  'Convolution in groups': convolution({
    x: [2, 4, 4, 5],
    w: [6, 2, 3, 3],
    attributes: { ...square(3, 1, 1), group: int(2) },
    bias: true,
  }),
  'Depthwise convolution': convolution({
    x: [2, 4, 5, 5],
    w: [4, 1, 3, 3],
    attributes: { ...square(3, 2, 1), group: int(4) },
    bias: true,
  }),
  'Depthwise convolution, two filters a channel': convolution({
    x: [2, 3, 4, 4],
    w: [6, 1, 3, 3],
    attributes: { ...square(3, 1, 1), group: int(3) },
  }),
  'Convolution, filter as large as the map': convolution({ x: [2, 3, 4, 4], w: [5, 3, 4, 4] }),
  'Transposed convolution': transposed([4, 3, 3, 3], {}, true),
  'Transposed convolution, stride 2': transposed([4, 3, 3, 3], {
    ...square(3, 2, 1),
    output_padding: ints([1, 1]),
  }),
  'Transposed convolution in groups': transposed([4, 2, 2, 3], {
    group: int(2),
    strides: ints([2, 3]),
    pads: ints([0, 1, 1, 0]),
    dilations: ints([2, 1]),
  }),
  'Transposed convolution, same padding': transposed([4, 3, 3, 3], {
    strides: ints([2, 2]),
    auto_pad: string('SAME_UPPER'),
  }),
}

const poolings: Record<string, Drawing> = {
  'Max pooling 2×2': pool('MaxPool', square(2, 2)),
  'Max pooling 3×3, overlapping, padded': pool('MaxPool', square(3, 2, 1)),
  'Max pooling, stride larger than window': pool('MaxPool', square(2, 3)),
  'Max pooling, dilated': pool('MaxPool', { kernel_shape: ints([2, 2]), dilations: ints([2, 3]) }),
  'Max pooling, rounded up': pool('MaxPool', { ...square(2, 2), ceil_mode: int(1) }),
  'Max pooling, same padding': pool('MaxPool', {
    kernel_shape: ints([3, 3]),
    strides: ints([2, 2]),
    auto_pad: string('SAME_UPPER'),
  }),
  'Max pooling of ties': (s) =>
    s.op('MaxPool', [s.value('x', [1, 1, 2, 4], [1, 1, 0, 2, 0, 1, 2, 2])], square(2, 2)),
  'Average pooling 2×2': pool('AveragePool', square(2, 2)),
  'Average pooling, padding left out': pool('AveragePool', square(3, 2, 1)),
  'Average pooling, padding counted': pool('AveragePool', { ...square(3, 2, 1), count_include_pad: int(1) }),
  'Average pooling, rounded up': pool('AveragePool', { ...square(2, 2), ceil_mode: int(1) }),
  'Average pooling, same padding': pool('AveragePool', {
    kernel_shape: ints([3, 2]),
    strides: ints([2, 2]),
    auto_pad: string('SAME_UPPER'),
  }),
  'Power pooling': pool('LpPool', square(2, 2)),
  'Power pooling, third power, padded': pool('LpPool', { ...square(3, 2, 1), p: int(3) }),
  'Power pooling, absolute values, rounded up': pool('LpPool', {
    ...square(2, 2),
    p: int(1),
    ceil_mode: int(1),
  }),
  'Global average pooling': pool('GlobalAveragePool', {}),
  'Global average pooling of 1×1 maps': pool('GlobalAveragePool', {}, [3, 4, 1, 1]),
  'Global max pooling': pool('GlobalMaxPool', {}),
  'Global max pooling of ties': (s) =>
    s.op('GlobalMaxPool', [s.value('x', [1, 2, 2, 2], [1, 1, 0, 1, -1, 3, 3, 0])]),
  'Global power pooling': pool('GlobalLpPool', { p: int(2) }),
}

const affine = (s: Sketch, x: string, size: number): string[] => [
  x,
  s.value('scale', [size]),
  s.value('shift', [size]),
]

const normalisations: CaseTable = {
  'Batch normalisation, inference': (s) =>
    s.op(
      'BatchNormalization',
      [...affine(s, s.value('x', [2, 3, 2, 3]), 3), s.value('mean', [3]), s.value('variance', [3], positive)],
      { epsilon: float(1e-3) },
    ),
  'Batch normalisation, inference, of features': (s) =>
    s.op('BatchNormalization', [
      ...affine(s, s.value('x', [4, 3]), 3),
      s.value('mean', [3]),
      s.value('variance', [3], positive),
    ]),
  'Batch normalisation, training': batchStatistics([3, 2, 3, 2]),
  'Batch normalisation, training, of features': batchStatistics([5, 3]),
  'Batch normalisation, training, statistics in the loss': (s) => {
    const inputs = affine(s, s.value('x', [3, 2, 2, 2]), 2)
    const [y, mean, variance] = s.training('BatchNormalizationTraining', inputs, 3, { epsilon: float(1e-3) })
    const both = s.op('Mul', [mean!, variance!])
    return s.op('Mul', [y!, s.reshape(both, 1, 2, 1, 1)])
  },
  'Layer normalisation': (s) => s.op('LayerNormalization', affine(s, s.value('x', [2, 3, 6]), 6)),
  'Layer normalisation over two axes, without shift': (s) =>
    s.op('LayerNormalization', [s.value('x', [3, 2, 4]), s.value('scale', [2, 4])], { axis: int(1) }),
  'Layer normalisation, written out': (s) => {
    const x = s.value('x', [2, 3, 6])
    const axes = s.list(-1)
    const centred = s.op('Sub', [x, s.op('ReduceMean', [x, axes])])
    const variance = s.op('ReduceMean', [s.op('Pow', [centred, s.constant([], [2])]), axes])
    const deviation = s.op('Sqrt', [s.op('Add', [variance, s.constant([], [1e-5])])])
    const scaled = s.op('Mul', [s.op('Div', [centred, deviation]), s.value('scale', [6])])
    return s.op('Add', [scaled, s.value('shift', [6])])
  },
  'Instance normalisation': (s) => s.op('InstanceNormalization', affine(s, s.value('x', [2, 3, 3, 2]), 3)),
  'Group normalisation, scale per group': (s) =>
    s.op('GroupNormalization', affine(s, s.value('x', [2, 6, 2, 2]), 3), { num_groups: int(3) }),
  'Group normalisation, scale per channel': {
    opset: 21,
    draw: (s) => s.op('GroupNormalization', affine(s, s.value('x', [2, 6, 2, 2]), 6), { num_groups: int(3) }),
  },
  'RMS normalisation': {
    opset: 23,
    draw: (s) => s.op('RMSNormalization', [s.value('x', [2, 3, 5]), s.value('scale', [5])]),
  },
  'Local response normalisation': (s) =>
    s.op('LRN', [s.value('x', [2, 5, 2, 2])], { size: int(3), alpha: float(0.3), beta: float(0.75) }),
  'Normalisation to length 1': (s) => s.op('LpNormalization', [s.value('x', [3, 4])]),
  'Normalisation to sum 1': (s) =>
    s.op('LpNormalization', [s.value('x', [3, 4])], { p: int(1), axis: int(0) }),
  'Normalisation of mean and variance': (s) =>
    s.op('MeanVarianceNormalization', [s.value('x', [2, 3, 2, 2])]),
}

const others: Record<string, Drawing> = {
  'Dropout, at inference': (s) =>
    s.training('Dropout', [s.op('Tanh', [s.value('x', [2, 6])])], 1, { ratio: float(0.5) })[0]!,
  'Dropout, as it stands in files': (s) => s.op('Dropout', [s.op('Tanh', [s.value('x', [2, 6])])]),
  Flatten: (s) => s.op('Flatten', [s.value('x', [2, 3, 2, 2])]),
}

export const layerCases: CaseTable = {
  ...fullyConnected,
  ...convolutions,
  ...poolings,
  ...normalisations,
  ...others,
}
