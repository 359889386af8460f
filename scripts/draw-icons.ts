/**
 * `node scripts/draw-icons.ts`: the app's icon in all sizes and containers, from resources/icons/kestrel.svg. Its results
 * are committed; run it after a change of the drawing.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import sharp from 'sharp'
import { root } from './lib/stamp.mjs'

const source = join(root, 'resources', 'icons', 'kestrel.svg')
const target = join(root, 'resources', 'icons')

const draw = (size: number): Promise<Buffer> =>
  sharp(source, { density: 144 }).resize(size, size).png({ compressionLevel: 9 }).toBuffer()

/** ICO: a 6-byte header, 16 bytes per picture, then the PNG files themselves (allowed since Windows Vista). */
function ico(pictures: { size: number; png: Buffer }[]): Buffer {
  const header = Buffer.alloc(6 + 16 * pictures.length)
  header.writeUInt16LE(1, 2)
  header.writeUInt16LE(pictures.length, 4)
  let offset = header.length
  pictures.forEach(({ size, png }, index) => {
    const at = 6 + 16 * index
    // 0 stands for 256.
    header.writeUInt8(size % 256, at)
    header.writeUInt8(size % 256, at + 1)
    header.writeUInt16LE(1, at + 4)
    header.writeUInt16LE(32, at + 6)
    header.writeUInt32LE(png.length, at + 8)
    header.writeUInt32LE(offset, at + 12)
    offset += png.length
  })
  return Buffer.concat([header, ...pictures.map(({ png }) => png)])
}

/** ICNS: "icns", total length, then type, length and PNG per picture, all big-endian. */
function icns(pictures: { type: string; png: Buffer }[]): Buffer {
  const parts = pictures.map(({ type, png }) => {
    const head = Buffer.alloc(8)
    head.write(type, 0, 'latin1')
    head.writeUInt32BE(png.length + 8, 4)
    return Buffer.concat([head, png])
  })
  const body = Buffer.concat(parts)
  const head = Buffer.alloc(8)
  head.write('icns', 0, 'latin1')
  head.writeUInt32BE(body.length + 8, 4)
  return Buffer.concat([head, body])
}

const png = new Map<number, Buffer>()
for (const size of [16, 32, 48, 64, 128, 256, 512, 1024]) png.set(size, await draw(size))
const of = (size: number): Buffer => {
  const picture = png.get(size)
  if (!picture) throw new Error(`no picture of ${size} pixels was drawn`)
  return picture
}

// electron-builder takes the Linux sizes from files named like this.
mkdirSync(join(target, 'linux'), { recursive: true })
for (const size of [16, 32, 48, 64, 128, 256, 512])
  writeFileSync(join(target, 'linux', `${size}x${size}.png`), of(size))
writeFileSync(
  join(target, 'icon.ico'),
  ico([16, 32, 48, 64, 128, 256].map((size) => ({ size, png: of(size) }))),
)
writeFileSync(
  join(target, 'icon.icns'),
  icns([
    { type: 'ic11', png: of(32) },
    { type: 'ic12', png: of(64) },
    { type: 'ic07', png: of(128) },
    { type: 'ic13', png: of(256) },
    { type: 'ic08', png: of(256) },
    { type: 'ic14', png: of(512) },
    { type: 'ic09', png: of(512) },
    { type: 'ic10', png: of(1024) },
  ]),
)
