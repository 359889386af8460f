import fc from 'fast-check'
import { describe, expect, it, vi } from 'vitest'
import { ONE, type MatrixProfile } from '#shared/domain/preprocessing/colours.ts'
import { rgbOf, type Preprocessing } from '#shared/domain/preprocessing/index.ts'
import { pixelPreprocessing } from '#shared/domain/preprocessing/pixels.ts'
import { resizeRgb } from '#shared/domain/preprocessing/resample.ts'
import { networkInputBySimd, resizeRgbFast } from '#shared/domain/preprocessing/simd.ts'
import { tensorFromResized } from '#shared/domain/preprocessing/tensor.ts'
import { createRandom } from '#shared/domain/random.ts'

function noise(width: number, height: number, channels = 3): Uint8Array {
  const random = createRandom(width * 10_000 + height)
  return Uint8Array.from({ length: width * height * channels }, () => random.below(256))
}

const bytesOf = ({ buffer, byteOffset, byteLength }: Float32Array): Uint8Array =>
  new Uint8Array(buffer, byteOffset, byteLength)

function expectSame(width: number, height: number, outWidth: number, outHeight: number): void {
  const source = noise(width, height)
  const fast = resizeRgbFast(source, width, height, outWidth, outHeight)
  expect(Buffer.compare(fast, resizeRgb(source, width, height, outWidth, outHeight))).toBe(0)
}

describe('the resize in WebAssembly', () => {
  it('gives every byte of the plain one, at any size', () => {
    const edge = fc.integer({ min: 1, max: 70 })
    fc.assert(
      fc.property(edge, edge, edge, edge, (width, height, outWidth, outHeight) => {
        expectSame(width, height, outWidth, outHeight)
      }),
      { numRuns: 300, seed: 1 },
    )
  })

  for (const [width, height, outWidth, outHeight] of [
    [500, 333, 224, 224],
    [333, 500, 128, 128],
    [1600, 1203, 224, 224],
    [1, 1, 224, 224],
    [4000, 1, 17, 3],
    [2, 3000, 5, 7],
    [100, 100, 224, 224],
    [299, 300, 299, 200],
    [300, 299, 200, 299],
    [31, 31, 31, 31],
  ] as const) {
    it(`gives every byte of the plain one: ${width}×${height} → ${outWidth}×${outHeight}`, () => {
      expectSame(width, height, outWidth, outHeight)
    })
  }

  it('clips and rounds at both ends', () => {
    for (const value of [0, 1, 254, 255]) {
      const source = new Uint8Array(37 * 23 * 3).fill(value)
      expect(new Set(resizeRgbFast(source, 37, 23, 224, 224))).toEqual(new Set([value]))
    }
  })

  it('hands very large pictures to the plain one, whose memory is given back', () => {
    // 1,200,000 rows of 16 pixels between the passes are more than the module keeps.
    const source = new Uint8Array(4 * 1_200_000 * 3).fill(9)
    const result = resizeRgbFast(source, 4, 1_200_000, 16, 2)
    expect(new Set(result)).toEqual(new Set([9]))
  })

  it('writes into the buffer of the caller, and the results of two calls are their own', () => {
    const target = new Uint8Array(20 * 10 * 3)
    const source = noise(40, 30)
    expect(resizeRgbFast(source, 40, 30, 20, 10, { target })).toBe(target)
    const first = resizeRgbFast(source, 40, 30, 20, 10)
    resizeRgbFast(noise(90, 80), 90, 80, 20, 10)
    expect(first).toEqual(target)
  })

  it('refuses what the plain one refuses', () => {
    expect(() => resizeRgbFast(new Uint8Array(11), 2, 2, 1, 1)).toThrow(RangeError)
    expect(() => resizeRgbFast(new Uint8Array(12), 2, 2, 0, 1)).toThrow(RangeError)
  })

  it('does without WebAssembly where there is none', async () => {
    vi.resetModules()
    vi.stubGlobal('WebAssembly', undefined)
    try {
      const alone = await import('#shared/domain/preprocessing/simd.ts')
      const source = noise(40, 30)
      expect(alone.resizeRgbFast(source, 40, 30, 20, 10)).toEqual(resizeRgb(source, 40, 30, 20, 10))
    } finally {
      vi.unstubAllGlobals()
    }
  })
})

describe('numbers for the network, in WebAssembly', () => {
  const torch: Pick<Preprocessing, 'mean' | 'divisor'> = {
    mean: [123.675, 116.28, 103.53],
    divisor: [58.395, 57.12, 57.375],
  }
  const edge = fc.integer({ min: 1, max: 70 })
  const orders = fc.constantFrom<Preprocessing['channelOrder']>('RGB', 'BGR')

  /** As extreme as those that are read: 32 times the light of white, and less than none. */
  const profiles = fc
    .array(fc.integer({ min: -32 * ONE, max: 32 * ONE }), { minLength: 3 * 256 + 9, maxLength: 3 * 256 + 9 })
    .map((numbers) => ({ linear: Int32Array.from(numbers.slice(9)), matrix: numbers.slice(0, 9) }))
  const ordinary: MatrixProfile = {
    linear: Int32Array.from({ length: 3 * 256 }, (_, i) => Math.round(((i % 256) / 255) ** 2.2 * ONE)),
    matrix: [1.22, -0.22, 0, -0.04, 1.04, 0, -0.02, -0.08, 1.1].map((value) => Math.round(value * ONE)),
  }
  const pictures = fc.record({
    channels: fc.constantFrom<1 | 3>(1, 3),
    profile: fc.oneof(fc.constant(null), fc.constant(ordinary), profiles),
  })

  it('are every bit of the plain ones, for any picture and size, where they belong and nowhere else', () => {
    fc.assert(
      fc.property(
        edge,
        edge,
        edge,
        edge,
        orders,
        pictures,
        (width, height, outWidth, outHeight, channelOrder, how) => {
          const size = { width: outWidth, height: outHeight }
          const definition = { ...pixelPreprocessing(size), ...torch, channelOrder }
          const picture = { ...how, data: noise(width, height, how.channels), width, height }
          const length = 3 * outWidth * outHeight
          const target = new Float32Array(length + 9).fill(-7)
          expect(networkInputBySimd(picture, definition, target, 4)).toBe(true)
          const rgb = rgbOf({ ...picture, data: picture.data.slice() }).data
          const plain = tensorFromResized(resizeRgb(rgb, width, height, outWidth, outHeight), definition)
          expect(Buffer.compare(bytesOf(target.subarray(4, 4 + length)), bytesOf(plain))).toBe(0)
          const around = [...target.subarray(0, 4), ...target.subarray(4 + length)]
          expect(around.every((value) => value === -7)).toBe(true)
        },
      ),
      { numRuns: 400, seed: 2 },
    )
  })

  it('are the same for pictures of more than one band', () => {
    for (const channels of [1, 3] as const) {
      const picture = {
        data: noise(1100, 701, channels),
        width: 1100,
        height: 701,
        channels,
        profile: ordinary,
      }
      const definition = pixelPreprocessing({ width: 128, height: 96 })
      const target = new Float32Array(3 * 128 * 96)
      expect(networkInputBySimd(picture, definition, target, 0)).toBe(true)
      const rgb = rgbOf({ ...picture, data: picture.data.slice() }).data
      expect(target).toEqual(tensorFromResized(resizeRgb(rgb, 1100, 701, 128, 96), definition))
    }
  })

  it('are left to the plain way where a picture is not what it says', () => {
    const definition = pixelPreprocessing({ width: 4, height: 4 })
    const target = new Float32Array(48)
    const wrong = { data: new Uint8Array(11), width: 2, height: 2 }
    expect(networkInputBySimd(wrong, definition, target, 0)).toBe(false)
  })
})
