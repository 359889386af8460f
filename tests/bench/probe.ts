import { createHash } from 'node:crypto'
import { mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { PreparedBackbone, TrainRequest } from '#shared/contract/trainer.ts'
import { createRandom } from '#shared/domain/random.ts'
import { stratifiedSplit } from '#shared/domain/splits.ts'
import { trainHead } from '#trainer/head/train-head.ts'
import { StopSignal } from '#trainer/host/context.ts'

/**
 * Linear probe: how well a softmax regression on a backbone's frozen features does on pictures it has not seen.
 * `reserved` sets: the test is what no student of ours was shown (first hexadecimal digit of the SHA-256 0 to 2), learned
 * from are four fifths of the rest, drawn by the seed. Of the others a fifth, drawn by the seed, is the test.
 */
export const probeSets = [
  { name: 'flowers5', reserved: true },
  { name: 'trashnet6', reserved: false },
  { name: 'caltech-boats', reserved: false },
  { name: 'sign-digits10', reserved: true },
  { name: 'magnetic-tile6', reserved: true },
] as const
export type ProbeSet = (typeof probeSets)[number]

type Image = TrainRequest['images'][number]

/** @param folder of the set: a folder per class. */
export function probeImages(
  folder: string,
  { reserved }: ProbeSet,
  seed: number,
): { images: Image[]; classes: string[] } {
  const classes = readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => name)
    .sort()
  const found = classes.flatMap((name, label) =>
    readdirSync(join(folder, name))
      .sort()
      .map((file) => {
        const path = join(folder, name, file)
        return { path, label, sha256: createHash('sha256').update(readFileSync(path)).digest('hex') }
      }),
  )
  const drawn = stratifiedSplit({
    labels: found.map(({ label }) => label),
    keys: found.map(({ sha256 }) => sha256),
    seed,
    fractions: { train: 80, val: 0, test: 20 },
  })
  const random = createRandom(seed, 'probe')
  const images = found.flatMap((each, id): Image[] => {
    const test = reserved ? /^[012]/.test(each.sha256) : drawn[id] === 'test'
    if (!test && reserved && random.float() >= 0.8) return []
    return [{ ...each, id, split: test ? 'test' : 'train' }]
  })
  return { images, classes }
}

/** @returns the share of the test pictures that is right, and how many they are. */
export async function probe(
  backbone: PreparedBackbone,
  folder: string,
  set: ProbeSet,
  seed: number,
  work: string,
): Promise<{ accuracy: number; tests: number }> {
  const { images, classes } = probeImages(folder, set, seed)
  const runDir = join(work, `${backbone.id} ${set.name} ${seed}`)
  mkdirSync(runDir, { recursive: true })
  const { test } = await trainHead(
    {
      kind: 'train',
      recipe: 'head',
      ...{ backbone, classes, images, seed, runDir },
      folds: 0,
      cacheDir: join(work, 'cache'),
      warmStartFrom: null,
      gradients: null,
      engine: 'onnx',
      checkpointDir: null,
    },
    { stop: new StopSignal(), progress: () => {}, metric: () => {}, partial: () => {} },
  )
  const labelOf = new Map(images.map(({ id, label }) => [id, label]))
  let right = 0
  test.ids.forEach((id, row) => {
    const of = test.probabilities.subarray(row * classes.length, (row + 1) * classes.length)
    if (of.indexOf(Math.max(...of)) === labelOf.get(id)) right += 1
  })
  return { accuracy: right / test.ids.length, tests: test.ids.length }
}
