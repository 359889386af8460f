import type { Augmentation } from './definition.ts'

export const augmentationPresets = ['none', 'light', 'standard', 'strong'] as const
export type AugmentationPreset = (typeof augmentationPresets)[number]

const base = { version: 1, border: 'repeat', fill: [128, 128, 128] } satisfies Augmentation

/**
 * None of them mirrors or turns a picture over: what a picture shows must stay what its label says, also for letters,
 * signs, hands and arrows.
 */
const presets: Readonly<Record<AugmentationPreset, Augmentation>> = {
  /** Pictures as they are. */
  none: base,
  /** Differences one hardly sees: pictures from a fixed camera, defects of a few pixels. */
  light: {
    ...base,
    rotate: { probability: 1, degrees: [-5, 5] },
    zoom: { probability: 1, factor: [0.95, 1.06] },
    shift: { probability: 1, x: [-0.04, 0.04], y: [-0.04, 0.04] },
    brightness: { probability: 1, amount: [-0.05, 0.05] },
    contrast: { probability: 1, factor: [0.9, 1.1] },
  },
  /** As if the same thing had been photographed again by hand. */
  standard: {
    ...base,
    rotate: { probability: 1, degrees: [-10, 10] },
    zoom: { probability: 1, factor: [0.89, 1.14] },
    shift: { probability: 1, x: [-0.08, 0.08], y: [-0.08, 0.08] },
    brightness: { probability: 1, amount: [-0.1, 0.1] },
    contrast: { probability: 1, factor: [0.8, 1.2] },
    saturation: { probability: 0.5, factor: [0.7, 1.3] },
  },
  /** Another camera, another light, something in the way: few pictures, long training. */
  strong: {
    ...base,
    rotate: { probability: 1, degrees: [-20, 20] },
    zoom: { probability: 1, factor: [0.77, 1.4] },
    shift: { probability: 1, x: [-0.12, 0.12], y: [-0.12, 0.12] },
    shear: { probability: 0.5, xDegrees: [-8, 8], yDegrees: [-8, 8] },
    brightness: { probability: 0.8, amount: [-0.2, 0.2] },
    contrast: { probability: 0.8, factor: [0.6, 1.4] },
    saturation: { probability: 0.8, factor: [0.4, 1.6] },
    hue: { probability: 0.5, degrees: [-12, 12] },
    grey: { probability: 0.05 },
    gamma: { probability: 0.3, exponent: [0.7, 1.4] },
    blur: { probability: 0.15, sigma: [0, 0.012] },
    noise: { probability: 0.15, deviation: [0, 0.05] },
    cutout: { probability: 0.4, area: [0.02, 0.15], aspect: [0.4, 2.5] },
  },
}

export const presetAugmentation = (name: AugmentationPreset): Augmentation => presets[name]
