import type { Dimension } from '../types.ts'

/** Arithmetic on sizes that may be symbols or unknown: exact where both are numbers, null where nothing can be said. */
export const plus = (a: Dimension, b: Dimension): Dimension =>
  a === 0 ? b : b === 0 ? a : typeof a === 'number' && typeof b === 'number' ? a + b : null

export const times = (a: Dimension, b: Dimension): Dimension =>
  a === 1
    ? b
    : b === 1
      ? a
      : typeof a === 'number' && typeof b === 'number'
        ? a * b
        : a === 0 || b === 0
          ? 0
          : null

export const product = (sizes: readonly Dimension[]): Dimension => sizes.reduce<Dimension>(times, 1)

/** Applies `rule` where the size is a number. */
export const mapSize = (size: Dimension | undefined, rule: (size: number) => number): Dimension =>
  typeof size === 'number' ? rule(size) : null

/** One axis of numpy's broadcasting. */
export function broadcastSize(a: Dimension, b: Dimension): Dimension {
  if (a === 1) return b
  if (b === 1 || a === b) return a
  if (typeof a === 'number') return a
  return typeof b === 'number' ? b : null
}

/** Shape of an elementwise operation (numpy.org/doc/stable/user/basics.broadcasting.html). */
export function broadcast(shapes: readonly (readonly Dimension[] | null)[]): Dimension[] | null {
  if (shapes.includes(null)) return null
  const known = shapes.filter((shape) => shape !== null)
  const rank = Math.max(0, ...known.map((shape) => shape.length))
  return Array.from({ length: rank }, (_, axis) =>
    known.reduce<Dimension>((size, shape) => {
      const at = axis - (rank - shape.length)
      return at < 0 ? size : broadcastSize(size, shape[at] ?? null)
    }, 1),
  )
}

/** −1 is the last axis. */
export const positiveAxis = (axis: number, rank: number): number => (axis < 0 ? axis + rank : axis)
