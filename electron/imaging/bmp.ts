import { checkSize, damaged, unsupported } from './refusals.ts'

/**
 * Windows bitmaps, which libvips as shipped with sharp does not read. Layout: Microsoft's "Bitmap Storage"
 * (BITMAPFILEHEADER, BITMAPCOREHEADER, BITMAPINFOHEADER, V4, V5). 1, 4, 8, 16, 24 and 32 bits, run-length encoded 4 and
 * 8 bits, bit fields, bottom-up and top-down. Everything read is bounds-checked: bitmaps come from anywhere.
 */
export interface BmpHeader {
  width: number
  height: number
  topDown: boolean
  bits: 1 | 4 | 8 | 16 | 24 | 32
  compression: 'none' | 'rle4' | 'rle8'
  /** Red, green, blue, alpha; alpha 0 where there is none. */
  masks: [number, number, number, number]
  hasAlpha: boolean
  paletteAt: number
  paletteEntryBytes: 3 | 4
  paletteColours: number
  pixelsAt: number
}

/** @throws KestrelError picture-damaged, format-unsupported, picture-too-large */
export function readBmpHeader(bytes: Uint8Array): BmpHeader {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (bytes.length < 26) throw damaged()
  const pixelsAt = view.getUint32(10, true)
  const headerSize = view.getUint32(14, true)
  if (14 + headerSize > bytes.length) throw damaged()
  const core = headerSize === 12
  const width = core ? view.getUint16(18, true) : view.getInt32(18, true)
  const signedHeight = core ? view.getUint16(20, true) : view.getInt32(22, true)
  const height = Math.abs(signedHeight)
  checkSize(width, height)
  const bits = view.getUint16(core ? 24 : 28, true)
  const method = headerSize >= 40 ? view.getUint32(30, true) : 0
  if (bits !== 1 && bits !== 4 && bits !== 8 && bits !== 16 && bits !== 24 && bits !== 32) {
    throw unsupported(`This is a bitmap (BMP) with ${bits} bits a pixel, which Kestrel does not read.`)
  }
  const compression = method === 1 && bits === 8 ? 'rle8' : method === 2 && bits === 4 ? 'rle4' : 'none'
  const bitFields = (method === 3 || method === 6) && (bits === 16 || bits === 32)
  if (method !== 0 && compression === 'none' && !bitFields) {
    throw unsupported('This is a bitmap (BMP) packed in a way that Kestrel does not read.')
  }
  let masks: BmpHeader['masks'] = bits === 16 ? [0x7c00, 0x3e0, 0x1f, 0] : [0xff0000, 0xff00, 0xff, 0]
  // Bit fields lie behind a plain header or inside a longer one, at the same place.
  const fieldBytes = bitFields ? (headerSize >= 56 || method === 6 ? 16 : 12) : 0
  if (bitFields) {
    if (54 + fieldBytes > bytes.length) throw damaged()
    const mask = (index: number): number => view.getUint32(54 + index * 4, true)
    masks = [mask(0), mask(1), mask(2), fieldBytes === 16 ? mask(3) : 0]
  }
  const paletteAt = 14 + headerSize + (headerSize === 40 ? fieldBytes : 0)
  const said = headerSize >= 40 ? view.getUint32(46, true) : 0
  const paletteEntryBytes = core ? 3 : 4
  const room = Math.max(0, Math.floor((Math.min(pixelsAt, bytes.length) - paletteAt) / paletteEntryBytes))
  const most = bits <= 8 ? 1 << bits : 0
  return {
    width,
    height,
    topDown: signedHeight < 0,
    bits,
    compression,
    masks,
    hasAlpha: masks[3] !== 0,
    paletteAt,
    paletteEntryBytes,
    paletteColours: Math.min(said === 0 ? most : said, most, room),
    pixelsAt,
  }
}

export interface BmpPicture {
  /** uint8 `[height, width, 4]`, RGBA, top row first. */
  data: Uint8Array
  width: number
  height: number
  hasAlpha: boolean
  /** The file ends before its picture does; what is missing is black. */
  damaged: boolean
}

/** @throws KestrelError picture-damaged, format-unsupported, picture-too-large */
export function decodeBmp(bytes: Uint8Array): BmpPicture {
  const header = readBmpHeader(bytes)
  const { width, height, topDown, bits, hasAlpha } = header
  if (header.pixelsAt >= bytes.length) throw damaged()
  const data = new Uint8Array(width * height * 4)
  const place = (x: number, row: number): number => ((topDown ? row : height - 1 - row) * width + x) * 4
  let complete: boolean
  if (bits <= 8) {
    const indices =
      header.compression === 'none' ? packedIndices(bytes, header) : runLengthIndices(bytes, header)
    complete = indices.complete
    const palette = readPalette(bytes, header)
    for (let row = 0; row < height; row++) {
      let write = place(0, row)
      for (let x = 0; x < width; x++, write += 4) {
        const entry = indices.data[row * width + x]! * 4
        data[write] = palette[entry]!
        data[write + 1] = palette[entry + 1]!
        data[write + 2] = palette[entry + 2]!
        data[write + 3] = 255
      }
    }
  } else {
    complete = directPixels(bytes, header, data, place)
  }
  return { data, width, height, hasAlpha, damaged: !complete }
}

/** RGBA by index, 256 entries; colours that are missing are black. */
function readPalette(bytes: Uint8Array, header: BmpHeader): Uint8Array {
  const palette = new Uint8Array(256 * 4)
  for (let i = 0; i < header.paletteColours; i++) {
    const at = header.paletteAt + i * header.paletteEntryBytes
    palette[i * 4] = bytes[at + 2] ?? 0
    palette[i * 4 + 1] = bytes[at + 1] ?? 0
    palette[i * 4 + 2] = bytes[at] ?? 0
  }
  return palette
}

/** Rows are padded to four bytes. */
const rowBytes = (width: number, bits: number): number => Math.ceil((width * bits) / 32) * 4

function packedIndices(bytes: Uint8Array, header: BmpHeader): { data: Uint8Array; complete: boolean } {
  const { width, height, bits, pixelsAt } = header
  const data = new Uint8Array(width * height)
  const stride = rowBytes(width, bits)
  const perByte = 8 / bits
  const mask = (1 << bits) - 1
  for (let row = 0; row < height; row++) {
    for (let x = 0; x < width; x++) {
      const byte = bytes[pixelsAt + row * stride + Math.floor(x / perByte)]
      if (byte === undefined) return { data, complete: false }
      data[row * width + x] = (byte >> (8 - bits * ((x % perByte) + 1))) & mask
    }
  }
  return { data, complete: true }
}

function runLengthIndices(bytes: Uint8Array, header: BmpHeader): { data: Uint8Array; complete: boolean } {
  const { width, height } = header
  const data = new Uint8Array(width * height)
  const half = header.compression === 'rle4'
  let x = 0
  let row = 0
  const put = (value: number): void => {
    if (x < width && row < height) data[row * width + x] = value
    x++
  }
  const nibble = (byte: number, index: number): number => (index % 2 === 0 ? byte >> 4 : byte & 15)
  for (let at = header.pixelsAt; at + 1 < bytes.length && row < height;) {
    const count = bytes[at]!
    const value = bytes[at + 1]!
    at += 2
    if (count > 0) {
      for (let i = 0; i < count; i++) put(half ? nibble(value, i) : value)
    } else if (value === 0) {
      x = 0
      row++
    } else if (value === 1) {
      return { data, complete: true }
    } else if (value === 2) {
      x += bytes[at] ?? 0
      row += bytes[at + 1] ?? 0
      at += 2
    } else {
      for (let i = 0; i < value; i++) {
        const byte = bytes[at + (half ? i >> 1 : i)]
        if (byte === undefined) return { data, complete: false }
        put(half ? nibble(byte, i) : byte)
      }
      // Literal runs are padded to an even number of bytes.
      const used = half ? (value + 1) >> 1 : value
      at += used + (used & 1)
    }
  }
  return { data, complete: row >= height }
}

/** One channel of a bit field to 0–255, as a table for up to 8 bits and by arithmetic above. */
function channelReader(mask: number): (pixel: number) => number {
  if (mask === 0) return () => 0
  const shift = 31 - Math.clz32(mask & -mask)
  const most = mask >>> shift
  return (pixel) => Math.floor((((pixel & mask) >>> shift) * 255) / most)
}

function directPixels(
  bytes: Uint8Array,
  header: BmpHeader,
  data: Uint8Array,
  place: (x: number, row: number) => number,
): boolean {
  const { width, height, bits, masks, hasAlpha, pixelsAt } = header
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const stride = rowBytes(width, bits)
  const step = bits / 8
  const [red, green, blue, alpha] = masks.map(channelReader) as [
    (pixel: number) => number,
    (pixel: number) => number,
    (pixel: number) => number,
    (pixel: number) => number,
  ]
  for (let row = 0; row < height; row++) {
    let write = place(0, row)
    let read = pixelsAt + row * stride
    for (let x = 0; x < width; x++, write += 4, read += step) {
      if (read + step > bytes.length) return false
      if (bits === 24) {
        data[write] = bytes[read + 2]!
        data[write + 1] = bytes[read + 1]!
        data[write + 2] = bytes[read]!
        data[write + 3] = 255
        continue
      }
      const pixel = bits === 16 ? view.getUint16(read, true) : view.getUint32(read, true)
      data[write] = red(pixel)
      data[write + 1] = green(pixel)
      data[write + 2] = blue(pixel)
      data[write + 3] = hasAlpha ? alpha(pixel) : 255
    }
  }
  return true
}
