/**
 * Draws the pictures of "Try a sample": `node scripts/draw-sample.ts [folder]`. Everything is made here from a seed; no
 * picture comes from anywhere else. The pictures are committed (another version of the SVG renderer may set a pixel
 * otherwise), so this runs only when the sample itself is to change.
 */
import { mkdirSync, rmSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { createRandom } from '#shared/domain/random.ts'
import type { Random } from '#shared/domain/random.ts'
import { drawFeather } from './sample/feather.ts'
import { drawLeaf } from './sample/leaf.ts'
import { drawMushroom } from './sample/mushroom.ts'
import { pick } from './sample/pen.ts'
import type { Posture } from './sample/scene.ts'
import { drawScene, frames, writeScene } from './sample/scene.ts'
import { drawShell } from './sample/shell.ts'

const SEED = 20_260
const PICTURES = 56

/** Large enough, and bare enough, for a small network to see. */
const seen = { smallest: 0.92, hidden: 0.1 }
const kinds: { label: string; posture: Posture; draw: (random: Random) => string }[] = [
  { label: 'feather', posture: { upright: false, reach: 1.2, ...seen }, draw: drawFeather },
  { label: 'leaf', posture: { upright: false, reach: 1.12, ...seen }, draw: drawLeaf },
  { label: 'mushroom', posture: { upright: true, reach: 0.95, ...seen }, draw: drawMushroom },
  { label: 'shell', posture: { upright: false, reach: 0.98, ...seen }, draw: drawShell },
]
const target = resolve(process.argv[2] ?? join(import.meta.dirname, '../resources/samples/forest-finds'))
let bytes = 0
for (const { label, posture, draw } of kinds) {
  const folder = join(target, label)
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder, { recursive: true })
  for (let number = 1; number <= PICTURES; number++) {
    const random = createRandom(SEED, `${label} ${number}`)
    const frame = pick(random, frames)
    const svg = drawScene(random, frame, posture, draw)
    const file = join(folder, `${String(number).padStart(2, '0')}.jpg`)
    bytes += await writeScene(svg, frame, file)
  }
}
console.log(`${kinds.length * PICTURES} pictures, ${(bytes / 1e6).toFixed(2)} MB in ${target}`)
