import { z } from 'zod'

/**
 * Which changes a picture may go through before a network learns from it. Each operation has a probability and ranges;
 * one that is left out is off. What happens to one picture is drawn from it (`draw.ts`) and then applied
 * (`electron/imaging/augment`), in the preview as in training.
 *
 * All lengths are parts of the picture, so that the same definition means the same at every size.
 */

const within = (least: number, most: number) => {
  const error = `must be a number from ${least} to ${most}`
  return z.number({ error }).min(least, { error }).max(most, { error })
}

/** [from, to], drawn evenly between them unless said otherwise. */
const range = (least: number, most: number) =>
  z
    .tuple([within(least, most), within(least, most)], {
      error: `must be two numbers from ${least} to ${most}, as [from, to]`,
    })
    .refine(([from, to]) => from <= to, 'the first number of a range must not be above the second')

const operation = <Ranges extends Record<string, z.ZodType>>(ranges: Ranges) =>
  z.strictObject({ probability: within(0, 1), ...ranges }).optional()

export const augmentationSchema = z.strictObject({
  version: z.literal(1),

  /** Positive: counter-clockwise. */
  rotate: operation({ degrees: range(-180, 180) }),
  /** Above 1: what is shown gets larger. Drawn evenly on a logarithmic scale: half and double are equally likely. */
  zoom: operation({ factor: range(0.25, 4) }),
  /** Parts of width and height; positive: to the right, down. */
  shift: operation({ x: range(-1, 1), y: range(-1, 1) }),
  /** Angles. x: rows slide, the lower ones to the right; y: columns slide, the right ones down. */
  shear: operation({ xDegrees: range(-45, 45), yDegrees: range(-45, 45) }),
  /** Left and right swapped. Letters, signs and hands become others: off unless asked for. */
  flipHorizontal: operation({}),
  flipVertical: operation({}),

  /** Added to every channel; 1 is the way from black to white. */
  brightness: operation({ amount: range(-1, 1) }),
  /** The distance of every value from the picture's mean grey is multiplied by it. */
  contrast: operation({ factor: range(0, 4) }),
  /** 0: grey, 1: as it is. */
  saturation: operation({ factor: range(0, 4) }),
  /** Turns around the grey axis of the RGB cube; 120 makes red green. */
  hue: operation({ degrees: range(-180, 180) }),
  /** Colours taken away altogether. */
  grey: operation({}),
  /** (v / 255) ^ exponent: below 1 dark parts get lighter. Drawn evenly on a logarithmic scale. */
  gamma: operation({ exponent: range(0.2, 5) }),

  /** Gaussian; its standard deviation as part of the shorter edge. */
  blur: operation({ sigma: range(0, 0.05) }),
  /** Of every pixel, near normal, the same for the three channels; 1 is the way from black to white. */
  noise: operation({ deviation: range(0, 0.5) }),
  /**
   * A rectangle painted over (random erasing, Zhong et al. 2017; cutout, DeVries & Taylor 2017): part of the picture's
   * area, and height by width, the latter drawn evenly on a logarithmic scale.
   */
  cutout: operation({ area: range(0, 0.5), aspect: range(0.2, 5) }),

  /** What shows where a picture was moved away from: its border pixels again, or `fill`. */
  border: z.enum(['repeat', 'fill']).default('repeat'),
  /** RGB, 0–255: for `border: 'fill'` and cut-outs. */
  fill: z
    .tuple([within(0, 255), within(0, 255), within(0, 255)], {
      error: 'must be a colour, as [red, green, blue] from 0 to 255',
    })
    .default([128, 128, 128]),
})
export type Augmentation = z.infer<typeof augmentationSchema>
