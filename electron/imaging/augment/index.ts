/** Applies what `shared/domain/augmentation` has drawn; used by training and by the preview. Needs no sharp. */
export { applyAugmentation } from './apply.ts'
export type { Planes } from './sample.ts'
export { scalePlanes, type Scaling } from './scale.ts'
