import type { Preprocessing } from './definition.ts'

/** What happens to the values 0 … 255 of a resized picture. `mean` and `divisor` are in RGB order. */
export type Scaling = Pick<Preprocessing, 'channelOrder' | 'mean' | 'divisor'>

const triple = (value: number): [number, number, number] => [value, value, value]

/** 0 … 255 as they are. */
export const asTheyAre: Scaling = { channelOrder: 'RGB', mean: triple(0), divisor: triple(1) }
/** 0 … 1 */
export const toOne: Scaling = { channelOrder: 'RGB', mean: triple(0), divisor: triple(255) }
/** −1 … 1 */
export const symmetric: Scaling = { channelOrder: 'RGB', mean: triple(127.5), divisor: triple(127.5) }

/** The whole definition of a network that takes pictures of `size` (pixels): what all have in common, with its scaling. */
export const preprocessingOf = (size: Preprocessing['size'], scaling: Scaling): Preprocessing => ({
  version: 1,
  size: { width: size.width, height: size.height },
  fit: 'stretch',
  filter: 'pillow-bilinear',
  background: [255, 255, 255],
  jpegScaledDecode: false,
  channelOrder: scaling.channelOrder,
  mean: scaling.mean,
  divisor: scaling.divisor,
})
