import sharp from 'sharp'

/**
 * Opens a picture file as Kestrel does: turned upright as its camera noted (EXIF), colours as sRGB with 8 bits,
 * transparent places filled with the background.
 *
 * `file` is a path or the bytes of a file. Gives red, green, blue bytes, row by row from the top.
 */
export async function decodePicture(file, background = [255, 255, 255]) {
  const [r, g, b] = background
  const { data, info } = await sharp(file, { failOn: 'none' })
    .autoOrient()
    .toColourspace('srgb')
    .flatten({ background: { r, g, b } })
    .raw({ depth: 'uchar' })
    .toBuffer({ resolveWithObject: true })
  return { data: threeChannels(data, info.channels), width: info.width, height: info.height }
}

/** Grey becomes red, green, blue. */
function threeChannels(data, channels) {
  if (channels === 3) return new Uint8Array(data.buffer, data.byteOffset, data.length)
  const rgb = new Uint8Array((data.length / channels) * 3)
  for (let from = 0, to = 0; to < rgb.length; from += channels) {
    rgb[to++] = data[from]
    rgb[to++] = data[channels > 2 ? from + 1 : from]
    rgb[to++] = data[channels > 2 ? from + 2 : from]
  }
  return rgb
}
