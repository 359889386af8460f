import { z } from 'zod'

/**
 * How the pixels of a picture become the numbers a network sees. There is one such definition per model: preview,
 * training, prediction, export and the shipped snippets all follow it, so they cannot drift apart.
 *
 * Steps, in order: decode · turn upright (EXIF) · sRGB, 8 bits · flatten alpha on `background` · resize to `size` with
 * Pillow's antialiased bilinear filter on uint8 · `(value - mean[c]) / divisor[c]` per channel · channel order.
 */
export const preprocessingSchema = z.object({
  version: z.literal(1),
  /** Pixels. */
  size: z.object({ width: z.int().min(1).max(4096), height: z.int().min(1).max(4096) }),
  /** `stretch`: the whole picture, its aspect ratio given up. */
  fit: z.literal('stretch'),
  filter: z.literal('pillow-bilinear'),
  /** 0–255, what shines through transparent pixels. */
  background: z.tuple([z.number(), z.number(), z.number()]),
  /** Order in which channels are fed to the network. `mean` and `divisor` are always given in RGB order. */
  channelOrder: z.enum(['RGB', 'BGR']),
  mean: z.tuple([z.number(), z.number(), z.number()]),
  divisor: z.tuple([z.number(), z.number(), z.number()]),
  /** Whether large JPEGs may be decoded at 1/2, 1/4 or 1/8 scale by libjpeg before the resize. */
  jpegScaledDecode: z.boolean(),
})
export type Preprocessing = z.infer<typeof preprocessingSchema>
