import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import type { TrainerImage } from '#shared/contract/trainer.ts'
import { presetAugmentation, type AugmentationPreset } from '#shared/domain/augmentation/index.ts'
import type { Preprocessing } from '#shared/domain/preprocessing/definition.ts'
import { balancedOrder, givenOrder } from '#shared/domain/sampling.ts'
import { BatchThreads } from '#trainer/data/batch-threads.ts'
import { BatchStream, type Batch, type BatchStreamOptions } from '#trainer/data/batches.ts'
import { PixelStore } from '#trainer/data/pixels.ts'
import { StopSignal } from '#trainer/host/context.ts'
import { temporaryFolder } from '../../helpers/folders.ts'
import { describeWithShared, sharedPath } from '../../helpers/shared.ts'

const preprocessing: Preprocessing = {
  version: 1,
  size: { width: 48, height: 48 },
  fit: 'stretch',
  filter: 'pillow-bilinear',
  background: [255, 255, 255],
  channelOrder: 'RGB',
  mean: [127.5, 127.5, 127.5],
  divisor: [127.5, 127.5, 127.5],
  jpegScaledDecode: false,
}
const LENGTH = 3 * 48 * 48

const imagesOf = (paths: readonly string[]): TrainerImage[] =>
  paths.map((path, id) => ({
    id,
    path,
    sha256: createHash('sha256').update(readFileSync(path)).digest('hex'),
  }))

const filesOf = (folder: string, count = Infinity): string[] =>
  readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ name }) => join(folder, name))
    .sort()
    .slice(0, count)

const openStore = (images: TrainerImage[]): Promise<PixelStore> =>
  PixelStore.open({
    images,
    preprocessing,
    cacheDir: temporaryFolder(),
    stop: new StopSignal(),
    onProgress: () => undefined,
  })

async function collect(
  pixels: PixelStore,
  options: Pick<BatchStreamOptions, 'order' | 'augmentation'>,
): Promise<Batch[]> {
  const threads = new BatchThreads(pixels.shared)
  const common = { epochs: 1, batchSize: 16, size: preprocessing.size, scaling: preprocessing, seed: 3 }
  const batches: Batch[] = []
  for await (const batch of new BatchStream(threads, { ...common, ...options }))
    batches.push({ ...batch, x: batch.x.slice() })
  await threads.close()
  return batches
}

const picturesIn = (batches: readonly Batch[]): Float32Array[] =>
  batches.flatMap(({ x, rows }) => [...rows].map((_, i) => x.subarray(i * LENGTH, (i + 1) * LENGTH)))

function correlation(a: Float32Array, b: Float32Array): number {
  const mean = (values: Float32Array): number => values.reduce((sum, value) => sum + value, 0) / values.length
  const [middleA, middleB] = [mean(a), mean(b)]
  let [ab, aa, bb] = [0, 0, 0]
  for (let i = 0; i < a.length; i++) {
    const [x, y] = [a[i]! - middleA, b[i]! - middleB]
    ab += x * y
    aa += x * x
    bb += y * y
  }
  return ab / Math.sqrt(aa * bb)
}

describeWithShared('batches of real pictures', ['data/trashnet6', 'data/nasty'], () => {
  const folders = (): string[] =>
    readdirSync(sharedPath('data/trashnet6'), { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map(({ name }) => sharedPath(`data/trashnet6/${name}`))
      .sort()

  it('keep what a picture shows, the less so the stronger the augmentation', async () => {
    const pixels = await openStore(imagesOf(folders().flatMap((folder) => filesOf(folder, 8))))
    const order = givenOrder([...Array(pixels.rows).keys()])
    const plain = picturesIn(await collect(pixels, { order, augmentation: null }))
    const likeness = async (preset: AugmentationPreset): Promise<number> => {
      const changed = picturesIn(await collect(pixels, { order, augmentation: presetAugmentation(preset) }))
      for (const picture of changed)
        expect(picture.every((value) => value >= -1.00001 && value <= 1.00001)).toBe(true)
      return changed.reduce((sum, picture, i) => sum + correlation(picture, plain[i]!), 0) / changed.length
    }
    const [none, light, standard, strong] = [
      await likeness('none'),
      await likeness('light'),
      await likeness('standard'),
      await likeness('strong'),
    ]
    expect(none).toBeCloseTo(1, 6)
    expect(light).toBeGreaterThan(standard)
    expect(standard).toBeGreaterThan(strong)
    expect(strong).toBeGreaterThan(0.4)
    await pixels.close()
  })

  it('show small classes as often as large ones when asked to', async () => {
    const paths = folders().flatMap((folder, label) =>
      filesOf(folder, label === 0 ? 3 : 9).map((path) => ({ path, label })),
    )
    const pixels = await openStore(imagesOf(paths.map(({ path }) => path)))
    const labels = paths.map(({ label }) => label)
    const order = balancedOrder([...labels.keys()], labels, 1)
    const shown = (await collect(pixels, { order, augmentation: null })).flatMap(({ rows }) =>
      [...rows].map((row) => labels[row]!),
    )
    const counts = folders().map((_, label) => shown.filter((other) => other === label).length)
    expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(1)
    await pixels.close()
  })

  it('go on without files that no one can read, and say why', async () => {
    const paths = filesOf(sharedPath('data/nasty')).filter((path) => !/\.(md|tsv)$/.test(path))
    const pixels = await openStore(imagesOf(paths))
    const unreadable = new Map(pixels.failed.map(({ index, error }) => [index, error.code]))
    expect(unreadable.get(paths.findIndex((path) => path.endsWith('html-error-page.jpg')))).toBe(
      'not-a-picture',
    )
    expect(unreadable.get(paths.findIndex((path) => path.endsWith('zero-bytes.jpg')))).toBe('file-empty')
    const readable = [...paths.keys()].filter((row) => !unreadable.has(row))
    expect(readable.length).toBeGreaterThan(30)
    const augmentation = presetAugmentation('strong')
    const pictures = picturesIn(await collect(pixels, { order: givenOrder(readable), augmentation }))
    expect(pictures.length).toBe(readable.length)
    for (const picture of pictures) expect(picture.every(Number.isFinite)).toBe(true)
    await pixels.close()
  })
})
