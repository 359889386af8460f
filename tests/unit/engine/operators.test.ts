import fc from 'fast-check'
import { describe, it } from 'vitest'
import { float32, int64s, scalar, tensor } from '#trainer/graph/tensor.ts'
import { float, int, ints, string, tensorAttribute } from '#trainer/graph/types.ts'
import type { Tensor } from '#trainer/graph/types.ts'
import {
  anyAxis,
  anyBroadcast,
  anySeed,
  anyShape,
  between,
  expectSame,
  normals,
  sampled,
  wholes,
} from '../../helpers/engines.ts'
import type { Sample } from '../../helpers/engines.ts'

/** A shape, and some of its axes (each once, negative ones among them). */
const shapeAndAxes = (rank: { min: number; max: number }): fc.Arbitrary<[number[], number[]]> =>
  anyShape(rank).chain((shape) =>
    fc
      .tuple(fc.subarray(shape.map((_, axis) => axis)), fc.boolean())
      .map(([axes, fromEnd]): [number[], number[]] => [
        shape,
        axes.map((axis) => (fromEnd ? axis - shape.length : axis)),
      ]),
  )

const shapeAndAxis = (rank: { min: number; max: number }): fc.Arbitrary<[number[], number]> =>
  anyShape(rank).chain((shape) => fc.tuple(fc.constant(shape), anyAxis(shape.length)))

const indices = (shape: readonly number[], seed: number, size: number): Tensor => {
  const { data } = wholes(shape, seed, -size, size - 1)
  return tensor('int64', shape, BigInt64Array.from(data as Float32Array, BigInt))
}

const integer = (value: number): Tensor => tensor('int64', [], BigInt64Array.of(BigInt(value)))

describe('matrices', () => {
  const size = fc.integer({ min: 1, max: 6 })

  it('Gemm, turned or not, with and without a summand', () =>
    sampled(
      fc
        .tuple(
          size,
          size,
          size,
          fc.boolean(),
          fc.boolean(),
          fc.constantFrom('none', 'row', 'column', 'all'),
          anySeed,
        )
        .map(([m, k, n, turnA, turnB, summand, seed]): Sample => {
          const shapes = { none: null, row: [n], column: [m, 1], all: [m, n] }
          const shape = shapes[summand]
          return {
            op: 'Gemm',
            inputs: [
              normals(turnA ? [k, m] : [m, k], seed),
              normals(turnB ? [n, k] : [k, n], seed + 1),
              ...(shape === null ? [] : [normals(shape, seed + 2)]),
            ],
            attributes: {
              transA: int(turnA ? 1 : 0),
              transB: int(turnB ? 1 : 0),
              alpha: float(0.5),
              beta: float(-1.5),
            },
          }
        }),
      expectSame,
      40,
    ))

  it('MatMul of stacks, vectors among them', () =>
    sampled(
      fc
        .tuple(
          anyShape({ min: 0, max: 2 }, 3),
          size,
          size,
          size,
          fc.constantFrom('both', 'left', 'right'),
          anySeed,
        )
        .chain(([lead, m, k, n, matrices, seed]) =>
          fc.tuple(anyBroadcast(lead), anyBroadcast(lead)).map(([a, b]): Sample => ({
            op: 'MatMul',
            inputs: [
              normals(matrices === 'right' ? [k] : [...a, m, k], seed),
              normals(matrices === 'left' ? [k] : [...b, k, n], seed + 1),
            ],
          })),
        ),
      expectSame,
      40,
    ))

  it.each([
    [
      'ij,jk->ik',
      [
        [2, 3],
        [3, 4],
      ],
    ],
    [
      'bij,bjk->bik',
      [
        [2, 3, 4],
        [2, 4, 5],
      ],
    ],
    [
      'bhqd,bhkd->bhqk',
      [
        [2, 2, 3, 4],
        [2, 2, 5, 4],
      ],
    ],
    ['ij->ji', [[2, 3]]],
    ['ij->i', [[2, 3]]],
    ['ijk->', [[2, 3, 2]]],
    ['i,j->ij', [[3], [4]]],
    [
      'bi,ij,bj->b',
      [
        [2, 3],
        [3, 4],
        [2, 4],
      ],
    ],
  ])('Einsum %s', (equation, shapes) =>
    expectSame({
      op: 'Einsum',
      inputs: shapes.map((shape, i) => normals(shape, i)),
      attributes: { equation: string(equation) },
    }),
  )
})

describe('reductions', () => {
  const ops: [string, boolean][] = [
    ['ReduceSum', false],
    ['ReduceMean', false],
    ['ReduceMax', false],
    ['ReduceMin', false],
    ['ReduceProd', false],
    ['ReduceL1', false],
    ['ReduceL2', false],
    ['ReduceSumSquare', false],
    ['ReduceLogSumExp', false],
    ['ReduceLogSum', true],
  ]
  it.each(ops)('%s over any axes', (op, positive) =>
    sampled(
      fc
        .tuple(shapeAndAxes({ min: 1, max: 4 }), fc.boolean(), fc.boolean(), anySeed)
        .map(([[shape, axes], keep, noop, seed]): Sample => ({
          op,
          inputs: [
            positive ? between(shape, seed, 0.1, 3) : normals(shape, seed),
            ...(axes.length === 0 ? [] : [int64s(axes)]),
          ],
          attributes: {
            keepdims: int(keep ? 1 : 0),
            noop_with_empty_axes: int(noop && op === 'ReduceSum' ? 1 : 0),
          },
        })),
    ),
  )

  it.each(['Softmax', 'LogSoftmax', 'Hardmax'])('%s along any axis', (op) =>
    sampled(
      fc.tuple(shapeAndAxis({ min: 1, max: 4 }), anySeed).map(([[shape, axis], seed]): Sample => ({
        op,
        inputs: [normals(shape, seed)],
        attributes: { axis: int(axis) },
      })),
    ),
  )

  it('softmax of large numbers does not overflow', () =>
    expectSame({ op: 'Softmax', inputs: [float32([1, 3], [1000, 1001, -1000])] }))

  it.each(['ArgMax', 'ArgMin'])('%s, the first or the last of ties', (op) =>
    sampled(
      fc
        .tuple(shapeAndAxis({ min: 1, max: 4 }), fc.boolean(), fc.boolean(), anySeed)
        .map(([[shape, axis], keep, last, seed]): Sample => ({
          op,
          inputs: [wholes(shape, seed, 0, 2)],
          attributes: { axis: int(axis), keepdims: int(keep ? 1 : 0), select_last_index: int(last ? 1 : 0) },
        })),
    ),
  )

  it('CumSum in all directions', () =>
    sampled(
      fc
        .tuple(shapeAndAxis({ min: 1, max: 3 }), fc.boolean(), fc.boolean(), anySeed)
        .map(([[shape, axis], exclusive, reverse, seed]): Sample => ({
          op: 'CumSum',
          inputs: [normals(shape, seed), integer(axis)],
          attributes: { exclusive: int(exclusive ? 1 : 0), reverse: int(reverse ? 1 : 0) },
        })),
    ))

  it('TopK, largest and smallest, of ties the earlier', () =>
    sampled(
      fc
        .tuple(shapeAndAxis({ min: 1, max: 3 }), fc.boolean(), anySeed)
        .chain(([[shape, axis], largest, seed]) =>
          fc.integer({ min: 1, max: shape.at(axis)! }).map((k): Sample => ({
            op: 'TopK',
            inputs: [wholes(shape, seed, 0, 4), int64s([k])],
            attributes: { axis: int(axis), largest: int(largest ? 1 : 0) },
            outputs: 2,
          })),
        ),
    ))
})

describe('layout', () => {
  const shuffled = (count: number): fc.Arbitrary<number[]> =>
    fc.shuffledSubarray(
      Array.from({ length: count }, (_, i) => i),
      { minLength: count, maxLength: count },
    )

  it('Transpose', () =>
    sampled(
      anyShape({ min: 1, max: 5 })
        .chain((shape) => fc.tuple(fc.constant(shape), shuffled(shape.length), anySeed))
        .map(([shape, order, seed]): Sample => ({
          op: 'Transpose',
          inputs: [normals(shape, seed)],
          attributes: { perm: ints(order) },
        })),
    ))

  it('Reshape: kept sizes, and one that is left to find', () =>
    sampled(
      fc
        .tuple(anyShape({ min: 2, max: 4 }), fc.integer({ min: 0, max: 3 }), anySeed)
        .map(([shape, open, seed]): Sample => {
          const target = [shape[0]! * shape[1]!, ...shape.slice(2)]
          const at = Math.min(open, target.length - 1)
          const axes = [0, ...target.slice(1).map((size, axis) => (size === shape[axis + 1] ? 0 : size))]
          return {
            op: 'Reshape',
            inputs: [
              normals(shape, seed),
              int64s(axes.map((size, axis) => (axis === at ? -1 : (target[axis] ?? size)))),
            ],
          }
        }),
    ))

  it('Flatten, Squeeze and Unsqueeze', async () => {
    const x = normals([2, 1, 3, 1], 4)
    for (const axis of [-4, -1, 0, 1, 2, 4])
      await expectSame({ op: 'Flatten', inputs: [x], attributes: { axis: int(axis) } })
    await expectSame({ op: 'Squeeze', inputs: [x] })
    await expectSame({ op: 'Squeeze', inputs: [x, int64s([-1])] })
    await expectSame({ op: 'Squeeze', inputs: [x, int64s([1, 3])] })
    await expectSame({ op: 'Unsqueeze', inputs: [x, int64s([0, -1, 3])] })
  })

  it('Concat of several', () =>
    sampled(
      shapeAndAxis({ min: 1, max: 4 })
        .chain(([shape, axis]) =>
          fc.tuple(
            fc.constant(shape),
            fc.constant(axis),
            fc.array(fc.integer({ min: 1, max: 3 }), { minLength: 1, maxLength: 4 }),
            anySeed,
          ),
        )
        .map(([shape, axis, sizes, seed]): Sample => ({
          op: 'Concat',
          inputs: sizes.map((size, i) => normals(shape.with(axis, size), seed + i)),
          attributes: { axis: int(axis) },
        })),
    ))

  it('Split into given or equal parts', () =>
    sampled(
      shapeAndAxis({ min: 1, max: 4 })
        .chain(([shape, axis]) =>
          fc.tuple(
            fc.constant(shape),
            fc.constant(axis),
            fc.array(fc.integer({ min: 1, max: 3 }), { minLength: 1, maxLength: 4 }),
            fc.boolean(),
            anySeed,
          ),
        )
        .map(([shape, axis, sizes, given, seed]): Sample => {
          const total = sizes.reduce((a, b) => a + b, 0)
          // Parts that are left to find are as large as the first, the last one smaller.
          const count = Math.ceil(total / Math.ceil(total / sizes.length))
          return {
            op: 'Split',
            inputs: [normals(shape.with(axis, total), seed), ...(given ? [int64s(sizes)] : [])],
            attributes: { axis: int(axis), ...(given ? {} : { num_outputs: int(count) }) },
            outputs: given ? sizes.length : count,
          }
        }),
    ))

  it('Slice, forwards and backwards, beyond the ends', () =>
    sampled(
      shapeAndAxes({ min: 1, max: 4 })
        .filter(([, axes]) => axes.length > 0)
        .chain(([shape, axes]) => {
          const bound = fc.array(fc.integer({ min: -7, max: 7 }), {
            minLength: axes.length,
            maxLength: axes.length,
          })
          const step = fc.array(fc.constantFrom(-2, -1, 1, 2, 3), {
            minLength: axes.length,
            maxLength: axes.length,
          })
          return fc.tuple(fc.constant(shape), fc.constant(axes), bound, bound, step, anySeed)
        })
        .map(([shape, axes, starts, ends, steps, seed]): Sample => ({
          op: 'Slice',
          inputs: [normals(shape, seed), int64s(starts), int64s(ends), int64s(axes), int64s(steps)],
        })),
      expectSame,
      50,
    ))

  it.each(['constant', 'edge', 'reflect', 'wrap'])('Pad with %s', (mode) =>
    sampled(
      anyShape({ min: 1, max: 4 }, 4)
        .chain((shape) => {
          // What is reflected must be there.
          const amounts = shape.map((size) =>
            fc.integer({
              min: 0,
              max: mode === 'constant' || mode === 'edge' ? 3 : mode === 'wrap' ? size : size - 1,
            }),
          )
          return fc.tuple(fc.constant(shape), fc.tuple(...amounts), fc.tuple(...amounts), anySeed)
        })
        .map(([shape, before, after, seed]): Sample => ({
          op: 'Pad',
          inputs: [
            normals(shape, seed),
            int64s([...before, ...after]),
            ...(mode === 'constant' ? [scalar(0.25)] : []),
          ],
          attributes: { mode: string(mode) },
          opset: 19,
        })),
    ),
  )

  it('Pad of some axes, and by negative amounts', async () => {
    const x = normals([2, 3, 4], 8)
    await expectSame({ op: 'Pad', inputs: [x, int64s([1, 0, 2, 1]), scalar(0), int64s([-1, 1])] })
    await expectSame({ op: 'Pad', inputs: [x, int64s([0, -1, 1, 0, 0, -2])] })
  })

  it('Expand and Tile', async () => {
    await sampled(
      anyShape({ min: 1, max: 4 })
        .chain((shape) => fc.tuple(fc.constant(shape), anyBroadcast(shape), anySeed))
        .map(([shape, from, seed]): Sample => ({
          op: 'Expand',
          inputs: [normals(from, seed), int64s(shape)],
        })),
    )
    await sampled(
      fc
        .tuple(anyShape({ min: 3, max: 3 }, 3), anyShape({ min: 3, max: 3 }, 3), anySeed)
        .map(([shape, repeats, seed]): Sample => ({
          op: 'Tile',
          inputs: [normals(shape, seed), int64s(repeats)],
        })),
    )
  })

  it.each(['DCR', 'CRD'])('DepthToSpace %s and back', async (mode) => {
    const attributes = { blocksize: int(2), mode: string(mode) }
    await expectSame({ op: 'DepthToSpace', inputs: [normals([2, 8, 3, 2], 1)], attributes })
    await expectSame({
      op: 'SpaceToDepth',
      inputs: [normals([2, 3, 4, 6], 1)],
      attributes: { blocksize: int(2) },
    })
  })

  it('Trilu, EyeLike, Range, ConstantOfShape, Shape and Size', async () => {
    const x = normals([2, 4, 5], 2)
    for (const upper of [0, 1])
      for (const k of [-2, 0, 1])
        await expectSame({ op: 'Trilu', inputs: [x, integer(k)], attributes: { upper: int(upper) } })
    await expectSame({ op: 'EyeLike', inputs: [normals([3, 4], 1)], attributes: { k: int(1) } })
    await expectSame({ op: 'Shape', inputs: [x], attributes: { start: int(-2) } })
    await expectSame({ op: 'Size', inputs: [x] })
    await expectSame({ op: 'Range', inputs: [integer(7), integer(-2), integer(-2)], constants: [0] })
    await expectSame({ op: 'Range', inputs: [scalar(0), scalar(1), scalar(0.3)], constants: [0, 1, 2] })
    const value = tensorAttribute(float32([1], [0.5]))
    await expectSame({
      op: 'ConstantOfShape',
      inputs: [int64s([2, 3])],
      attributes: { value },
      constants: [0],
    })
  })
})

describe('gathering', () => {
  it('Gather', () =>
    sampled(
      fc
        .tuple(shapeAndAxis({ min: 1, max: 4 }), anyShape({ min: 0, max: 2 }), anySeed)
        .map(([[shape, axis], places, seed]): Sample => ({
          op: 'Gather',
          inputs: [normals(shape, seed), indices(places, seed + 1, shape.at(axis)!)],
          attributes: { axis: int(axis) },
        })),
    ))

  it('GatherElements and ScatterElements', () =>
    sampled(
      fc
        .tuple(shapeAndAxis({ min: 1, max: 3 }), fc.integer({ min: 1, max: 4 }), fc.boolean(), anySeed)
        .map(([[shape, axis], count, scatter, seed]): Sample => {
          if (!scatter)
            return {
              op: 'GatherElements',
              inputs: [normals(shape, seed), indices(shape.with(axis, count), seed + 1, shape.at(axis)!)],
              attributes: { axis: int(axis) },
            }
          // One index per lane: which of two writes to one place wins, ONNX leaves open.
          const places = shape.with(axis, 1)
          return {
            op: 'ScatterElements',
            inputs: [
              normals(shape, seed),
              indices(places, seed + 1, shape.at(axis)!),
              normals(places, seed + 2),
            ],
            attributes: { axis: int(axis) },
          }
        }),
    ))

  it.each(['add', 'mul', 'max', 'min'])(
    'ScatterND that combines by %s, several times in one place',
    (reduction) =>
      sampled(
        fc.tuple(anyShape({ min: 2, max: 3 }, 3), anySeed).map(([shape, seed]): Sample => {
          const count = 5
          return {
            op: 'ScatterND',
            inputs: [
              normals(shape, seed),
              indices([count, 1], seed + 1, shape[0]!),
              normals([count, ...shape.slice(1)], seed + 2),
            ],
            attributes: { reduction: string(reduction) },
          }
        }),
      ),
  )

  it('GatherND with and without a batch', async () => {
    const x = normals([2, 3, 4], 6)
    await expectSame({ op: 'GatherND', inputs: [x, indices([5, 1], 7, 2)] })
    await expectSame({
      op: 'GatherND',
      inputs: [x, indices([2, 3, 1], 7, 3)],
      attributes: { batch_dims: int(1) },
    })
  })

  it('Compress and NonZero', async () => {
    const x = wholes([3, 4], 5, -1, 1)
    const some = tensor('bool', [3], Uint8Array.of(1, 0, 1))
    await expectSame({ op: 'Compress', inputs: [x, some], attributes: { axis: int(0) }, open: true })
    await expectSame({ op: 'Compress', inputs: [x, some], open: true })
    await expectSame({ op: 'NonZero', inputs: [x], open: true })
  })

  it('OneHot along any axis', () =>
    sampled(
      anyShape({ min: 1, max: 3 })
        .chain((shape) => fc.tuple(fc.constant(shape), anyAxis(shape.length + 1), anySeed))
        .map(([shape, axis, seed]): Sample => ({
          op: 'OneHot',
          inputs: [indices(shape, seed, 6), integer(4), float32([2], [-1, 2])],
          attributes: { axis: int(axis) },
        })),
    ))
})

describe('normalisation', () => {
  const maps = fc.tuple(
    fc.integer({ min: 1, max: 3 }),
    fc.integer({ min: 1, max: 3 }),
    anyShape({ min: 0, max: 3 }, 4),
    anySeed,
  )

  it('BatchNormalization with kept statistics', () =>
    sampled(
      maps.map(([batch, channels, spatial, seed]): Sample => ({
        op: 'BatchNormalization',
        inputs: [
          normals([batch, channels, ...spatial], seed, 2),
          normals([channels], seed + 1),
          normals([channels], seed + 2),
          normals([channels], seed + 3),
          between([channels], seed + 4, 0.1, 3),
        ],
        attributes: { epsilon: float(1e-3) },
      })),
    ))

  it('InstanceNormalization', () =>
    sampled(
      maps
        .filter(([, , spatial]) => spatial.length > 0)
        .map(([batch, channels, spatial, seed]): Sample => ({
          op: 'InstanceNormalization',
          inputs: [
            normals([batch, channels, ...spatial], seed, 2),
            normals([channels], seed + 1),
            normals([channels], seed + 2),
          ],
          attributes: { epsilon: float(1e-2) },
        })),
      // Of a map of one pixel the difference from the mean is rounding alone.
      (sample) => expectSame(sample, 5e-5),
    ))

  it.each([18, 21])('GroupNormalization of set %i', (opset) =>
    sampled(
      maps.map(([batch, groups, spatial, seed]): Sample => {
        const channels = groups * 2
        const scales = opset === 18 ? groups : channels
        return {
          op: 'GroupNormalization',
          inputs: [
            normals([batch, channels, ...spatial, 2], seed),
            normals([scales], seed + 1),
            normals([scales], seed + 2),
          ],
          attributes: { num_groups: int(groups), epsilon: float(1e-2) },
          opset,
        }
      }),
      (sample) => expectSame(sample, 5e-5),
    ),
  )

  it('LayerNormalization from any axis on', () =>
    sampled(
      fc
        .tuple(shapeAndAxis({ min: 1, max: 4 }), fc.boolean(), anySeed)
        .map(([[shape, axis], bias, seed]): Sample => {
          const rest = shape.slice(axis)
          return {
            op: 'LayerNormalization',
            inputs: [
              normals([...shape, 3], seed),
              normals([...rest, 3], seed + 1),
              ...(bias ? [normals([...rest, 3], seed + 2)] : []),
            ],
            attributes: { axis: int(axis < 0 ? axis - 1 : axis), epsilon: float(1e-2) },
            outputs: 3,
          }
        }),
      (sample) => expectSame(sample, 5e-5),
    ))

  it('RMSNormalization', () =>
    sampled(
      fc.tuple(anyShape({ min: 1, max: 3 }), anySeed).map(([shape, seed]): Sample => ({
        op: 'RMSNormalization',
        inputs: [normals(shape, seed), normals(shape.slice(-1), seed + 1)],
        opset: 23,
      })),
    ))

  it('LRN over odd and even numbers of channels', () =>
    sampled(
      fc
        .tuple(fc.integer({ min: 1, max: 6 }), fc.constantFrom(1, 3, 5), anySeed)
        .map(([channels, size, seed]): Sample => ({
          op: 'LRN',
          inputs: [normals([2, channels, 2, 3], seed)],
          attributes: { size: int(size), alpha: float(0.3), beta: float(0.6), bias: float(1.5) },
        })),
    ))

  it.each([1, 2])('LpNormalization of degree %i', (p) =>
    sampled(
      fc.tuple(shapeAndAxis({ min: 1, max: 3 }), anySeed).map(([[shape, axis], seed]): Sample => ({
        op: 'LpNormalization',
        inputs: [normals(shape, seed)],
        attributes: { axis: int(axis), p: int(p) },
      })),
    ),
  )

  it('MeanVarianceNormalization', () =>
    expectSame({ op: 'MeanVarianceNormalization', inputs: [normals([2, 3, 4, 4], 9)] }, 5e-5))
})

describe('Resize', () => {
  const images = fc.tuple(
    fc.integer({ min: 1, max: 2 }),
    fc.integer({ min: 2, max: 7 }),
    fc.integer({ min: 2, max: 7 }),
    fc.integer({ min: 2, max: 9 }),
    fc.integer({ min: 2, max: 9 }),
    anySeed,
  )
  const to = (
    [channels, height, width, high, wide, seed]: [number, number, number, number, number, number],
    attributes: Record<string, string | number>,
  ): Sample => ({
    op: 'Resize',
    inputs: [normals([1, channels, height, width], seed), null, null, int64s([1, channels, high, wide])],
    attributes: Object.fromEntries(
      Object.entries(attributes).map(([name, value]) => [
        name,
        typeof value === 'string' ? string(value) : int(value),
      ]),
    ),
  })

  it.each(['half_pixel', 'pytorch_half_pixel', 'align_corners', 'asymmetric'])('linear, %s', (coordinates) =>
    sampled(
      images.map((image) => to(image, { mode: 'linear', coordinate_transformation_mode: coordinates })),
    ),
  )

  it.each(['half_pixel', 'align_corners'])('cubic, %s', (coordinates) =>
    sampled(images.map((image) => to(image, { mode: 'cubic', coordinate_transformation_mode: coordinates }))),
  )

  it.each(['round_prefer_floor', 'round_prefer_ceil', 'floor', 'ceil'])('nearest by %s', (rounding) =>
    // Sizes that go up: where a place lies exactly between two pixels is then the same in 32 and in 64 bits.
    sampled(
      images.map(([channels, height, width, , , seed]) =>
        to([channels, height, width, height * 2, width * 4, seed], {
          mode: 'nearest',
          nearest_mode: rounding,
          coordinate_transformation_mode: 'asymmetric',
        }),
      ),
    ),
  )

  it('linear with a filter that keeps fine patterns from beating', () =>
    sampled(images.map((image) => to(image, { mode: 'linear', antialias: 1, exclude_outside: 1 }))))

  it('by factors', () =>
    expectSame({
      op: 'Resize',
      inputs: [normals([1, 2, 4, 5], 3), null, float32([4], [1, 1, 2, 0.5])],
      attributes: { mode: string('linear') },
      constants: [2],
    }))
})
