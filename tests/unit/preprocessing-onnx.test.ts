import { resolve } from 'node:path'
import { InferenceSession, Tensor } from 'onnxruntime-node'
import { beforeAll, describe, expect, it } from 'vitest'
import { resizeRgb } from '#shared/domain/preprocessing/resample.ts'
import { createRandom } from '#shared/domain/random.ts'

/**
 * An exported model resizes with ONNX's Resize (antialias, exclude_outside). ONNX Runtime computes the filter's weights in
 * float32 and Pillow in float64, so the last bit of a few values may differ, and nothing more.
 */
let session: InferenceSession
beforeAll(async () => {
  session = await InferenceSession.create(
    resolve(import.meta.dirname, '../fixtures/preprocessing/resize.onnx'),
  )
})

async function byOnnx(
  rgb: Uint8Array,
  width: number,
  height: number,
  out: [number, number],
): Promise<Uint8Array> {
  const { resized } = await session.run({
    image: new Tensor('uint8', rgb, [height, width, 3]),
    sizes: new Tensor('int64', BigInt64Array.from([BigInt(out[1]), BigInt(out[0])]), [2]),
  })
  return resized!.data as Uint8Array
}

function noise(width: number, height: number): Uint8Array {
  const random = createRandom(width * 10_000 + height)
  return Uint8Array.from({ length: width * height * 3 }, () => random.below(256))
}

/** Largest difference and the part of values that differ. */
function compare(a: Uint8Array, b: Uint8Array): { largest: number; share: number } {
  expect(a.length).toBe(b.length)
  let largest = 0
  let different = 0
  a.forEach((value, i) => {
    const distance = Math.abs(value - b[i]!)
    if (distance > 0) different++
    largest = Math.max(largest, distance)
  })
  return { largest, share: different / a.length }
}

describe("our resize and ONNX Runtime's", () => {
  const exact: [number, number, [number, number]][] = [
    [448, 448, [224, 224]],
    [224, 224, [224, 224]],
    [256, 512, [128, 128]],
    [1, 1, [224, 224]],
    [64, 32, [32, 32]],
  ]
  for (const [width, height, out] of exact) {
    it(`agree in every bit where the weights are exact: ${width}×${height} → ${out.join('×')}`, async () => {
      const source = noise(width, height)
      expect(
        compare(resizeRgb(source, width, height, ...out), await byOnnx(source, width, height, out)).largest,
      ).toBe(0)
    })
  }

  const close: [number, number, [number, number]][] = [
    [500, 333, [224, 224]],
    [333, 500, [128, 128]],
    [100, 100, [224, 224]],
    [320, 240, [299, 299]],
    [37, 1000, [128, 128]],
    [3, 400, [31, 57]],
  ]
  for (const [width, height, out] of close) {
    it(`differ by at most 1 in under 1.5 % of the values: ${width}×${height} → ${out.join('×')}`, async () => {
      const source = noise(width, height)
      const { largest, share } = compare(
        resizeRgb(source, width, height, ...out),
        await byOnnx(source, width, height, out),
      )
      expect(largest).toBeLessThanOrEqual(1)
      expect(share).toBeLessThan(0.015)
    })
  }
})
