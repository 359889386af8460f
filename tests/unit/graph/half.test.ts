import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { onnxEngine } from '#trainer/engines/onnx/engine.ts'
import { halveWeights } from '#trainer/graph/half.ts'
import { readOnnx, writeOnnx } from '#trainer/graph/onnx/index.ts'
import { optimiseForInference } from '#trainer/graph/optimise.ts'
import { halfToNumber, numberToHalf } from '#trainer/graph/tensor.ts'
import { normals } from '../../helpers/engines.ts'
import { tinyNetwork } from '../../helpers/tiny-backbone.ts'

describe('half precision', () => {
  it('keeps every number that it has', () => {
    for (let bits = 0; bits < 0x10000; bits++) {
      const value = halfToNumber(bits)
      if (Number.isNaN(value)) expect(Number.isNaN(halfToNumber(numberToHalf(value)))).toBe(true)
      else if (numberToHalf(value) !== bits)
        throw new Error(`${value} became ${numberToHalf(value)}, not ${bits}`)
    }
  })

  it('rounds to the nearest, of two equally near to the even one', () => {
    const anyNumber = fc.oneof(
      fc.double({ min: -70_000, max: 70_000, noNaN: true }),
      fc.double({ min: -1e-4, max: 1e-4, noNaN: true }),
    )
    fc.assert(
      fc.property(anyNumber, (value) => {
        const half = halfToNumber(numberToHalf(value))
        // Half a step: 11 significant bits, or 2^-24 apart near zero.
        const step = Math.max(2 ** -24, 2 ** (Math.floor(Math.log2(Math.abs(value) || 1)) - 10))
        if (Math.abs(value) >= 65_520) expect(Math.abs(half)).toBe(Infinity)
        else expect(Math.abs(half - value)).toBeLessThanOrEqual(step / 2)
      }),
    )
    expect(halfToNumber(numberToHalf(1 + 2 ** -11))).toBe(1)
    expect(halfToNumber(numberToHalf(1 + 3 * 2 ** -11))).toBe(1 + 2 ** -9)
    expect(numberToHalf(65_519)).toBe(0x7bff)
    expect(numberToHalf(-0)).toBe(0x8000)
  })
})

describe('weights in half precision', () => {
  const graph = readOnnx(tinyNetwork())
  const halved = writeOnnx(halveWeights(graph))

  it('take half the bytes', () => {
    expect(halved.length).toBeLessThan(0.75 * writeOnnx(graph).length)
  })

  it('compute nearly the same, in 32 bits', async () => {
    const feeds = { input: normals([2, 3, 32, 32], 1) }
    const answers = []
    for (const each of [graph, readOnnx(halved), optimiseForInference(readOnnx(halved))]) {
      const session = await onnxEngine.open(each, { threads: 1 })
      answers.push([...((await session.run(feeds))['scores']!.data as Float32Array)])
      await session.dispose()
    }
    const [whole, half, widened] = answers
    half!.forEach((value, i) => expect(value).toBeCloseTo(whole![i]!, 3))
    expect(half).not.toEqual(whole)
    widened!.forEach((value, i) => expect(value).toBeCloseTo(half![i]!, 6))
  })

  it('are widened for good when a network is prepared', () => {
    const prepared = optimiseForInference(readOnnx(halved))
    expect(prepared.nodes.some(({ op }) => op === 'Cast')).toBe(false)
    expect([...prepared.initialisers.values()].every(({ type }) => type !== 'float16')).toBe(true)
  })
})
