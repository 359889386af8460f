import fc from 'fast-check'
import { describe, it } from 'vitest'
import { float32, int64s, scalar, tensor } from '#trainer/graph/tensor.ts'
import { int, ints, string, tensorAttribute } from '#trainer/graph/types.ts'
import type { Tensor } from '#trainer/graph/types.ts'
import {
  anyAxis,
  anyBroadcast,
  anySeed,
  anyShape,
  expectSame,
  integer,
  normals,
  sampled,
  shapeAndAxes,
  shapeAndAxis,
  wholes,
} from '../../helpers/engines.ts'
import type { Sample } from '../../helpers/engines.ts'

const indices = (shape: readonly number[], seed: number, size: number): Tensor => {
  const { data } = wholes(shape, seed, -size, size - 1)
  return tensor('int64', shape, BigInt64Array.from(data as Float32Array, BigInt))
}

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
