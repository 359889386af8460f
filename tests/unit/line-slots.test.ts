import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { assignSlots } from '../../renderer/features/dataset/line-slots.ts'

const range = (from: number, length: number): number[] => Array.from({ length }, (_, i) => from + i)

describe('which node shows which line', () => {
  test('a step of scrolling gives the node of the line that left to the one that came', () => {
    const before = assignSlots(new Map(), range(0, 4))
    const after = assignSlots(before, range(1, 4))
    expect(after.get(4)).toBe(before.get(0))
    for (const line of [1, 2, 3]) expect(after.get(line)).toBe(before.get(line))
  })

  test('a taller window adds nodes and moves none', () => {
    const before = assignSlots(new Map(), range(5, 4))
    const after = assignSlots(before, range(5, 6))
    for (const line of range(5, 4)) expect(after.get(line)).toBe(before.get(line))
  })

  test('every line in sight has one node of its own, and those that stay keep theirs', () => {
    const steps = fc.array(fc.tuple(fc.nat(200), fc.nat(20)), { minLength: 1, maxLength: 30 })
    fc.assert(
      fc.property(steps, (windows) => {
        let before: ReadonlyMap<number, number> = new Map()
        for (const [from, length] of windows) {
          const lines = range(from, length)
          const after = assignSlots(before, lines)
          expect([...after.keys()].toSorted((a, b) => a - b)).toEqual(lines)
          expect(new Set(after.values()).size).toBe(length)
          for (const line of lines) if (before.has(line)) expect(after.get(line)).toBe(before.get(line))
          // No more nodes than the larger of the two windows needed.
          if (length > 0)
            expect(Math.max(...after.values())).toBeLessThan(Math.max(length, maxSlot(before) + 1))
          before = after
        }
      }),
    )
  })
})

const maxSlot = (slots: ReadonlyMap<number, number>): number => Math.max(-1, ...slots.values())
