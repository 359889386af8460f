import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { referenceEngine } from '#trainer/engines/reference/engine.ts'
import { float32 } from '#trainer/graph/tensor.ts'
import { int, ints, string } from '#trainer/graph/types.ts'
import type { Attributes } from '#trainer/graph/types.ts'
import { anySeed, expectSame, graphOf, normals, run, sampled, wholes } from '../../helpers/engines.ts'
import type { Sample } from '../../helpers/engines.ts'

/** How a window slides along each axis, and a size of input that it fits. */
interface Sliding {
  kernel: number[]
  strides: number[]
  dilations: number[]
  begin: number[]
  end: number[]
  sizes: number[]
}

/** What the largest of no pixel is, ONNX leaves open: a dilated window may step over a small picture into its padding. */
function everyWindowSees(
  axis: Record<'kernel' | 'stride' | 'dilation' | 'before' | 'after' | 'size', number>,
): boolean {
  const { kernel, stride, dilation, before, after, size } = axis
  const last = size + after - (kernel - 1) * dilation - 1
  for (let start = -before; start <= last + stride - 1 && start < size; start += stride) {
    const taps = Array.from({ length: kernel }, (_, tap) => start + tap * dilation)
    if (!taps.some((at) => at >= 0 && at < size)) return false
  }
  return true
}

/** `inside`: padding stays smaller than the window, as poolings want it. */
function slidings(inside: boolean): fc.Arbitrary<Sliding> {
  const axis = fc
    .record({
      kernel: fc.integer({ min: 1, max: 4 }),
      stride: fc.integer({ min: 1, max: 5 }),
      dilation: fc.integer({ min: 1, max: 2 }),
      begin: fc.integer({ min: 0, max: 3 }),
      end: fc.integer({ min: 0, max: 3 }),
      room: fc.integer({ min: 0, max: 6 }),
    })
    .map(({ kernel, stride, dilation, begin, end, room }) => {
      const most = inside ? kernel - 1 : 3
      const [before, after] = [Math.min(begin, most), Math.min(end, most)]
      const reach = (kernel - 1) * dilation + 1
      return { kernel, stride, dilation, before, after, size: Math.max(1, reach - before - after + room) }
    })
    .filter((drawn) => !inside || everyWindowSees(drawn))
  return fc.array(axis, { minLength: 1, maxLength: 3 }).map((axes) => ({
    kernel: axes.map(({ kernel }) => kernel),
    strides: axes.map(({ stride }) => stride),
    dilations: axes.map(({ dilation }) => dilation),
    begin: axes.map(({ before }) => before),
    end: axes.map(({ after }) => after),
    sizes: axes.map(({ size }) => size),
  }))
}

const written = ({ kernel, strides, dilations, begin, end }: Sliding): Attributes => ({
  kernel_shape: ints(kernel),
  strides: ints(strides),
  dilations: ints(dilations),
  pads: ints([...begin, ...end]),
})

/** Large enough for every window without padding, dilation left out (the runtime does not pad it by itself). */
const automatic = (sliding: Sliding, mode: string): { sizes: number[]; attributes: Attributes } => ({
  sizes: sliding.sizes.map((size, axis) => Math.max(size, sliding.kernel[axis]!)),
  attributes: {
    kernel_shape: ints(sliding.kernel),
    strides: ints(sliding.strides),
    auto_pad: string(mode),
  },
})

const anyMode = fc.constantFrom('SAME_UPPER', 'SAME_LOWER', 'VALID')
const small = fc.integer({ min: 1, max: 3 })

describe('convolution', () => {
  const convolutions = fc
    .record({
      sliding: slidings(false),
      batch: small,
      group: small,
      channels: small,
      filters: small,
      seed: anySeed,
    })
    .map((drawn) => ({ ...drawn, bias: drawn.seed % 2 === 0 }))

  it('of any groups, strides, pads and dilations', () =>
    sampled(
      convolutions.map(({ sliding, batch, group, channels, filters, seed, bias }): Sample => ({
        op: 'Conv',
        inputs: [
          normals([batch, channels * group, ...sliding.sizes], seed),
          normals([filters * group, channels, ...sliding.kernel], seed + 1),
          ...(bias ? [normals([filters * group], seed + 2)] : []),
        ],
        attributes: { ...written(sliding), group: int(group) },
      })),
      expectSame,
      60,
    ))

  it('that pads itself', () =>
    sampled(
      fc.tuple(convolutions, anyMode).map(([{ sliding, batch, channels, filters, seed }, mode]): Sample => {
        const { sizes, attributes } = automatic(sliding, mode)
        return {
          op: 'Conv',
          inputs: [
            normals([batch, channels, ...sizes], seed),
            normals([filters, channels, ...sliding.kernel], seed + 1),
          ],
          attributes,
        }
      }),
    ))

  it('run backwards', () =>
    sampled(
      fc
        .tuple(convolutions, fc.boolean())
        .map(([{ sliding, batch, group, channels, filters, seed, bias }, extra]): Sample => {
          // Sizes of what goes in are free here, as long as something is left between the pads.
          const sizes = sliding.sizes.map((size, axis) => {
            const reach = (sliding.kernel[axis]! - 1) * sliding.dilations[axis]! + 1
            const out = (given: number): number =>
              sliding.strides[axis]! * (given - 1) + reach - sliding.begin[axis]! - sliding.end[axis]!
            let enough = size
            while (out(enough) < 1) enough++
            return enough
          })
          const padding = sliding.strides.map((stride) => (extra ? stride - 1 : 0))
          return {
            op: 'ConvTranspose',
            inputs: [
              normals([batch, channels * group, ...sizes], seed),
              normals([channels * group, filters, ...sliding.kernel], seed + 1),
              ...(bias ? [normals([filters * group], seed + 2)] : []),
            ],
            attributes: { ...written(sliding), group: int(group), output_padding: ints(padding) },
          }
        }),
      expectSame,
      40,
    ))
})

describe('pooling', () => {
  const poolings = fc.record({
    sliding: slidings(true),
    batch: small,
    channels: small,
    ceil: fc.boolean(),
    seed: anySeed,
  })
  const attributesOf = (sliding: Sliding, ceil: boolean): Attributes => ({
    ...written(sliding),
    ceil_mode: int(ceil ? 1 : 0),
  })

  it('takes the largest, and says where it stood', () =>
    sampled(
      poolings.map(({ sliding, batch, channels, ceil, seed }): Sample => ({
        op: 'MaxPool',
        inputs: [normals([batch, channels, ...sliding.sizes], seed)],
        attributes: attributesOf(sliding, ceil),
        outputs: 2,
      })),
      expectSame,
      60,
    ))

  it('takes the first of several largest', () =>
    sampled(
      poolings.map(({ sliding, batch, channels, seed }): Sample => ({
        op: 'MaxPool',
        inputs: [wholes([batch, channels, ...sliding.sizes], seed, 0, 2)],
        attributes: attributesOf(sliding, false),
        outputs: 2,
      })),
    ))

  it.each([0, 1])('averages (padding counted: %i)', (all) =>
    sampled(
      poolings.map(({ sliding, batch, channels, ceil, seed }): Sample => ({
        op: 'AveragePool',
        inputs: [normals([batch, channels, ...sliding.sizes], seed)],
        attributes: { ...attributesOf(sliding, ceil), count_include_pad: int(all) },
        // Dilation came with set 19.
        opset: 19,
      })),
      expectSame,
      60,
    ),
  )

  it('takes norms', () =>
    sampled(
      fc
        .tuple(poolings, fc.constantFrom(1, 2, 3))
        .map(([{ sliding, batch, channels, ceil, seed }, p]): Sample => ({
          op: 'LpPool',
          inputs: [normals([batch, channels, ...sliding.sizes], seed)],
          attributes: { ...attributesOf(sliding, ceil), p: int(p) },
        })),
    ))

  it.each(['MaxPool', 'AveragePool'])('%s that pads itself', (op) =>
    sampled(
      fc.tuple(poolings, anyMode).map(([{ sliding, batch, channels, seed }, mode]): Sample => {
        // The runtime refuses a pooling that would have to leave pixels out between its windows and behind them.
        const strides = sliding.strides.map((stride, axis) => Math.min(stride, sliding.kernel[axis]!))
        const { sizes, attributes } = automatic({ ...sliding, strides }, mode)
        return { op, inputs: [normals([batch, channels, ...sizes], seed)], attributes }
      }),
    ),
  )

  it.each(['GlobalAveragePool', 'GlobalMaxPool', 'GlobalLpPool'])('%s', (op) =>
    sampled(
      poolings.map(({ sliding, batch, channels, seed }): Sample => ({
        op,
        inputs: [normals([batch, channels, ...sliding.sizes], seed)],
      })),
    ),
  )
})

describe('hard cases by name', () => {
  const conv = (shape: number[], kernel: number[], attributes: Attributes = {}): Sample => ({
    op: 'Conv',
    inputs: [normals(shape, 1), normals(kernel, 2), normals([kernel[0]!], 3)],
    attributes,
  })
  const pool = (op: string, shape: number[], attributes: Attributes): Sample => ({
    op,
    inputs: [normals(shape, 4)],
    attributes,
  })
  const cases: [string, Sample][] = [
    ['a batch of 1 and a map of 1 × 1', conv([1, 3, 1, 1], [2, 3, 1, 1])],
    ['a filter of 3 × 3 over a map of 1 × 1', conv([2, 3, 1, 1], [2, 3, 3, 3], { pads: ints([1, 1, 1, 1]) })],
    ['a filter as large as the picture', conv([2, 2, 5, 4], [3, 2, 5, 4])],
    ['a stride larger than the filter', conv([1, 2, 9, 9], [2, 2, 2, 2], { strides: ints([5, 4]) })],
    [
      'a stride larger than the filter, filter of 1',
      conv([1, 2, 7, 7], [2, 2, 1, 1], { strides: ints([3, 2]) }),
    ],
    ['one filter per channel', conv([2, 4, 6, 6], [4, 1, 3, 3], { group: int(4), pads: ints([1, 1, 1, 1]) })],
    ['two filters per channel', conv([1, 3, 5, 5], [6, 1, 3, 3], { group: int(3) })],
    [
      'padding on one side only',
      conv([1, 1, 4, 4], [1, 1, 3, 3], { pads: ints([0, 1, 2, 0]), strides: ints([2, 2]) }),
    ],
    ['padding wider than the filter', conv([1, 1, 2, 2], [1, 1, 2, 2], { pads: ints([3, 3, 3, 3]) })],
    [
      'a dilation that touches the corners only',
      conv([1, 1, 5, 5], [1, 1, 2, 2], { dilations: ints([4, 4]) }),
    ],
    [
      'an odd pixel of padding behind',
      conv([1, 1, 4, 4], [1, 1, 3, 3], { auto_pad: string('SAME_UPPER'), strides: ints([2, 2]) }),
    ],
    [
      'an odd pixel of padding before',
      conv([1, 1, 4, 4], [1, 1, 3, 3], { auto_pad: string('SAME_LOWER'), strides: ints([2, 2]) }),
    ],
    [
      'a last window that is partly beyond the picture',
      pool('MaxPool', [1, 1, 6, 6], { kernel_shape: ints([3, 3]), strides: ints([2, 2]), ceil_mode: int(1) }),
    ],
    [
      'an average whose last window is partly beyond the picture',
      pool('AveragePool', [1, 2, 6, 6], {
        kernel_shape: ints([3, 3]),
        strides: ints([2, 2]),
        ceil_mode: int(1),
      }),
    ],
    [
      'the same, with padding counted: what lies beyond it is not',
      pool('AveragePool', [1, 2, 6, 6], {
        kernel_shape: ints([3, 3]),
        strides: ints([2, 2]),
        pads: ints([1, 1, 1, 1]),
        ceil_mode: int(1),
        count_include_pad: int(1),
      }),
    ],
    [
      'a window that would begin in the padding behind',
      pool('MaxPool', [1, 1, 2, 2], {
        kernel_shape: ints([1, 1]),
        strides: ints([2, 2]),
        ceil_mode: int(1),
      }),
    ],
    ['a pooling of the whole map', pool('AveragePool', [3, 2, 7, 7], { kernel_shape: ints([7, 7]) })],
    [
      'a pooling of a map of 1 × 1',
      pool('MaxPool', [1, 2, 1, 1], { kernel_shape: ints([2, 2]), pads: ints([0, 0, 1, 1]) }),
    ],
  ]

  it.each(cases)('%s', (_, sample) => expectSame(sample))

  it('a padding never is the largest, even where all is negative', async () => {
    const sample: Sample = {
      op: 'MaxPool',
      inputs: [float32([1, 1, 2, 2], [-4, -3, -2, -1])],
      attributes: { kernel_shape: ints([2, 2]), pads: ints([1, 1, 1, 1]) },
    }
    await expectSame(sample)
    const { graph, feeds } = graphOf(sample)
    const [y] = Object.values(await run(referenceEngine, graph, feeds))
    expect([...(y!.data as Float64Array)]).toEqual([-4, -3, -3, -2, -1, -1, -2, -1, -1])
  })
})
