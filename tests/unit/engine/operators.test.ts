import fc from 'fast-check'
import { describe, it } from 'vitest'
import { float32, int64s } from '#trainer/graph/tensor.ts'
import { float, int, string } from '#trainer/graph/types.ts'
import {
  anyBroadcast,
  anySeed,
  anyShape,
  between,
  expectSame,
  integer,
  normals,
  sampled,
  shapeAndAxes,
  shapeAndAxis,
  wholes,
} from '../../helpers/engines.ts'
import type { Sample } from '../../helpers/engines.ts'

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
