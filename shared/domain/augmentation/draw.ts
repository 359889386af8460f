import { createRandom, type Random } from '../random.ts'
import type { Augmentation } from './definition.ts'

/** Everything that happens to one picture, decided: applying it twice gives the same pixels. */
export interface AugmentationDraw {
  geometry: Geometry
  colour: ColourChange
  /** Standard deviation of the Gaussian as part of the shorter edge; 0: none. */
  blur: number
  /** `deviation` in grey levels (0–255), 0: none; `seed` a whole number in [0, 2^32) that decides about every pixel. */
  noise: { deviation: number; seed: number }
  /** Parts of width and height; null: none. */
  cutout: { x: number; y: number; width: number; height: number } | null
  border: Augmentation['border']
  fill: readonly [number, number, number]
}

/** Done in this order, about the middle of the picture: flip, zoom, shear, turn, shift. */
export interface Geometry {
  flipHorizontal: boolean
  flipVertical: boolean
  zoom: number
  /** Tangents: of the lower rows to the right, then of the right columns down. */
  shearX: number
  shearY: number
  /** Radians, counter-clockwise. */
  angle: number
  /** Parts of width and height, to the right and down. */
  shiftX: number
  shiftY: number
}

/** Done in this order: contrast, brightness, saturation, hue, gamma. */
export interface ColourChange {
  contrast: number
  /** Grey levels (0–255) added. */
  brightness: number
  saturation: number
  /** Radians around the grey axis. */
  hue: number
  gamma: number
}

export const noGeometry: Geometry = {
  flipHorizontal: false,
  flipVertical: false,
  zoom: 1,
  shearX: 0,
  shearY: 0,
  angle: 0,
  shiftX: 0,
  shiftY: 0,
}

export const noColourChange: ColourChange = { contrast: 1, brightness: 0, saturation: 1, hue: 0, gamma: 1 }

/** Leaves every picture as it is. */
export const noAugmentation: AugmentationDraw = {
  geometry: noGeometry,
  colour: noColourChange,
  blur: 0,
  noise: { deviation: 0, seed: 0 },
  cutout: null,
  border: 'repeat',
  fill: [128, 128, 128],
}

const GREY_LEVELS = 255
const radians = (degrees: number): number => (degrees * Math.PI) / 180

/**
 * Draws what happens to one picture. Always takes the same number of random numbers, in the same order: switching one
 * operation on or off, or giving it another range, leaves the draws of the others as they were.
 */
export function drawAugmentation(random: Random, augmentation: Augmentation): AugmentationDraw {
  const a = augmentation
  /** Whether it happens, and one number in [0, 1) for each range it has. */
  const chance = (operation: { probability: number } | undefined): boolean =>
    random.float() < (operation?.probability ?? 0)
  const between = (range: readonly [number, number] | undefined): number => {
    const share = random.float()
    return range === undefined ? 0 : range[0] + share * (range[1] - range[0])
  }
  const betweenLogarithms = (range: readonly [number, number] | undefined): number => {
    const share = random.float()
    return range === undefined ? 1 : range[0] * (range[1] / range[0]) ** share
  }

  const rotates = chance(a.rotate)
  const degrees = between(a.rotate?.degrees)
  const zooms = chance(a.zoom)
  const zoom = betweenLogarithms(a.zoom?.factor)
  const shifts = chance(a.shift)
  const [shiftX, shiftY] = [between(a.shift?.x), between(a.shift?.y)]
  const shears = chance(a.shear)
  const [shearX, shearY] = [between(a.shear?.xDegrees), between(a.shear?.yDegrees)]
  const [flipHorizontal, flipVertical] = [chance(a.flipHorizontal), chance(a.flipVertical)]

  const brightens = chance(a.brightness)
  const brightness = between(a.brightness?.amount)
  const contrasts = chance(a.contrast)
  const contrast = between(a.contrast?.factor)
  const saturates = chance(a.saturation)
  const saturation = between(a.saturation?.factor)
  const turnsHue = chance(a.hue)
  const hue = between(a.hue?.degrees)
  const grey = chance(a.grey)
  const bends = chance(a.gamma)
  const gamma = betweenLogarithms(a.gamma?.exponent)

  const blurs = chance(a.blur)
  const blur = between(a.blur?.sigma)
  const isNoisy = chance(a.noise)
  const deviation = between(a.noise?.deviation)
  const seed = random.uint32()
  const cuts = chance(a.cutout)
  const area = between(a.cutout?.area)
  const aspect = betweenLogarithms(a.cutout?.aspect)
  const [left, above] = [random.float(), random.float()]

  const width = Math.min(1, Math.sqrt(area / aspect))
  const height = Math.min(1, Math.sqrt(area * aspect))
  return {
    geometry: {
      flipHorizontal,
      flipVertical,
      zoom: zooms ? zoom : 1,
      shearX: shears ? Math.tan(radians(shearX)) : 0,
      shearY: shears ? Math.tan(radians(shearY)) : 0,
      angle: rotates ? radians(degrees) : 0,
      shiftX: shifts ? shiftX : 0,
      shiftY: shifts ? shiftY : 0,
    },
    colour: {
      contrast: contrasts ? contrast : 1,
      brightness: brightens ? brightness * GREY_LEVELS : 0,
      saturation: grey ? 0 : saturates ? saturation : 1,
      hue: turnsHue ? radians(hue) : 0,
      gamma: bends ? gamma : 1,
    },
    blur: blurs ? blur : 0,
    noise: { deviation: isNoisy ? deviation * GREY_LEVELS : 0, seed },
    cutout: cuts && area > 0 ? { x: left * (1 - width), y: above * (1 - height), width, height } : null,
    border: a.border,
    fill: a.fill,
  }
}

/**
 * The random numbers of one picture: they depend on nothing but these three, so that threads may draw in any order and
 * a training may go on anywhere.
 * @param position of the picture within the epoch, counted from 0
 */
export const pictureRandom = (seed: number, epoch: number, position: number): Random =>
  createRandom(seed, `augmentation ${epoch} ${position}`)

/** Whether no operation can ever happen. */
export function isOff(augmentation: Augmentation): boolean {
  return Object.values(augmentation).every(
    (value) => typeof value !== 'object' || !('probability' in value) || value.probability === 0,
  )
}
