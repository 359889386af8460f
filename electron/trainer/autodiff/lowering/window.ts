import { KestrelError } from '#shared/errors/index.ts'
import { intAttribute, intsAttribute } from '../../graph/types.ts'
import type { Node } from '../../graph/types.ts'

/** The window of a convolution or pooling over maps, every entry by axis: [height, width]. */
export interface Window {
  kernel: readonly number[]
  strides: readonly number[]
  dilations: readonly number[]
  before: readonly number[]
  after: readonly number[]
  group: number
}

/**
 * Reads the attributes of a node, whose `auto_pad` has been resolved already.
 * @throws KestrelError `operator-unsupported` where the window has not two axes.
 */
export function mapWindow(node: Node, kernel = intsAttribute(node, 'kernel_shape') ?? []): Window {
  if (kernel.length !== 2)
    throw new KestrelError(
      'operator-unsupported',
      `Kestrel trains through windows over height and width only ("${node.name || node.op}" has ${kernel.length} axes).`,
    )
  const pads = intsAttribute(node, 'pads') ?? [0, 0, 0, 0]
  return {
    kernel,
    strides: intsAttribute(node, 'strides') ?? [1, 1],
    dilations: intsAttribute(node, 'dilations') ?? [1, 1],
    before: pads.slice(0, 2),
    after: pads.slice(2),
    group: intAttribute(node, 'group', 1),
  }
}

/** Entries from the first to the last that a window touches, along one axis. */
export const reach = ({ kernel, dilations }: Window, axis: number): number =>
  (kernel[axis]! - 1) * dilations[axis]! + 1

/** Entries from the first to the last that `count` windows touch, along one axis. */
export const span = (window: Window, count: number, axis: number): number =>
  (count - 1) * window.strides[axis]! + reach(window, axis)

/**
 * Entries behind a map of `size` that `count` windows touch, along one axis. Differs from the padding behind where the
 * windows do not come out even: it is negative where they leave entries of the map out.
 */
export const touchedBehind = (window: Window, size: number, count: number, axis: number): number =>
  span(window, count, axis) - window.before[axis]! - size

/** All places in a window, row by row. */
export const taps = ({ kernel }: Window): { row: number; column: number }[] =>
  Array.from({ length: kernel[0]! * kernel[1]! }, (_, at) => ({
    row: Math.floor(at / kernel[1]!),
    column: at % kernel[1]!,
  }))

/** Whether the windows cover the map like tiles: next to each other, whole, without gaps or padding. */
export const tiles = (window: Window, size: readonly number[]): boolean =>
  [0, 1].every(
    (axis) =>
      window.kernel[axis] === window.strides[axis] &&
      window.dilations[axis] === 1 &&
      window.before[axis] === 0 &&
      size[axis]! % window.kernel[axis]! === 0,
  )
