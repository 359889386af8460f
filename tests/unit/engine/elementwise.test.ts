import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { referenceEngine } from '#trainer/engines/reference/engine.ts'
import { erf, roundToEven } from '#trainer/engines/reference/special.ts'
import { float32, int64s, numbers, scalar, tensor } from '#trainer/graph/tensor.ts'
import { float, int, string } from '#trainer/graph/types.ts'
import type { Attributes, Tensor } from '#trainer/graph/types.ts'
import {
  anyBroadcast,
  anySeed,
  anyShape,
  between,
  expectSame,
  graphOf,
  normals,
  run,
  sampled,
  wholes,
} from '../../helpers/engines.ts'
import type { Sample } from '../../helpers/engines.ts'

type Draw = (shape: readonly number[], seed: number) => Tensor

const positive: Draw = (shape, seed) => between(shape, seed, 0.1, 4)
const inside: Draw = (shape, seed) => between(shape, seed, -0.95, 0.95)
const aboveOne: Draw = (shape, seed) => between(shape, seed, 1.05, 5)
const wide: Draw = (shape, seed) => between(shape, seed, -8, 8)
const ties: Draw = (shape, seed) => wholes(shape, seed, -3, 3)
/** Halves too: what lies in the middle of two whole numbers. */
const halves: Draw = (shape, seed) => {
  const { data } = wholes(shape, seed, -6, 6)
  return float32(
    shape,
    (data as Float32Array).map((value) => value / 2),
  )
}
const bools: Draw = (shape, seed) => {
  const { data } = wholes(shape, seed, 0, 1)
  return tensor('bool', shape, Uint8Array.from(data as Float32Array))
}
const whole64: Draw = (shape, seed) => {
  const { data } = wholes(shape, seed, -9, 9)
  return tensor('int64', shape, BigInt64Array.from(data as Float32Array, BigInt))
}
const nonZero64: Draw = (shape, seed) => {
  const { data } = wholes(shape, seed, -9, 9)
  return tensor(
    'int64',
    shape,
    BigInt64Array.from(data as Float32Array, (each) => BigInt(each === 0 ? 7 : each)),
  )
}

describe('two values, broadcast', () => {
  const binary: [string, Draw, Draw, Attributes?][] = [
    ['Add', normals, normals],
    ['Sub', normals, normals],
    ['Mul', normals, normals],
    ['Div', normals, positive],
    ['Pow', positive, normals],
    ['Max', normals, normals],
    ['Min', normals, normals],
    ['Mod', wide, positive, { fmod: int(1) }],
    ['Equal', ties, ties],
    ['Less', ties, ties],
    ['LessOrEqual', ties, ties],
    ['Greater', ties, ties],
    ['GreaterOrEqual', ties, ties],
    ['And', bools, bools],
    ['Or', bools, bools],
    ['Xor', bools, bools],
    ['Add', whole64, whole64],
    ['Mul', whole64, whole64],
    ['Div', whole64, nonZero64],
    ['Mod', whole64, nonZero64],
  ]
  it.each(binary)('%s', (op, left, right, attributes = {}) =>
    sampled(
      anyShape({ min: 0, max: 4 })
        .chain((shape) => fc.tuple(anyBroadcast(shape), anyBroadcast(shape), anySeed))
        .map(([a, b, seed]): Sample => ({ op, inputs: [left(a, seed), right(b, seed + 1)], attributes })),
      (sample) => expectSame(sample),
      12,
    ),
  )

  it.each(['Max', 'Min', 'Sum', 'Mean'])('%s of several', (op) =>
    sampled(
      anyShape({ min: 0, max: 3 })
        .chain((shape) => fc.tuple(fc.array(anyBroadcast(shape), { minLength: 1, maxLength: 4 }), anySeed))
        .map(([shapes, seed]): Sample => ({ op, inputs: shapes.map((each, i) => normals(each, seed + i)) })),
    ),
  )

  it('Where', () =>
    sampled(
      anyShape({ min: 0, max: 4 })
        .chain((shape) => fc.tuple(anyBroadcast(shape), anyBroadcast(shape), anyBroadcast(shape), anySeed))
        .map(([condition, a, b, seed]): Sample => ({
          op: 'Where',
          inputs: [bools(condition, seed), normals(a, seed + 1), normals(b, seed + 2)],
        })),
    ))

  it('PRelu, the slope broadcast to the values', () =>
    sampled(
      anyShape({ min: 1, max: 4 })
        .chain((shape) => fc.tuple(fc.constant(shape), anyBroadcast(shape), anySeed))
        .map(([shape, slope, seed]): Sample => ({
          op: 'PRelu',
          inputs: [normals(shape, seed), normals(slope, seed + 1)],
        })),
    ))
})

describe('one value', () => {
  const unary: [string, Draw, Attributes?, number?][] = [
    ['Relu', normals],
    ['LeakyRelu', normals],
    ['LeakyRelu', normals, { alpha: float(0.3) }],
    ['ThresholdedRelu', normals, { alpha: float(0.5) }],
    ['Elu', normals, { alpha: float(1.7) }],
    ['Selu', normals],
    ['Celu', normals, { alpha: float(0.8) }],
    ['Gelu', wide, {}, 20],
    ['Gelu', wide, { approximate: string('tanh') }, 20],
    ['Mish', wide],
    ['Sigmoid', wide],
    ['HardSigmoid', wide],
    ['HardSigmoid', wide, { alpha: float(1 / 6), beta: float(0.5) }],
    ['HardSwish', wide],
    ['Tanh', wide],
    ['Softplus', wide],
    ['Softsign', wide],
    ['Shrink', normals, { lambd: float(0.4), bias: float(0.2) }],
    ['Swish', wide, { alpha: float(1.3) }, 24],
    ['Erf', wide],
    ['Exp', normals],
    ['Log', positive],
    ['Sqrt', positive],
    ['Reciprocal', positive],
    ['Abs', normals],
    ['Neg', normals],
    ['Sign', ties],
    ['Floor', halves],
    ['Ceil', halves],
    ['Round', halves],
    ['Not', bools],
    ['Sin', wide],
    ['Cos', wide],
    ['Tan', inside],
    ['Asin', inside],
    ['Acos', inside],
    ['Atan', wide],
    ['Sinh', normals],
    ['Cosh', normals],
    ['Asinh', normals],
    ['Acosh', aboveOne],
    ['Atanh', inside],
    ['Identity', normals],
    ['Dropout', normals],
  ]
  it.each(unary)('%s', (op, draw, attributes = {}, opset = 18) =>
    sampled(
      fc
        .tuple(anyShape({ min: 0, max: 4 }), anySeed)
        .map(([shape, seed]): Sample => ({ op, inputs: [draw(shape, seed)], attributes, opset })),
      (sample) => expectSame(sample),
      8,
    ),
  )

  it('Clip, with one bound, both or none', () =>
    sampled(
      fc
        .tuple(anyShape({ min: 0, max: 3 }), anySeed, fc.boolean(), fc.boolean())
        .map(([shape, seed, low, high]): Sample => ({
          op: 'Clip',
          inputs: [normals(shape, seed), low ? scalar(-0.5) : null, high ? scalar(0.75) : null],
        })),
    ))

  it('Clip, where the lower bound is above the upper one', () =>
    expectSame({ op: 'Clip', inputs: [normals([9], 3), scalar(1), scalar(-1)] }))

  it.each([
    ['float32 to int64', 7, halves],
    ['float32 to int32', 6, wide],
    ['float32 to bool', 9, ties],
    ['int64 to float32', 1, whole64],
    ['bool to float32', 1, bools],
  ] as const)('Cast from %s', (_, to, draw) =>
    expectSame({ op: 'Cast', inputs: [draw([3, 7], 5)], attributes: { to: int(to) } }),
  )

  it('IsNaN and IsInf', async () => {
    const odd = float32([5], [NaN, Infinity, -Infinity, 0, 1])
    await expectSame({ op: 'IsNaN', inputs: [odd] })
    await expectSame({ op: 'IsInf', inputs: [odd] })
    await expectSame({ op: 'IsInf', inputs: [odd], attributes: { detect_negative: int(0) } })
  })
})

describe('special values', () => {
  const compute = async (op: string, inputs: Tensor[], attributes: Attributes = {}): Promise<number[]> => {
    const { graph, feeds } = graphOf({ op, inputs, attributes })
    const [y] = Object.values(await run(referenceEngine, graph, feeds))
    return numbers(y!)
  }

  it('erf, to the last digits (Abramowitz & Stegun, table 7.1)', () => {
    expect(erf(0)).toBe(0)
    expect(erf(0.5)).toBeCloseTo(0.5204998778, 10)
    expect(erf(1)).toBeCloseTo(0.8427007929497149, 15)
    expect(erf(-2)).toBeCloseTo(-0.9953222650189527, 15)
    expect(erf(3.5)).toBeCloseTo(0.9999992569016276, 14)
    expect(erf(7)).toBe(1)
  })

  it('halves are rounded to the even number', () => {
    expect([-2.5, -1.5, -0.5, 0.5, 1.5, 2.5, 2.4, 2.6].map(roundToEven)).toEqual([-2, -2, 0, 0, 2, 2, 2, 3])
  })

  it('activations far out neither overflow nor lose the number', async () => {
    const far = tensor('float64', [2], Float64Array.of(-1000, 1000))
    expect(await compute('Softplus', [far])).toEqual([0, 1000])
    expect(await compute('Sigmoid', [far])).toEqual([0, 1])
    expect(await compute('Mish', [far])).toEqual([-0, 1000])
    expect(await compute('LogSoftmax', [far])).toEqual([-2000, 0])
    expect(await compute('ReduceLogSumExp', [far], { keepdims: int(0) })).toEqual([1000])
  })

  it('whole numbers are divided towards zero; remainders have the sign of the divisor, or of the dividend', async () => {
    const [a, b] = [int64s([7, -7, 7, -7]), int64s([2, 2, -2, -2])]
    expect(await compute('Div', [a, b])).toEqual([3, -3, -3, 3])
    const [c, d] = [int64s([7, -7, 7, -7]), int64s([3, 3, -3, -3])]
    expect(await compute('Mod', [c, d])).toEqual([1, 2, -2, -1])
    expect(await compute('Mod', [c, d], { fmod: int(1) })).toEqual([1, -1, 1, -1])
  })

  it('bytes wrap around', async () => {
    const [a, b] = [tensor('uint8', [2], Uint8Array.of(250, 3)), tensor('uint8', [2], Uint8Array.of(10, 5))]
    expect(await compute('Add', [a, b])).toEqual([4, 8])
    expect(await compute('Sub', [a, b])).toEqual([240, 254])
  })

  it('shapes that do not go together are named', async () => {
    await expect(compute('Add', [normals([2, 3], 1), normals([4], 1)])).rejects.toThrow(/\[2, 3\] and \[4\]/)
  })
})
