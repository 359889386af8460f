import { emptyFile, notAPicture, unsupported } from './refusals.ts'

export const pictureFormats = ['jpeg', 'png', 'webp', 'gif', 'bmp', 'tiff', 'avif', 'heic'] as const
export type PictureFormat = (typeof pictureFormats)[number]

/** Formats a browser shows by itself. */
export const browserFormats: ReadonlySet<PictureFormat> = new Set([
  'jpeg',
  'png',
  'webp',
  'gif',
  'avif',
  'bmp',
])

const ascii = (bytes: Uint8Array, from: number, to: number): string =>
  String.fromCharCode(...bytes.subarray(from, Math.min(to, bytes.length)))

/** File brands that mean AV1 or HEVC inside an ISO media file (ISO/IEC 23008-12, AVIF specification). */
const heicBrands = new Set(['heic', 'heix', 'heim', 'heis', 'hevc', 'hevx', 'hevm', 'hevs'])
const avifBrands = new Set(['avif', 'avis'])

function isoMediaFormat(bytes: Uint8Array): PictureFormat | null {
  if (ascii(bytes, 4, 8) !== 'ftyp') return null
  const size = Math.min(new DataView(bytes.buffer, bytes.byteOffset).getUint32(0), bytes.length, 256)
  const brands = [ascii(bytes, 8, 12)]
  for (let at = 16; at + 4 <= size; at += 4) brands.push(ascii(bytes, at, at + 4))
  if (brands.some((brand) => avifBrands.has(brand))) return 'avif'
  if (brands.some((brand) => heicBrands.has(brand))) return 'heic'
  if (brands.includes('mif1') || brands.includes('msf1')) return 'heic'
  return null
}

/** Tells the picture format from the first bytes (64 are enough for all but ISO media brands), whatever the name says. */
export function sniffFormat(bytes: Uint8Array): PictureFormat | null {
  if (bytes.length < 4) return null
  const [a, b, c, d] = bytes
  if (a === 0xff && b === 0xd8 && c === 0xff) return 'jpeg'
  if (a === 0x89 && ascii(bytes, 1, 8) === 'PNG\r\n\x1a\n') return 'png'
  if (ascii(bytes, 0, 4) === 'RIFF' && ascii(bytes, 8, 12) === 'WEBP') return 'webp'
  if (ascii(bytes, 0, 3) === 'GIF' && /^8[79]a$/.test(ascii(bytes, 3, 6))) return 'gif'
  if (
    (a === 0x49 && b === 0x49 && (c === 42 || c === 43) && d === 0) ||
    (a === 0x4d && b === 0x4d && c === 0 && (d === 42 || d === 43))
  ) {
    return 'tiff'
  }
  if (a === 0x42 && b === 0x4d && looksLikeBmp(bytes)) return 'bmp'
  return bytes.length >= 16 ? isoMediaFormat(bytes) : null
}

/** "BM" alone also begins ordinary text; the size of the second header decides. */
function looksLikeBmp(bytes: Uint8Array): boolean {
  if (bytes.length < 26) return false
  const size = new DataView(bytes.buffer, bytes.byteOffset).getUint32(14, true)
  return [12, 16, 40, 52, 56, 64, 108, 124].includes(size)
}

/** Other files people drop, so that the reason says what the file is. */
const otherFiles: { test: (head: string, bytes: Uint8Array) => boolean; refuse: () => Error }[] = [
  {
    test: (head) => /^\s*(<\?xml[^>]*>\s*)?(<!--.*?-->\s*)*(<!doctype svg[^>]*>\s*)?<svg[\s>]/is.test(head),
    refuse: () => unsupported('This is a drawing (SVG), not a photograph; Kestrel does not read drawings.'),
  },
  {
    test: (head) => /^\s*(<!doctype html|<html|<head|<body)/i.test(head),
    refuse: () => notAPicture('This is a web page, not a picture. Perhaps the download went wrong.'),
  },
  {
    test: (head) => /^\s*<\?xml/i.test(head),
    refuse: () => notAPicture('This is an XML text, not a picture.'),
  },
  {
    test: (head) => head.startsWith('%PDF-'),
    refuse: () => notAPicture('This is a PDF document, not a picture.'),
  },
  {
    test: (head) => head.startsWith('PK\x03\x04'),
    refuse: () => notAPicture('This is an archive or office document (zip), not a picture.'),
  },
  {
    test: (_, bytes) => bytes[0] === 0 && bytes[1] === 5 && bytes[2] === 0x16 && bytes[3] === 7,
    refuse: () => notAPicture('This is a helper file of macOS, not a picture.'),
  },
  {
    test: (head) => head.slice(4, 8) === 'ftyp' || /^(RIFF....AVI |\x1aE\xdf\xa3|OggS)/s.test(head),
    refuse: () => notAPicture('This is a video or sound file, not a picture.'),
  },
  {
    test: (head) => head.startsWith('8BPS'),
    refuse: () => unsupported('This is a Photoshop document (PSD), which Kestrel does not read.'),
  },
  {
    test: (head, bytes) => head.startsWith('\0\0\0\x0cJXL ') || (bytes[0] === 0xff && bytes[1] === 0x0a),
    refuse: () => unsupported('This is a JPEG XL picture, which Kestrel does not read.'),
  },
  {
    test: (head) => head.slice(4, 8) === 'jP  ',
    refuse: () => unsupported('This is a JPEG 2000 picture, which Kestrel does not read.'),
  },
  {
    test: (head) => head.startsWith('\0\0\x01\0'),
    refuse: () => unsupported('This is an icon file (ICO), which Kestrel does not read.'),
  },
]

const looksLikeText = (bytes: Uint8Array): boolean =>
  bytes.subarray(0, 512).every((byte) => byte >= 32 || byte === 9 || byte === 10 || byte === 13)

/**
 * The format of a file's bytes.
 * @throws KestrelError file-empty, not-a-picture, format-unsupported, in words that say what the file is instead
 */
export function requireFormat(bytes: Uint8Array): PictureFormat {
  if (bytes.length === 0) throw emptyFile()
  const format = sniffFormat(bytes)
  if (format !== null) return format
  const head = ascii(bytes, 0, 1024).replace(/^\xef\xbb\xbf/, '')
  for (const { test, refuse } of otherFiles) if (test(head, bytes)) throw refuse()
  if (looksLikeText(bytes)) throw notAPicture('This is a text file, not a picture.')
  throw notAPicture('This is not a picture, or a kind that Kestrel does not know.')
}
