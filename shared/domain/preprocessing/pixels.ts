import type { Preprocessing } from './definition.ts'

/** How a network that learns from the pixels sees a picture of this size: −1 … 1, RGB. */
export const pixelPreprocessing = (size: Preprocessing['size']): Preprocessing => ({
  version: 1,
  size: { width: size.width, height: size.height },
  fit: 'stretch',
  filter: 'pillow-bilinear',
  background: [255, 255, 255],
  channelOrder: 'RGB',
  mean: [127.5, 127.5, 127.5],
  divisor: [127.5, 127.5, 127.5],
  jpegScaledDecode: false,
})
