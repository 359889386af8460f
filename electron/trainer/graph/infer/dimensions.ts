import type { Dimension } from '../types.ts'

/** Arithmetic on sizes that may be symbols or unknown: exact where both are numbers, null where nothing can be said. */
export const plus = (a: Dimension, b: Dimension): Dimension =>
  a === 0 ? b : b === 0 ? a : typeof a === 'number' && typeof b === 'number' ? a + b : null

/** `factor` times a symbol is a symbol of its own: `4*batch` is the same wherever it stands. */
const multiple = /^(\d+)\*(.+)$/

/** A size as a number times a symbol (`''` for numbers). */
export function factors(size: number | string): { factor: number; symbol: string } {
  if (typeof size === 'number') return { factor: size, symbol: '' }
  const [, factor, symbol] = multiple.exec(size) ?? []
  return symbol === undefined ? { factor: 1, symbol: size } : { factor: Number(factor), symbol }
}

const sized = (factor: number, symbol: string): Dimension =>
  symbol === '' || factor === 0
    ? factor
    : factor === 1
      ? symbol
      : Number.isSafeInteger(factor) && factor > 0
        ? `${factor}*${symbol}`
        : null

export function times(a: Dimension, b: Dimension): Dimension {
  if (a === 0 || b === 0) return 0
  if (a === null || b === null) return a === 1 ? b : b === 1 ? a : null
  const [left, right] = [factors(a), factors(b)]
  if (left.symbol !== '' && right.symbol !== '') return null
  return sized(left.factor * right.factor, left.symbol + right.symbol)
}

/** Where it comes out even. A free size is not 0: it counts pictures or pixels. */
export function dividedBy(a: Dimension, b: Dimension): Dimension {
  if (b === 1) return a
  if (a === null || b === null || b === 0) return null
  const [whole, part] = [factors(a), factors(b)]
  if (part.symbol !== '' && part.symbol !== whole.symbol) return null
  const factor = whole.factor / part.factor
  return Number.isInteger(factor) ? sized(factor, part.symbol === '' ? whole.symbol : '') : null
}

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
