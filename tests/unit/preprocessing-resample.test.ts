import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { inflateSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { computeResampleTable, resampleTable, resizeRgb } from '#shared/domain/preprocessing/resample.ts'

interface Golden {
  pillow: string
  cases: { width: number; height: number; outWidth: number; outHeight: number; zlib: string }[]
}
const fixture = resolve(import.meta.dirname, '../fixtures/preprocessing/resample.json')
const golden = JSON.parse(readFileSync(fixture, 'utf8')) as Golden

/** The picture of make_resample_golden.py. */
function picture(width: number, height: number): Uint8Array {
  let state = width * 1000 + height
  return Uint8Array.from({ length: width * height * 3 }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    const byte = state >>> 24
    return byte < 40 ? 0 : byte > 215 ? 255 : byte
  })
}

describe(`resize like Pillow ${golden.pillow}`, () => {
  for (const { width, height, outWidth, outHeight, zlib } of golden.cases) {
    it(`${width}×${height} → ${outWidth}×${outHeight}, every byte`, () => {
      const expected = new Uint8Array(inflateSync(Buffer.from(zlib, 'base64')))
      expect(resizeRgb(picture(width, height), width, height, outWidth, outHeight)).toEqual(expected)
    })
  }

  it('writes into the buffers of the caller and gives the same again', () => {
    const buffers = { target: new Uint8Array(32 * 32 * 3) }
    const source = picture(101, 67)
    const first = resizeRgb(source, 101, 67, 32, 32, buffers)
    expect(first).toBe(buffers.target)
    const kept = first.slice()
    resizeRgb(picture(64, 90), 64, 90, 32, 32, buffers)
    expect(resizeRgb(source, 101, 67, 32, 32, buffers)).toEqual(kept)
  })

  it('copies when nothing changes, so that the result can be written to', () => {
    const source = picture(4, 3)
    const result = resizeRgb(source, 4, 3, 4, 3)
    expect(result).toEqual(source)
    expect(result).not.toBe(source)
  })

  it('keeps a plain colour plain at any size', () => {
    for (const value of [0, 1, 127, 254, 255]) {
      const source = new Uint8Array(37 * 23 * 3).fill(value)
      for (const [w, h] of [
        [5, 9],
        [224, 224],
        [37, 1],
        [1, 23],
      ] as const) {
        expect(new Set(resizeRgb(source, 37, 23, w, h))).toEqual(new Set([value]))
      }
    }
  })

  it('has weights that add up to one and windows inside the picture', () => {
    for (const [from, to] of [
      [500, 224],
      [3, 224],
      [1, 7],
      [4000, 1],
      [333, 128],
    ] as const) {
      const table = computeResampleTable(from, to)
      for (let out = 0; out < to; out++) {
        const { first, count, weights, stride } = table
        const own = weights.subarray(out * stride, out * stride + count[out]!)
        const sum = own.reduce((total, weight) => total + weight, 0)
        expect(Math.abs(sum - (1 << 22))).toBeLessThanOrEqual(own.length)
        expect(first[out]).toBeGreaterThanOrEqual(0)
        expect(first[out]! + count[out]!).toBeLessThanOrEqual(from)
      }
    }
    expect(resampleTable(500, 224)).toBe(resampleTable(500, 224))
  })

  it('refuses sizes and buffers that do not fit', () => {
    expect(() => resizeRgb(new Uint8Array(11), 2, 2, 1, 1)).toThrow(RangeError)
    expect(() => resizeRgb(new Uint8Array(12), 2, 2, 0, 1)).toThrow(RangeError)
    expect(() => resizeRgb(new Uint8Array(12), 2, 2, 1.5, 1)).toThrow(RangeError)
  })
})
