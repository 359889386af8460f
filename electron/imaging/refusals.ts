import { KestrelError } from '#shared/errors/index.ts'
import { limits } from './limits.ts'

/** The words for everything that can be wrong with a file. One place, so that import, prediction and preview agree. */

export const emptyFile = (): KestrelError =>
  new KestrelError('file-empty', 'The file is empty (0 bytes).', {
    remedy: 'Copy it again from where it came from.',
  })

export const notAPicture = (what: string): KestrelError =>
  new KestrelError('not-a-picture', what, { remedy: 'Use a picture file, for example JPEG or PNG.' })

export const unsupported = (what: string, cause?: unknown): KestrelError =>
  new KestrelError('format-unsupported', what, { remedy: 'Save it as JPEG or PNG and add it again.', cause })

/** @param size null when only the decoder knows it */
export const tooManyPixels = (size: { width: number; height: number } | null): KestrelError =>
  new KestrelError(
    'picture-too-large',
    `${size === null ? 'The picture has too many pixels' : `The picture says it is ${size.width} × ${size.height} pixels`}; Kestrel reads up to ${limits.pixels / 1e6} million pixels.`,
    { remedy: 'Make a smaller copy and add that.' },
  )

export const tooManyBytes = (bytes: number): KestrelError =>
  new KestrelError(
    'picture-too-large',
    `The file has ${Math.ceil(bytes / 1e6)} MB; Kestrel reads picture files up to ${Math.floor(limits.fileBytes / 1e6)} MB.`,
    { remedy: 'Make a smaller copy and add that.' },
  )

export const damaged = (cause?: unknown): KestrelError =>
  new KestrelError('picture-damaged', 'The file is damaged, and no picture could be read from it.', {
    remedy: 'Copy it again from where it came from, or leave it out.',
    cause,
  })

export const stopped = (): KestrelError => new KestrelError('stopped', 'Reading was stopped.')

/** @throws KestrelError picture-too-large, picture-damaged (no pixels at all) */
export function checkSize(width: number, height: number): void {
  if (width < 1 || height < 1) throw damaged()
  if (width * height > limits.pixels || width > limits.edge || height > limits.edge) {
    throw tooManyPixels({ width, height })
  }
}
