import type { Dimension } from '../types.ts'
import { maxContent, type Shape } from './context.ts'

/**
 * Entries of small values of any rank, in row-major order, moved about as operators do. Sizes among them may be symbols or
 * unknown; the shape that they stand in is always known.
 */
export type Content = readonly Dimension[]

/** A shape of numbers that content of it can be carried for. */
export function countable(shape: Shape | undefined): readonly number[] | undefined {
  if (!shape?.every((size) => typeof size === 'number')) return undefined
  return shape.reduce((a, b) => a * b, 1) <= maxContent ? shape : undefined
}

/** How far apart neighbours along each axis lie. */
export function strides(shape: readonly number[]): number[] {
  const steps = new Array<number>(shape.length).fill(1)
  for (let axis = shape.length - 2; axis >= 0; axis--) steps[axis] = steps[axis + 1]! * shape[axis + 1]!
  return steps
}

/** The entries of every place of `shape`, each step along an axis moving by its stride: 0 repeats, a negative one walks back. */
export function walk(
  content: Content,
  shape: readonly number[],
  steps: readonly number[],
  start = 0,
): Content {
  const [size, ...rest] = shape
  if (size === undefined) return [content[start] ?? null]
  return Array.from({ length: size }, (_, at) =>
    walk(content, rest, steps.slice(1), start + at * (steps[0] ?? 0)),
  ).flat()
}

/** Repeated along leading axes and those of size 1. */
export function spread(content: Content, from: readonly number[], to: readonly number[]): Content {
  const own = strides(from)
  const lead = to.length - from.length
  const steps = to.map((_, axis) => (axis < lead || from[axis - lead] === 1 ? 0 : own[axis - lead]!))
  return walk(content, to, steps)
}

/** Put one behind the other along an axis. */
export function joined(
  parts: readonly { content: Content; shape: readonly number[] }[],
  axis: number,
): Content {
  const outer = parts[0]?.shape.slice(0, axis).reduce((a, b) => a * b, 1) ?? 0
  return Array.from({ length: outer }, (_, row) =>
    parts.flatMap(({ content }) => {
      const run = content.length / outer
      return content.slice(row * run, (row + 1) * run)
    }),
  ).flat()
}
