import type * as imaging from '#imaging/index.ts'

/** The part of electron/imaging that datasets use. */
export type PictureReader = Pick<
  typeof imaging,
  'readForImport' | 'readLook' | 'renderThumbnail' | 'renderPreview'
>
export type { KnownPicture, ReadPicture } from '#imaging/index.ts'
