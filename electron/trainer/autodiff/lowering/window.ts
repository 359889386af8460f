import { KestrelError } from '#shared/errors/index.ts'
import { int, intAttribute, ints, intsAttribute } from '../../graph/types.ts'
import type { Attributes, Node } from '../../graph/types.ts'
import { reach, windowOf, type Window } from '../../graph/window.ts'

/** How a convolution or pooling slides over maps, every entry by axis: [height, width]. */
export interface MapWindow extends Window {
  group: number
}

/**
 * Reads the attributes of a training operator, whose `auto_pad` has been resolved already.
 * @param kernel of the weights; the node's own `kernel_shape` where it has none.
 * @throws KestrelError `operator-unsupported` where the window has not two axes.
 */
export function mapWindow(node: Node, kernel = intsAttribute(node, 'kernel_shape') ?? []): MapWindow {
  if (kernel.length !== 2)
    throw new KestrelError(
      'operator-unsupported',
      `Kestrel trains through windows over height and width only ("${node.name || node.op}" has ${kernel.length} axes).`,
    )
  const { strides, dilations, pads } = windowOf(node, kernel)
  return { kernel, strides, dilations, pads, group: intAttribute(node, 'group', 1) }
}

export const attributesOf = (window: MapWindow): Attributes => ({
  kernel_shape: ints(window.kernel),
  strides: ints(window.strides),
  dilations: ints(window.dilations),
  pads: ints(window.pads),
  group: int(window.group),
})

/** A window that looks at one place at a time: the geometry of a multiplication per channel. */
export const pointWindow = (group: number): MapWindow => ({
  kernel: [1, 1],
  strides: [1, 1],
  dilations: [1, 1],
  pads: [0, 0, 0, 0],
  group,
})

export const isPoint = ({ kernel }: Window): boolean => kernel.every((size) => size === 1)
export const isUnpadded = ({ pads }: Window): boolean => pads.every((size) => size === 0)
export const isDense = ({ strides }: Window): boolean => strides.every((step) => step === 1)

/**
 * Rows behind a map of `size` rows that `count` windows touch, by axis. Differs from the padding behind where the windows
 * do not come out even: it is negative where they leave rows of the map out.
 */
export const touchedBehind = (window: Window, size: readonly number[], count: readonly number[]): number[] =>
  size.map(
    (rows, axis) =>
      (count[axis]! - 1) * window.strides[axis]! + reach(window, axis) - window.pads[axis]! - rows,
  )

/** All places in a window, row by row. */
export const taps = ({ kernel }: Window): { row: number; column: number }[] =>
  Array.from({ length: kernel[0]! * kernel[1]! }, (_, at) => ({
    row: Math.floor(at / kernel[1]!),
    column: at % kernel[1]!,
  }))

/** Whether the windows cover the map like tiles: next to each other, whole, without gaps or padding. */
export const tiles = (window: Window, size: readonly number[]): boolean =>
  isUnpadded(window) &&
  size.every(
    (rows, axis) =>
      window.kernel[axis] === window.strides[axis] &&
      window.dilations[axis] === 1 &&
      rows % window.kernel[axis]! === 0,
  )
