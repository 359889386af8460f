import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { sampleFast } from '#imaging/augment/sample-simd.ts'
import { samplePlainly, type Colour, type ColourMap, type PlaneOrder } from '#imaging/augment/sample.ts'
import {
  drawAugmentation,
  presetAugmentation,
  samplingMatrix,
  type Size,
} from '#shared/domain/augmentation/index.ts'
import { createRandom } from '#shared/domain/random.ts'

function both(size: Size, from: Size, seed: number, fill: Colour | null): [Float32Array, Float32Array] {
  const random = createRandom(seed)
  const count = 3 * from.width * from.height
  const source = {
    data: Uint8Array.from({ length: count + 5 }, () => random.below(256)),
    offset: 5,
    size: from,
  }
  const numbers = (length: number, spread: number) =>
    Float32Array.from({ length }, () => (random.float() - 0.5) * spread)
  const map: ColourMap = { matrix: numbers(12, 3), gain: numbers(3, 0.1), bias: numbers(3, 4) }
  for (const offset of [3, 7, 11]) map.matrix[offset]! *= 60
  const affine = samplingMatrix(drawAugmentation(random, presetAugmentation('strong')).geometry, size, from)
  const order: PlaneOrder = seed % 2 ? [2, 1, 0] : [0, 1, 2]
  const results = [0, 1].map(() => new Float32Array(3 * size.width * size.height + 7).fill(-9))
  const targets = results.map((data) => ({ data, offset: 3, size }))
  samplePlainly(source, affine, map, fill, targets[0]!, order)
  expect(sampleFast(source, affine, map, fill, targets[1]!, order)).toBe(true)
  return [results[0]!, results[1]!]
}

describe('sampling in WebAssembly', () => {
  it('gives every bit of the plain way, at any size', () => {
    const sizes = fc.record({
      width: fc.integer({ min: 1, max: 40 }),
      height: fc.integer({ min: 1, max: 40 }),
    })
    const fills = fc.constantFrom<Colour | null>(null, [3, 128, 250.5])
    fc.assert(
      fc.property(sizes, sizes, fc.nat(100_000), fills, (size, from, seed, fill) => {
        const [plain, fast] = both(size, from, seed, fill)
        expect(Buffer.compare(Buffer.from(plain.buffer), Buffer.from(fast.buffer))).toBe(0)
      }),
      { numRuns: 400, seed: 1 },
    )
  })

  it('gives every bit at the sizes of networks, one after the other', () => {
    for (const edge of [224, 64, 299, 32]) {
      const [plain, fast] = both({ width: edge, height: edge }, { width: edge, height: edge }, edge, null)
      expect(plain).toEqual(fast)
    }
  })

  it('leaves very large pictures to the plain way', () => {
    const size = { width: 2000, height: 2000 }
    const target = { data: new Float32Array(12e6), offset: 0, size }
    const map = { matrix: new Float32Array(12), gain: new Float32Array(3), bias: new Float32Array(3) }
    const source = { data: new Uint8Array(12e6), offset: 0, size }
    const affine = samplingMatrix(
      drawAugmentation(createRandom(1), presetAugmentation('none')).geometry,
      size,
    )
    expect(sampleFast(source, affine, map, null, target, [0, 1, 2])).toBe(false)
  })
})
