import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { checkGradients } from '#trainer/autodiff/gradient-check.ts'
import { between, sketched, type Draw, type Sketch } from '#trainer/autodiff/gradient-suite/sketch.ts'
import { referenceEngine } from '#trainer/engines/reference/engine.ts'
import { tensor } from '#trainer/graph/tensor.ts'
import { float, int, ints, string } from '#trainer/graph/types.ts'
import type { Attributes } from '#trainer/graph/types.ts'

const positive = between(0.5, 2)
const upTo = (max: number, min = 1) => fc.integer({ min, max })

/** Draws graphs and numbers, and asks of every gradient that differences agree with it to 1e-6. */
async function holds<T>(
  drawn: fc.Arbitrary<T>,
  write: (s: Sketch, drawn: T) => string,
  runs = 15,
  opset = 18,
): Promise<void> {
  await fc.assert(
    fc.asyncProperty(drawn, fc.nat(1000), async (each, seed) => {
      const problem = sketched('drawn', (s) => write(s, each), { seed, opset })
      const rows = await checkGradients(referenceEngine, problem, { most: 24 })
      for (const row of rows)
        expect(row.relativeError, `${row.name} ${JSON.stringify(row.worst)}`).toBeLessThanOrEqual(1e-6)
    }),
    { numRuns: runs, seed: 20260801 },
  )
}

interface Axis {
  size: number
  kernel: number
  stride: number
  dilation: number
  before: number
  behind: number
}

/** One axis of a window that fits at least once. */
const axis = fc
  .record({
    size: upTo(6),
    kernel: upTo(3),
    stride: upTo(3),
    dilation: upTo(2),
    before: upTo(2, 0),
    behind: upTo(2, 0),
  })
  .filter(
    ({ size, kernel, dilation, before, behind }) => (kernel - 1) * dilation + 1 <= size + before + behind,
  )

/** Poolings want a pixel of the picture in every window. */
const poolAxis = axis.filter(
  ({ size, kernel, dilation, before, behind }) =>
    before < kernel && behind < kernel && dilation === 1 && kernel <= size,
)

const windowOf = (axes: readonly Axis[]): Attributes => ({
  kernel_shape: ints(axes.map(({ kernel }) => kernel)),
  strides: ints(axes.map(({ stride }) => stride)),
  dilations: ints(axes.map(({ dilation }) => dilation)),
  pads: ints([...axes.map(({ before }) => before), ...axes.map(({ behind }) => behind)]),
})

const sizes = (axes: readonly Axis[]): number[] => axes.map(({ size }) => size)
const kernels = (axes: readonly Axis[]): number[] => axes.map(({ kernel }) => kernel)

const channels = fc.record({ batch: upTo(2), group: upTo(3), from: upTo(2), to: upTo(2) })
const bits = fc.boolean()

describe('convolutions of any geometry', () => {
  it('Conv', () =>
    holds(fc.tuple(axis, axis, channels, bits), (s, [high, wide, { batch, group, from, to }, bias]) => {
      const axes = [high, wide]
      const inputs = [
        s.value('x', [batch, group * from, ...sizes(axes)]),
        s.value('w', [group * to, from, ...kernels(axes)]),
        ...(bias ? [s.value('bias', [group * to])] : []),
      ]
      return s.op('Conv', inputs, { ...windowOf(axes), group: int(group) })
    }))

  it('Conv over one and over three axes', () =>
    holds(
      fc.tuple(
        fc.array(axis, { minLength: 1, maxLength: 3 }).filter((axes) => axes.length !== 2),
        upTo(2),
      ),
      (s, [axes, batch]) =>
        s.op(
          'Conv',
          [s.value('x', [batch, 2, ...sizes(axes)]), s.value('w', [2, 2, ...kernels(axes)])],
          windowOf(axes),
        ),
      8,
    ))

  it('Conv whose padding is found by itself', () =>
    holds(
      fc.tuple(axis, axis, fc.constantFrom('SAME_UPPER', 'SAME_LOWER', 'VALID')),
      (s, [high, wide, auto]) => {
        const axes = [high, wide].map((each) => ({ ...each, size: each.size + 4 }))
        const { pads: _, ...window } = windowOf(axes)
        return s.op('Conv', [s.value('x', [1, 2, ...sizes(axes)]), s.value('w', [2, 2, ...kernels(axes)])], {
          ...window,
          auto_pad: string(auto),
        })
      },
    ))

  it('ConvTranspose', () =>
    holds(
      fc
        .tuple(axis, axis, channels, fc.tuple(upTo(2, 0), upTo(2, 0)), bits)
        // What is cut off must leave something; what is added must be less than a step.
        .filter(([high, wide, , extra]) =>
          [high, wide].every(
            ({ size, kernel, stride, dilation, before, behind }, index) =>
              extra[index]! < stride &&
              stride * (size - 1) + (kernel - 1) * dilation + 1 + extra[index]! - before - behind >= 1,
          ),
        ),
      (s, [high, wide, { batch, group, from, to }, extra, bias]) => {
        const axes = [high, wide]
        const inputs = [
          s.value('x', [batch, group * from, ...sizes(axes)]),
          s.value('w', [group * from, to, ...kernels(axes)]),
          ...(bias ? [s.value('bias', [group * to])] : []),
        ]
        return s.op('ConvTranspose', inputs, {
          ...windowOf(axes),
          group: int(group),
          output_padding: ints(extra),
        })
      },
    ))

  it('poolings', () =>
    holds(
      fc.tuple(
        poolAxis,
        poolAxis,
        fc.constantFrom('MaxPool', 'AveragePool', 'LpPool'),
        fc.record({ ceil: bits, include: bits }),
      ),
      (s, [high, wide, op, { ceil, include }]) => {
        const axes = [high, wide]
        const { dilations: _, ...window } = windowOf(axes)
        const attributes: Attributes = {
          ...window,
          ceil_mode: int(ceil ? 1 : 0),
          ...(op === 'AveragePool' ? { count_include_pad: int(include ? 1 : 0) } : {}),
        }
        return s.op(op, [s.value('x', [2, 2, ...sizes(axes)])], attributes)
      },
      30,
    ))
})

describe('matrices of any shape', () => {
  it('Gemm', () =>
    holds(
      fc.record({
        m: upTo(4),
        k: upTo(4),
        n: upTo(4),
        transA: bits,
        transB: bits,
        shift: fc.constantFrom('none', 'scalar', 'row', 'column', 'whole'),
        alpha: fc.constantFrom(1, 0.5, -2),
        beta: fc.constantFrom(1, 0.25),
      }),
      (s, { m, k, n, transA, transB, shift, alpha, beta }) => {
        const shapes = { none: null, scalar: [], row: [n], column: [m, 1], whole: [m, n] }
        const c = shapes[shift]
        return s.op(
          'Gemm',
          [
            s.value('a', transA ? [k, m] : [m, k]),
            s.value('b', transB ? [n, k] : [k, n]),
            ...(c === null ? [] : [s.value('c', c)]),
          ],
          {
            transA: int(transA ? 1 : 0),
            transB: int(transB ? 1 : 0),
            alpha: float(alpha),
            beta: float(beta),
          },
        )
      },
    ))

  it('MatMul', () =>
    holds(
      fc.record({
        lead: fc.array(upTo(3), { maxLength: 2 }),
        onesA: fc.array(bits, { minLength: 2, maxLength: 2 }),
        onesB: fc.array(bits, { minLength: 2, maxLength: 2 }),
        dropA: upTo(3, 0),
        dropB: upTo(3, 0),
        m: upTo(3),
        k: upTo(3),
        n: upTo(3),
      }),
      (s, { lead, onesA, onesB, dropA, dropB, m, k, n }) => {
        // Leading axes may be 1, or left out from the front, the row and the column last of all.
        const side = (
          ones: readonly boolean[],
          drop: number,
          matrix: number[],
          vector: number[],
        ): number[] => {
          const own = lead.map((size, index) => (ones[index] ? 1 : size))
          return drop > lead.length ? vector : [...own.slice(drop), ...matrix]
        }
        return s.op('MatMul', [
          s.value('a', side(onesA, dropA, [m, k], [k])),
          s.value('b', side(onesB, dropB, [k, n], [k])),
        ])
      },
      30,
    ))
})

/** A shape, and two parts of it that broadcast to it together. */
const broadcastPair = fc
  .array(fc.tuple(upTo(3), fc.constantFrom('both', 'left', 'right')), { maxLength: 3 })
  .chain((axes) =>
    fc.tuple(fc.constant(axes), upTo(axes.length, 0), bits).map(([all, drop, swap]) => {
      const whole = all.map(([size, who]) => (who === 'right' ? 1 : size))
      const part = all.map(([size, who]) => (who === 'left' ? 1 : size)).slice(drop)
      return swap ? [part, whole] : [whole, part]
    }),
  )

describe('elementwise operators with any broadcasting', () => {
  const operators: [string, Draw | undefined][] = [
    ['Add', undefined],
    ['Sub', undefined],
    ['Mul', undefined],
    ['Div', positive],
    ['Pow', positive],
    ['Max', undefined],
    ['Min', undefined],
    ['Mean', undefined],
  ]
  it.each(operators)('%s', (op, draw) =>
    holds(broadcastPair, (s, [a, b]) => s.op(op, [s.value('a', a!, draw), s.value('b', b!, draw)]), 10),
  )

  it('a chain of means, products and sums, where gradients stay narrow as long as they can', () =>
    holds(
      fc.array(fc.constantFrom('mean', 'gate', 'shift', 'relu', 'scale', 'flat'), {
        minLength: 2,
        maxLength: 6,
      }),
      (s, steps) => {
        const x = s.value('x', [2, 3, 2, 2])
        return steps.reduce((value, step) => {
          const mean = s.op('GlobalAveragePool', [value])
          switch (step) {
            case 'mean':
              return s.op('Add', [value, mean])
            case 'gate':
              return s.op('Mul', [value, s.op('Sigmoid', [mean])])
            case 'shift':
              return s.op('Sub', [mean, value])
            case 'relu':
              return s.op('Tanh', [value])
            case 'scale':
              return s.op('Mul', [value, s.value('scale', [3, 1, 1])])
            case 'flat':
              return s.op('Add', [s.reshape(s.reshape(mean, 2, 3), 2, 3, 1, 1), value])
          }
        }, x)
      },
      25,
    ))
})

const shape = fc.array(upTo(4), { minLength: 1, maxLength: 4 })

describe('reductions over any axes', () => {
  const operators: [string, Draw | undefined][] = [
    ...['Sum', 'Mean', 'Max', 'Min', 'L1', 'L2', 'SumSquare', 'LogSumExp', 'Prod'].map(
      (op): [string, undefined] => [op, undefined],
    ),
    ['LogSum', positive],
  ]
  it.each(operators)('Reduce%s', (op, draw) =>
    holds(
      shape.chain((sizesOf) =>
        fc.tuple(fc.constant(sizesOf), fc.subarray(sizesOf.map((_, at) => at)), bits, bits),
      ),
      (s, [sizesOf, axes, keep, negative]) => {
        const written = negative ? axes.map((each) => each - sizesOf.length) : axes
        return s.op(`Reduce${op}`, [s.value('x', sizesOf, draw), s.list(...written)], {
          keepdims: int(keep ? 1 : 0),
        })
      },
      8,
    ),
  )

  it.each(['Softmax', 'LogSoftmax'])('%s along any axis', (op) =>
    holds(
      shape.chain((sizesOf) => fc.tuple(fc.constant(sizesOf), upTo(sizesOf.length - 1, -sizesOf.length))),
      (s, [sizesOf, at]) => s.op(op, [s.value('x', sizesOf)], { axis: int(at) }),
      8,
    ),
  )
})

describe('layouts of any form', () => {
  it('Slice', () =>
    holds(
      fc.array(fc.tuple(upTo(6), upTo(8, -8), upTo(8, -8), fc.constantFrom(-3, -2, -1, 1, 2, 3)), {
        minLength: 1,
        maxLength: 3,
      }),
      (s, axes) => {
        const x = s.value(
          'x',
          axes.map(([size]) => size),
        )
        const lists = [1, 2, 3].map((at) => s.list(...axes.map((each) => each[at]!)))
        const cut = s.op('Slice', [x, lists[0]!, lists[1]!, s.list(...axes.keys()), lists[2]!])
        // Nothing may be left of it.
        return s.op('Add', [s.total(cut), s.total(s.op('Mul', [x, x]))])
      },
      40,
    ))

  it('Pad', () =>
    holds(
      fc.tuple(
        fc.constantFrom('constant', 'edge', 'reflect', 'wrap'),
        fc.array(fc.tuple(upTo(4, 2), upTo(3, 0), upTo(3, 0)), { minLength: 1, maxLength: 3 }),
      ),
      (s, [mode, axes]) => {
        const most = (size: number, pad: number): number =>
          Math.min(pad, mode === 'reflect' ? size - 1 : mode === 'wrap' ? size : pad)
        const before = axes.map(([size, pad]) => most(size, pad))
        const behind = axes.map(([size, , pad]) => most(size, pad))
        const x = s.value(
          'x',
          axes.map(([size]) => size),
        )
        return s.op('Pad', [x, s.list(...before, ...behind)], { mode: string(mode) })
      },
      25,
      19,
    ))

  it('Transpose, Concat and Split', () =>
    holds(
      fc.tuple(
        fc.shuffledSubarray([0, 1, 2], { minLength: 3 }),
        upTo(2, -3),
        fc.array(upTo(3), { minLength: 1, maxLength: 3 }),
        fc.nat(2),
      ),
      (s, [order, at, lengths, read]) => {
        const parts = lengths.map((length, index) => {
          const own = [2, 3, 2]
          own[at < 0 ? at + 3 : at] = length
          return s.value(`part ${index}`, own)
        })
        const joined = s.op('Concat', parts, { axis: int(at) })
        const apart = s.ops('Split', [joined, s.list(...lengths)], lengths.length, { axis: int(at) })
        return s.transpose(s.op('Tanh', [apart[read % lengths.length]!]), ...order)
      },
    ))

  it('Gather', () =>
    holds(
      fc
        .record({
          sizesOf: fc.array(upTo(3), { minLength: 1, maxLength: 3 }),
          at: fc.nat(2),
          picks: fc.array(fc.nat(5), { minLength: 1, maxLength: 6 }),
          flat: bits,
        })
        .map((each) => ({ ...each, at: each.at % each.sizesOf.length })),
      (s, { sizesOf, at, picks, flat }) => {
        const rows = picks.map((pick) => BigInt(pick % sizesOf[at]!))
        const form = flat ? [rows.length] : [1, rows.length]
        const indices = s.given('indices', tensor('int64', form, BigInt64Array.from(rows)))
        return s.op('Gather', [s.value('x', sizesOf), indices], { axis: int(at) })
      },
    ))

  it('Expand, Tile and Resize', () =>
    holds(
      fc.tuple(
        fc.array(upTo(3), { minLength: 4, maxLength: 4 }),
        fc.array(upTo(3), { minLength: 2, maxLength: 2 }),
      ),
      (s, [repeats, [high, wide]]) => {
        const small = s.value('small', [2, 1, 2])
        const large = s.op('Expand', [small, s.list(repeats[0]!, 2, repeats[1]!, 1)])
        const tiled = s.op('Tile', [large, s.list(...repeats)])
        const grown = s.op('Resize', [tiled, '', s.constant([4], [1, 1, high!, wide!])], {
          mode: string('nearest'),
        })
        return s.op('GlobalAveragePool', [grown])
      },
      10,
    ))
})

describe('normalisations of any shape', () => {
  const maps = fc.record({
    batch: upTo(3),
    groups: upTo(2),
    perGroup: upTo(2),
    map: fc.array(upTo(3), { minLength: 1, maxLength: 2 }),
  })
  // The derivative of a normalisation over one value is 0 by cancellation, of which differences see the rounding only.
  const several = maps.filter(({ map, perGroup }) => perGroup * map.reduce((a, b) => a * b, 1) > 2)
  const per = (s: Sketch, count: number): string[] => [s.value('scale', [count]), s.value('shift', [count])]

  it('batch normalisation, both forms', () =>
    holds(several, (s, { batch, groups, perGroup, map }) => {
      const count = groups * perGroup
      const x = s.value('x', [batch + 1, count, ...map])
      const [first] = s.training('BatchNormalizationTraining', [x, ...per(s, count)], 3, {
        epsilon: float(1e-3),
      })
      const fixed = [s.value('mean', [count]), s.value('variance', [count], positive)]
      return s.op('BatchNormalization', [first!, ...per(s, count), ...fixed])
    }))

  it('layer, group and instance normalisation', () =>
    holds(several, (s, { batch, groups, perGroup, map }) => {
      const count = groups * perGroup
      const whole = [batch, count, ...map]
      const x = s.value('x', whole)
      const grouped = s.op('GroupNormalization', [x, ...per(s, groups)], {
        num_groups: int(groups),
        epsilon: float(1e-2),
      })
      const layered = s.op(
        'LayerNormalization',
        [s.op('Tanh', [grouped]), s.value('layer scale', whole.slice(1)), s.value('layer shift', map)],
        { axis: int(1), epsilon: float(1e-2) },
      )
      return s.op('Add', [layered, x])
    }))
})
