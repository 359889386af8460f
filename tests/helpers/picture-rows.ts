import type { NewPicture } from '#studio/storage/pictures-repository.ts'

/** A plausible row; `index` makes content, name and measures differ. */
export const pictureRow = (index: number, changes: Partial<NewPicture> = {}): NewPicture => ({
  sha256: index.toString(16).padStart(64, '0'),
  name: `IMG_${String((index * 7919) % 100_003).padStart(6, '0')}.jpg`,
  file: `images/ab/${index.toString(16).padStart(64, '0')}.jpg`,
  stored: 'copy',
  origin: `flowers/daisy/IMG_${index}.jpg`,
  format: 'jpeg',
  bytes: 1000 + index,
  width: 100 + ((index * 31) % 1000),
  height: 100,
  orientation: 1,
  perceptualHash: ((index * 2654435761) % 2 ** 32).toString(16).padStart(16, '0'),
  sharpness: ((index * 17) % 1000) / 10,
  brightness: 0.5,
  findings: [],
  labelId: null,
  fixedSplit: null,
  importId: null,
  addedAt: index,
  ...changes,
})
