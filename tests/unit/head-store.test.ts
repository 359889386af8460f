import { readFile, truncate, writeFile } from 'node:fs/promises'
import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { createRandom } from '#shared/domain/random.ts'
import { loadHead, saveHead, warmStartFrom, type SavedHead } from '#trainer/head/store.ts'
import { temporaryFolder } from '../helpers/folders.ts'

const features = 4
const classes = ['ash', 'birch', 'cedar']
const length = classes.length * (features + 1)
const random = createRandom(1)
const point = (): Float64Array => Float64Array.from({ length }, () => Math.fround(random.normal()))
const keys = Array.from({ length: 100 }, (_, row) => createHash('sha256').update(String(row)).digest('hex'))
const labels = Int32Array.from(keys, (_, row) => row % 3)
const scaling = {
  mean: Float64Array.of(1, 2, 3, 4),
  factor: new Float64Array(features).fill(0.5),
}

function saved(changes: Partial<SavedHead> = {}): SavedHead {
  const tried = [0.1, 0.01].map((strength) => ({
    strength,
    valLogLoss: 1,
    valAccuracy: 0.5,
    points: [point()],
  }))
  return {
    classes,
    featureLength: features,
    backboneSha256: 'backbone',
    objective: 'softmax',
    seed: 1,
    scaling,
    fit: { final: point(), selection: tried[1]!.points[0]!, chosen: 0.01, tried, steps: 3, stopped: null },
    keys,
    labels,
    folds: {
      fold: Int32Array.from(keys, (_, row) => row % 2),
      probabilities: new Float32Array(300),
      inner: [new Map([[0.1, point()]]), new Map([[0.01, point()]])],
      outer: [point(), point()],
      chosen: [0.1, 0.01],
    },
    ...changes,
  }
}

const present = {
  classes,
  backboneSha256: 'backbone',
  objective: 'softmax' as const,
  scaling,
  keys,
  labels,
  folds: 2,
}

describe('the saved head', () => {
  it('gives everything back that a warm start needs', async () => {
    const folder = temporaryFolder()
    const head = saved()
    await saveHead(folder, head)
    const warm = warmStartFrom(await loadHead(folder), present)!
    const near = (a: Float64Array, b: Float64Array) =>
      a.forEach((value, i) => expect(value).toBeCloseTo(b[i]!, 6))
    near(warm.head.final, head.fit.final)
    near(warm.head.byStrength.get(0.1)!, head.fit.tried[0]!.points[0]!)
    expect(warm.head.smallChange).toBe(true)
    near(warm.folds!.outer[1]!, head.folds!.outer[1]!)
    near(warm.folds!.inner[1]!.get(0.01)!, head.folds!.inner[1]!.get(0.01)!)
    expect(warm.folds!.foldOf.get(keys[3]!)).toBe(1)
  })

  it('moves the parameters to another scale of the features', async () => {
    const folder = temporaryFolder()
    const head = saved()
    await saveHead(folder, head)
    const other = { mean: Float64Array.of(0, 0, 1, 1), factor: new Float64Array(features).fill(2) }
    const { final } = warmStartFrom(await loadHead(folder), { ...present, scaling: other })!.head
    const raw = [3, 1, 4, 1]
    const logit = (of: Float64Array, { mean, factor }: typeof scaling): number =>
      raw.reduce(
        (sum, value, j) => sum + (value - mean[j]!) * factor[j]! * of[j]!,
        of[classes.length * features]!,
      )
    expect(logit(final, other)).toBeCloseTo(logit(head.fit.final, scaling), 5)
  })

  it('tells small changes from large ones', async () => {
    const folder = temporaryFolder()
    await saveHead(folder, saved())
    const earlier = await loadHead(folder)
    const changed = (count: number): Int32Array =>
      labels.map((label, row) => (row < count ? (label + 1) % 3 : label))
    expect(warmStartFrom(earlier, { ...present, labels: changed(2) })!.head.smallChange).toBe(true)
    expect(warmStartFrom(earlier, { ...present, labels: changed(3) })!.head.smallChange).toBe(false)
    const fewer = { ...present, keys: keys.slice(5), labels: labels.slice(5) }
    expect(warmStartFrom(earlier, fewer)!.head.smallChange).toBe(false)
  })

  it('is of no use for other classes, another backbone, another objective or another number of folds', async () => {
    const folder = temporaryFolder()
    await saveHead(folder, saved())
    const earlier = await loadHead(folder)
    expect(warmStartFrom(earlier, { ...present, classes: ['ash', 'cedar', 'birch'] })).toBeNull()
    expect(warmStartFrom(earlier, { ...present, backboneSha256: 'other' })).toBeNull()
    expect(warmStartFrom(earlier, { ...present, objective: 'svm' })).toBeNull()
    expect(warmStartFrom(earlier, { ...present, folds: 3 })!.folds).toBeNull()
  })

  it('of a time before there was a choice is a softmax head', async () => {
    const folder = temporaryFolder()
    await saveHead(folder, saved())
    const file = join(folder, 'head.json')
    const { objective, ...old } = JSON.parse(await readFile(file, 'utf8')) as { objective: string }
    expect(objective).toBe('softmax')
    await writeFile(file, JSON.stringify(old))
    expect(warmStartFrom(await loadHead(folder), present)).not.toBeNull()
  })

  it('says in words that the files are damaged', async () => {
    const folder = temporaryFolder()
    await saveHead(folder, saved())
    await truncate(join(folder, 'head.bin'), 40)
    await expect(loadHead(folder)).rejects.toMatchObject({ code: 'model-unreadable' })
    await writeFile(join(folder, 'head.json'), '{"version":9}')
    await expect(loadHead(folder)).rejects.toMatchObject({ code: 'model-unreadable' })
  })
})
