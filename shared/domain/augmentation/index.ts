export { isIdentity, samplingMatrix, type Affine, type Size } from './affine.ts'
export { augmentationSchema, type Augmentation } from './definition.ts'
export {
  drawAugmentation,
  isOff,
  noAugmentation,
  noColourChange,
  noGeometry,
  pictureRandom,
  type AugmentationDraw,
  type ColourChange,
  type Geometry,
} from './draw.ts'
export { augmentationPresets, presetAugmentation, type AugmentationPreset } from './presets.ts'
