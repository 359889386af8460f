/** The house's eyes: the only user of sharp. */
export { decodeToRgb, type Background, type DecodedPicture, type DecodeOptions } from './decode.ts'
export { findingThresholds, type Finding, type FindingCode } from './findings.ts'
export {
  readForImport,
  readLook,
  renderThumbnail,
  THUMBNAIL_EDGE,
  type KnownPicture,
  type ReadOptions,
  type ReadPicture,
} from './inspect.ts'
export { limits } from './limits.ts'
export { preprocessFile, resizeFile } from './prepare.ts'
export { renderPreview } from './preview.ts'
export type { EncodedPicture } from './small-picture.ts'
export { browserFormats, pictureFormats, sniffFormat, type PictureFormat } from './sniff.ts'
