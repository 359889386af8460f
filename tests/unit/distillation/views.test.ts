import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { viewsOf } from '#shared/domain/distillation/views.ts'
import { partOf } from '#shared/domain/preprocessing/index.ts'

const anyKey = fc.string({ minLength: 1, maxLength: 64 })

describe('views of a picture', () => {
  it('are the whole first, then parts that lie inside it and show at least about a quarter', () => {
    fc.assert(
      fc.property(anyKey, fc.integer({ min: 1, max: 20 }), fc.integer(), (key, count, seed) => {
        const [whole, ...parts] = viewsOf(key, count, seed)
        expect(whole).toBeNull()
        expect(parts).toHaveLength(count - 1)
        for (const part of parts) {
          const { left, top, width, height } = part!
          expect(Math.min(left, top)).toBeGreaterThanOrEqual(0)
          expect(Math.max(left + width, top + height)).toBeLessThanOrEqual(1 + 1e-12)
          expect(width * height).toBeGreaterThan(0.24)
          expect(width / height).toBeLessThan(4 / 3 + 1e-9)
          expect(height / width).toBeLessThan(4 / 3 + 1e-9)
        }
      }),
    )
  })

  it('are the same for the same picture and seed, and more of them begin with the same', () => {
    expect(viewsOf('a', 9, 3).slice(0, 4)).toEqual(viewsOf('a', 4, 3))
    expect(viewsOf('b', 4, 3)).not.toEqual(viewsOf('a', 4, 3))
    expect(viewsOf('a', 4, 4)).not.toEqual(viewsOf('a', 4, 3))
  })

  it('are mirrored as often as not', () => {
    const mirrored = viewsOf('a', 2001, 1).filter((view) => view?.mirrored).length
    expect(mirrored).toBeGreaterThan(900)
    expect(mirrored).toBeLessThan(1100)
  })
})

describe('a part of a picture', () => {
  /** Red says the column, green the row. */
  const picture = (width: number, height: number) => ({
    ...{ width, height },
    data: Uint8Array.from({ length: 3 * width * height }, (_, i) => {
      const [pixel, channel] = [Math.floor(i / 3), i % 3]
      return [pixel % width, Math.floor(pixel / width), 7][channel]!
    }),
  })
  const whole = { left: 0, top: 0, width: 1, height: 1, mirrored: false }

  it('holds the pixels of its region', () => {
    const part = partOf(picture(10, 8), { left: 0.3, top: 0.5, width: 0.2, height: 0.25, mirrored: false })
    expect(part).toEqual({ width: 2, height: 2, data: Uint8Array.of(3, 4, 7, 4, 4, 7, 3, 5, 7, 4, 5, 7) })
  })

  it('is mirrored from left to right', () => {
    const part = partOf(picture(3, 2), { ...whole, mirrored: true })
    expect([...part.data]).toEqual([2, 0, 7, 1, 0, 7, 0, 0, 7, 2, 1, 7, 1, 1, 7, 0, 1, 7])
  })

  it('is the picture itself where it is all of it', () => {
    const all = picture(5, 4)
    expect(partOf(all, whole)).toBe(all)
  })

  it('is inside the picture and at least a pixel, whatever the sizes', () => {
    const share = fc.double({ min: 0, max: 1, noNaN: true })
    const size = fc.integer({ min: 1, max: 40 })
    fc.assert(
      fc.property(size, size, share, share, share, share, fc.boolean(), (w, h, x, y, left, top, mirrored) => {
        const region = { left, top, width: (1 - left) * x, height: (1 - top) * y, mirrored }
        const part = partOf(picture(w, h), region)
        expect(part.width).toBeGreaterThan(0)
        expect(part.height).toBeGreaterThan(0)
        expect(part.data).toHaveLength(3 * part.width * part.height)
        expect(part.data[2]).toBe(7)
        expect(part.data.at(-1)).toBe(7)
      }),
    )
  })
})
