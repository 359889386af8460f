import { describe, expect, it } from 'vitest'
import {
  networkInputLength,
  resizeRgb,
  tensorFromResized,
  toNetworkInput,
  type Preprocessing,
} from '#shared/domain/preprocessing/index.ts'

const definition: Preprocessing = {
  version: 1,
  size: { width: 2, height: 1 },
  fit: 'stretch',
  filter: 'pillow-bilinear',
  background: [255, 255, 255],
  channelOrder: 'RGB',
  mean: [10, 20, 30],
  divisor: [1, 2, 5],
  jpegScaledDecode: false,
}
const resized = Uint8Array.from([11, 22, 40, 110, 220, 230])

describe('numbers for the network', () => {
  it('are planes of (value - mean) / divisor', () => {
    expect([...tensorFromResized(resized, definition)]).toEqual([1, 100, 1, 100, 2, 40])
    expect(networkInputLength(definition)).toBe(6)
  })

  it('keep mean and divisor with their colour when the network wants BGR', () => {
    const bgr = { ...definition, channelOrder: 'BGR' as const }
    expect([...tensorFromResized(resized, bgr)]).toEqual([2, 40, 1, 100, 1, 100])
  })

  it('are rounded to float32 once', () => {
    const torch: Preprocessing = {
      ...definition,
      size: { width: 256, height: 1 },
      mean: [123.675, 116.28, 103.53],
      divisor: [58.395, 57.12, 57.375],
    }
    const grey = Uint8Array.from({ length: 256 * 3 }, (_, i) => Math.floor(i / 3))
    const planes = tensorFromResized(grey, torch)
    for (let value = 0; value < 256; value++) {
      expect(planes[value]).toBe(Math.fround((value - 123.675) / 58.395))
      expect(planes[512 + value]).toBe(Math.fround((value - 103.53) / 57.375))
    }
  })

  it('go into a batch where they belong and nowhere else', () => {
    const batch = new Float32Array(18).fill(-1)
    expect(tensorFromResized(resized, definition, batch, 6)).toBe(batch)
    expect([...batch.subarray(0, 6)]).toEqual(Array(6).fill(-1))
    expect([...batch.subarray(6, 12)]).toEqual([1, 100, 1, 100, 2, 40])
    expect([...batch.subarray(12)]).toEqual(Array(6).fill(-1))
  })

  it('refuse lengths that do not fit', () => {
    expect(() => tensorFromResized(resized.subarray(0, 3), definition)).toThrow(RangeError)
    expect(() => tensorFromResized(resized, definition, new Float32Array(11), 6)).toThrow(RangeError)
    expect(() => tensorFromResized(resized, definition, new Float32Array(12), -1)).toThrow(RangeError)
  })

  it('are resize and scaling, one after the other', () => {
    const picture = {
      data: Uint8Array.from({ length: 5 * 7 * 3 }, (_, i) => (i * 37) % 256),
      width: 5,
      height: 7,
    }
    const wanted = { ...definition, size: { width: 3, height: 4 } }
    const small = resizeRgb(picture.data, 5, 7, 3, 4)
    expect(toNetworkInput(picture, wanted)).toEqual(tensorFromResized(small, wanted))
    const batch = new Float32Array(2 * 36)
    toNetworkInput(picture, wanted, { target: batch, offset: 36 })
    expect(batch.subarray(36)).toEqual(tensorFromResized(small, wanted))
  })
})
