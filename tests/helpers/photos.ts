import sharp from 'sharp'
import { createRandom } from '#shared/domain/random.ts'

/** Pictures with as much in them as a photo: blobs of all sizes on a ground whose light falls off. */
export async function photo(seed: number, width = 400, height = 300): Promise<Buffer> {
  const random = createRandom(seed)
  const between = (low: number, high: number): number => low + (high - low) * random.float()
  const blobs = Array.from({ length: 40 }, () => {
    const [x, y] = [between(0, 400), between(0, 300)]
    const [rx, ry] = [between(4, 50), between(4, 50)]
    const colour = `hsl(${between(0, 360)},${between(20, 80)}%,${between(15, 85)}%)`
    return `<ellipse cx="${x}" cy="${y}" rx="${rx}" ry="${ry}" fill="${colour}" transform="rotate(${between(0, 180)} ${x} ${y})"/>`
  })
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 400 300" width="${width}" height="${height}">
    <defs><linearGradient id="light"><stop offset="0" stop-color="#777"/><stop offset="1" stop-color="#ccc"/></linearGradient></defs>
    <rect width="400" height="300" fill="url(#light)"/>${blobs.join('')}</svg>`
  return sharp(Buffer.from(svg)).jpeg({ quality: 92 }).toBuffer()
}

/** A plain wall: nothing but light that falls off to the corners, and the noise of the camera. */
export async function wall(seed: number, width = 400, height = 300): Promise<Buffer> {
  const random = createRandom(seed)
  const [x, y] = [0.4 + 0.2 * random.float(), 0.4 + 0.2 * random.float()]
  const data = new Uint8Array(width * height * 3)
  for (let i = 0; i < width * height; i++) {
    const away = (((i % width) / width - x) ** 2 + (Math.floor(i / width) / height - y) ** 2) * 120
    data.fill(Math.round(210 - away + 6 * (random.float() - 0.5)), 3 * i, 3 * i + 3)
  }
  return sharp(data, { raw: { width, height, channels: 3 } })
    .jpeg({ quality: 90 })
    .toBuffer()
}
