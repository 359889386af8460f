/**
 * Draws pictures without labels for `kestrel distill`, so that the small network knows drawings as well as photographs:
 * `node scripts/draw-shapes.ts FOLDER [count]`. The same pen, grounds and light as the sample's, but none of its finds.
 */
import { mkdirSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { createRandom } from '#shared/domain/random.ts'
import { drawFancy } from './sample/fancy.ts'
import { between, chance, pick } from './sample/pen.ts'
import { drawScene, frames, writeScene } from './sample/scene.ts'

const SEED = 61_803
const [folder, count = '3000'] = process.argv.slice(2)
if (folder === undefined) throw new Error('node scripts/draw-shapes.ts FOLDER [count]')
mkdirSync(folder, { recursive: true })
for (let number = 1; number <= Number(count); number++) {
  const random = createRandom(SEED, `shape ${number}`)
  const frame = pick(random, frames)
  const posture = {
    upright: chance(random, 0.3),
    reach: between(random, 0.6, 1.25),
    smallest: 0.78,
    hidden: 0.3,
  }
  await writeScene(
    drawScene(random, frame, posture, drawFancy),
    frame,
    join(folder, `${String(number).padStart(5, '0')}.jpg`),
  )
}
console.log(`${count} pictures in ${resolve(folder)}`)
