import { createHash } from 'node:crypto'
import { mkdir, rename, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import sharp from 'sharp'
import { createRandom } from '#shared/domain/random.ts'

export interface DrawnPicture {
  id: number
  sha256: string
  path: string
  label: number
}

/** What a class looks like: a shape of a colour on a ground of noise; position, size and light vary. */
const looks = [
  { colour: [200, 60, 50], round: true },
  { colour: [60, 80, 200], round: false },
  { colour: [220, 200, 60], round: true },
  { colour: [70, 170, 90], round: false },
] as const

/** Draws `count` pictures per class as files, the same for the same seed. Ids begin at 100. */
export async function drawPictures(
  folder: string,
  { classes = 3, count = 20, seed = 1, width = 72, height = 56 } = {},
): Promise<DrawnPicture[]> {
  await mkdir(folder, { recursive: true })
  const pictures: DrawnPicture[] = []
  for (let label = 0; label < classes; label++) {
    for (let n = 0; n < count; n++) {
      const pixels = drawOne(label, createRandom(seed, `${label} ${n}`), width, height)
      const bytes = await sharp(pixels, { raw: { width, height, channels: 3 } })
        .jpeg({ quality: 90 })
        .toBuffer()
      const path = join(folder, `${label}-${n}.jpg`)
      await writeFile(path, bytes)
      const sha256 = createHash('sha256').update(bytes).digest('hex')
      pictures.push({ id: 100 + pictures.length, sha256, path, label })
    }
  }
  return pictures
}

/** Drawn pictures in a folder per class, for an import. @returns the folder */
export async function drawnFolder(
  folder: string,
  options: Parameters<typeof drawPictures>[1],
): Promise<string> {
  for (const { path, label } of await drawPictures(folder, options)) {
    const into = join(folder, ['berry', 'box', 'lemon', 'leaf'][label]!)
    await mkdir(into, { recursive: true })
    await rename(path, join(into, basename(path)))
  }
  return folder
}

function drawOne(
  label: number,
  random: ReturnType<typeof createRandom>,
  width: number,
  height: number,
): Uint8Array {
  const { colour, round } = looks[label % looks.length]!
  const pixels = new Uint8Array(width * height * 3)
  const [cx, cy] = [width * (0.35 + 0.3 * random.float()), height * (0.35 + 0.3 * random.float())]
  const radius = Math.min(width, height) * (0.2 + 0.12 * random.float())
  const light = 0.7 + 0.5 * random.float()
  const ground = 90 + random.below(80)
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++) {
      const [dx, dy] = [Math.abs(x - cx), Math.abs(y - cy)]
      const inside = round ? dx * dx + dy * dy < radius * radius : Math.max(dx, dy) < radius * 0.85
      for (let c = 0; c < 3; c++) {
        const base = inside ? colour[c]! : ground
        pixels[(y * width + x) * 3 + c] = Math.max(0, Math.min(255, base * light + random.normal(0, 12)))
      }
    }
  return pixels
}
