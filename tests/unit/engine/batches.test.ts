import { mkdtemp, readdir, rm, truncate } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { preprocessFile } from '#imaging/prepare.ts'
import { presetAugmentation } from '#shared/domain/augmentation/index.ts'
import type { Preprocessing } from '#shared/domain/preprocessing/definition.ts'
import { givenOrder, shuffledOrder } from '#shared/domain/sampling.ts'
import { applyMixing } from '#shared/domain/training/mixing.ts'
import { BatchThreads } from '#trainer/data/batch-threads.ts'
import { batchesPerEpoch, BatchStream, type Batch, type BatchStreamOptions } from '#trainer/data/batches.ts'
import { fillBatch } from '#trainer/data/fill-batch.ts'
import { PixelReader } from '#trainer/data/pixel-reader.ts'
import { PixelStore, type PixelJob } from '#trainer/data/pixels.ts'
import { StopSignal } from '#trainer/host/context.ts'
import { drawPictures, type DrawnPicture } from '../../helpers/drawn-pictures.ts'

const size = { width: 16, height: 12 }
const LENGTH = 3 * size.width * size.height
const preprocessing: Preprocessing = {
  version: 1,
  size,
  fit: 'stretch',
  filter: 'pillow-bilinear',
  background: [255, 255, 255],
  channelOrder: 'BGR',
  mean: [120, 110, 100],
  divisor: [60, 58, 56],
  jpegScaledDecode: false,
}
const PICTURES = 11
const rows = [...Array(PICTURES).keys()]

let work: string
let pictures: DrawnPicture[]
let pixels: PixelStore
let threads: BatchThreads

const openStore = (changes: Partial<PixelJob> = {}): Promise<PixelStore> =>
  PixelStore.open({
    images: pictures,
    preprocessing,
    cacheDir: join(work, 'cache'),
    stop: new StopSignal(),
    onProgress: () => undefined,
    ...changes,
  })

beforeAll(async () => {
  work = await mkdtemp(join(tmpdir(), 'kestrel-batches-'))
  const drawn = await drawPictures(join(work, 'pictures'), {
    classes: 1,
    count: PICTURES,
    width: 40,
    height: 30,
  })
  pictures = drawn
  pixels = await openStore()
  threads = new BatchThreads(pixels.shared, 2)
})
afterAll(async () => {
  await threads.close()
  await pixels.close()
  await rm(work, { recursive: true })
})
const options = {
  order: shuffledOrder(rows, 5),
  epochs: 3,
  batchSize: 4,
  size,
  scaling: preprocessing,
  augmentation: presetAugmentation('strong'),
  seed: 5,
} satisfies BatchStreamOptions
const streamOf = (changes: Partial<BatchStreamOptions> = {}, on = threads): BatchStream =>
  new BatchStream(on, { ...options, ...changes })

/** All batches, copied out of their buffers. */
async function collect(stream: BatchStream): Promise<Batch[]> {
  const batches: Batch[] = []
  for await (const batch of stream) batches.push({ ...batch, x: batch.x.slice() })
  return batches
}

describe('a stream of batches', () => {
  it('shows every row once per epoch, in a new order each time, the last batch as short as it is', async () => {
    const batches = await collect(streamOf())
    expect(batches.map(({ epoch, batch, rows, last }) => [epoch, batch, rows.length, last])).toEqual(
      [0, 1, 2].flatMap((epoch) => [
        [epoch, 0, 4, false],
        [epoch, 1, 4, false],
        [epoch, 2, 3, true],
      ]),
    )
    const epochs = [0, 1, 2].map((epoch) =>
      batches.flatMap((batch) => (batch.epoch === epoch ? [...batch.rows] : [])),
    )
    for (const epoch of epochs) expect(epoch.toSorted((a, b) => a - b)).toEqual(rows)
    expect(epochs[0]).not.toEqual(epochs[1])
    for (const { x, rows } of batches) expect(x.length).toBe(rows.length * LENGTH)
  })

  it('gives pictures as they are without augmentation: the numbers of the preprocessing', async () => {
    const batches = await collect(streamOf({ order: givenOrder([3, 0, 7]), epochs: 1, augmentation: null }))
    for (const [i, row] of [3, 0, 7].entries())
      expect(batches[0]!.x.subarray(i * LENGTH, (i + 1) * LENGTH)).toEqual(
        await preprocessFile(pictures[row]!.path, preprocessing),
      )
  })

  it('augments each picture anew in each epoch', async () => {
    const batches = await collect(streamOf({ order: givenOrder([2, 2]), epochs: 2 }))
    const shown = batches.flatMap(({ x }) => [x.slice(0, LENGTH), x.slice(LENGTH)])
    expect(shown.length).toBe(4)
    for (const [i, one] of shown.entries())
      for (const other of shown.slice(i + 1)) expect(one).not.toEqual(other)
  })

  it('gives the numbers that one thread gives, however many there are and however slow the step is', async () => {
    const reader = new PixelReader(pixels.shared)
    const recipe = { ...size, scaling: preprocessing, augmentation: options.augmentation, seed: 5 }
    const expected = [0, 1, 2].flatMap((epoch) =>
      [0, 4, 8].map((first) => {
        const rows = options.order(epoch).slice(first, first + 4)
        const x = new Float32Array(rows.length * LENGTH)
        fillBatch(reader, recipe, { epoch, first, rows, mixing: { kind: 'none' } }, x)
        return x
      }),
    )
    for (const [most, milliseconds] of [
      [1, 0],
      [3, 0],
      [2, 15],
    ] as const) {
      const own = new BatchThreads(pixels.shared, most)
      const seen: Float32Array[] = []
      for await (const { x } of streamOf({ ahead: 5 }, own)) {
        if (milliseconds) await pause(milliseconds)
        seen.push(x.slice())
      }
      expect(seen).toEqual(expected)
      await own.close()
    }
  })

  it('mixes the pictures of a batch with each other, and says how', async () => {
    const plain = await collect(streamOf())
    for (const mixing of [
      { mixup: 0.4, cutmix: 0 },
      { mixup: 0, cutmix: 1 },
    ]) {
      const mixed = await collect(streamOf({ mixing }))
      expect(mixed.map(({ rows }) => rows)).toEqual(plain.map(({ rows }) => rows))
      for (const [i, { x, mixing: draw }] of mixed.entries()) {
        expect(draw.kind).toBe(mixing.mixup > 0 ? 'mixup' : 'cutmix')
        const { x: before, rows } = plain[i]!
        const shape = [rows.length, 3, size.height, size.width] as const
        const targets = new Float32Array(rows.length)
        expect(x).toEqual(applyMixing(draw, { x: before, shape, targets }).x)
      }
      // Anywhere, as the rest.
      expect(await collect(streamOf({ mixing, from: { epoch: 1, batch: 2 } }))).toEqual(mixed.slice(5))
    }
    expect(plain.every(({ mixing }) => mixing.kind === 'none')).toBe(true)
  })

  it('goes on anywhere as if it had never stopped', async () => {
    const whole = await collect(streamOf())
    for (const stop of [1, 2, 3, 7]) {
      const first = streamOf()
      for (let i = 0; i < stop; i++) await first.next()
      const { position } = first
      await first.close()
      expect(await collect(streamOf({ from: position }))).toEqual(whole.slice(stop))
    }
    const ended = streamOf()
    while (await ended.next());
    expect(ended.position).toEqual({ epoch: 3, batch: 0 })
    expect(await collect(streamOf({ from: ended.position }))).toEqual([])
  })

  it('leaves out a last batch that is too short, but never the only one', async () => {
    const shape = async (count: number): Promise<number[]> =>
      (await collect(streamOf({ order: givenOrder(rows.slice(0, count)), smallestBatch: 4, epochs: 1 }))).map(
        ({ rows }) => rows.length,
      )
    expect(await shape(11)).toEqual([4, 4])
    expect(await shape(3)).toEqual([3])
    expect(batchesPerEpoch(11, { batchSize: 4, smallestBatch: 4 })).toBe(2)
    expect(batchesPerEpoch(11, { batchSize: 4 })).toBe(3)
    expect(batchesPerEpoch(0, { batchSize: 4 })).toBe(0)
  })

  it('makes pictures of another size than they were decoded at', async () => {
    const half = { width: 8, height: 6 }
    const [batch] = await collect(
      streamOf({ size: half, augmentation: null, order: givenOrder([1]), epochs: 1 }),
    )
    // A quarter of the pixels: each is the mean of two by two.
    const full = await preprocessFile(pictures[1]!.path, preprocessing)
    for (const [x, y] of [
      [0, 0],
      [5, 2],
      [7, 5],
    ] as const) {
      const at = 2 * y * 16 + 2 * x
      const mean = (full[at]! + full[at + 1]! + full[at + 16]! + full[at + 17]!) / 4
      expect(batch!.x[y * 8 + x]).toBeCloseTo(mean, 4)
    }
  })

  it('makes a few batches ahead and no more, and leaves the one in use alone', async () => {
    const asked: number[] = []
    const order = (epoch: number): Int32Array => {
      asked.push(epoch)
      return givenOrder(rows)(epoch)
    }
    const stream = streamOf({ order, epochs: 50, batchSize: 11, ahead: 3 })
    const batch = (await stream.next())!
    const before = batch.x.slice()
    await pause(200)
    expect(batch.x).toEqual(before)
    // One in use, three ahead.
    expect(Math.max(...asked)).toBe(3)
    const buffers = new Set([batch.x.buffer])
    for (let i = 0; i < 20; i++) buffers.add((await stream.next())!.x.buffer)
    expect(buffers.size).toBeLessThanOrEqual(4)
    await stream.close()
  })

  it('shares its threads with other streams, and its buffers with later ones', async () => {
    const training = streamOf()
    const first = (await training.next())!.x.slice()
    const judging = { order: givenOrder(rows), epochs: 1, augmentation: null }
    const [once, twice] = [await collect(streamOf(judging)), await collect(streamOf(judging))]
    expect(twice).toEqual(once)
    const rest: Float32Array[] = []
    for await (const { x } of training) rest.push(x.slice())
    const alone = (await collect(streamOf())).map(({ x }) => x)
    expect([first, ...rest]).toEqual(alone)
    expect(threads.size).toBeLessThanOrEqual(2)
  })

  it('ends when it is left, and can be closed while it waits', async () => {
    const left = streamOf()
    for await (const { batch } of left) if (batch === 1) break
    await expect(left.next()).rejects.toMatchObject({ code: 'stopped' })
    const waiting = streamOf()
    const asked = waiting.next()
    await Promise.all([expect(asked).rejects.toMatchObject({ code: 'stopped' }), waiting.close()])
    await waiting.close()
  })
})

describe('threads', () => {
  it('are one until steps keep waiting although all are at work, then as many as allowed', async () => {
    const own = new BatchThreads(pixels.shared, 2)
    const stream = own.addRecipe({ ...size, scaling: preprocessing, augmentation: null, seed: 1 })
    const buffer = own.takeBuffer(LENGTH)
    const fill = () =>
      own.fill(stream, buffer, { epoch: 0, first: 0, rows: Int32Array.of(0), mixing: { kind: 'none' } })
    const wait = (...waits: boolean[]): number => {
      for (const waited of waits) own.noteWait(waited)
      return own.size
    }
    const first = fill()
    // What is only starting up is not too slow.
    expect(wait(true, true, true)).toBe(1)
    expect(await first).toBeNull()
    expect(wait(true, true, true)).toBe(1)
    const second = fill()
    expect(wait(true, true, false, true, true)).toBe(1)
    expect(wait(true)).toBe(2)
    expect(wait(true, true, true)).toBe(2)
    await Promise.all([second, fill(), fill()])
    const last = [fill(), fill()]
    expect(wait(true, true, true, true)).toBe(2)
    await Promise.all(last)
    await own.close()
  })

  it('leave nothing behind', async () => {
    // Timers are the test runner's.
    const active = async (): Promise<string[]> => {
      await new Promise(setImmediate)
      return process.getActiveResourcesInfo().filter((name) => name !== 'Timeout')
    }
    const before = await active()
    const own = new BatchThreads(pixels.shared, 2)
    await collect(streamOf({}, own))
    expect((await active()).length).toBeGreaterThan(before.length)
    await own.close()
    await own.close()
    expect(await active()).toEqual(before)
  })

  it('take the same memory after 50 epochs as after 5', async () => {
    setFlagsFromString('--expose-gc')
    const collectGarbage = runInNewContext('gc') as () => void
    const bytes = async (): Promise<number> => {
      for (let i = 0; i < 3; i++) {
        collectGarbage()
        await pause(20)
      }
      return process.memoryUsage().arrayBuffers
    }
    const large = { width: 160, height: 120 }
    const training = streamOf({ size: large, epochs: 50, batchSize: 8 })
    const after: number[] = []
    for (let epoch = 0; epoch < 50; epoch++) {
      for (let last = false; !last;) ({ last } = (await training.next())!)
      const judging = { order: givenOrder(rows), epochs: 1, augmentation: null, size: large, batchSize: 8 }
      for await (const _ of streamOf(judging)) continue
      if (epoch === 4 || epoch === 49) after.push(await bytes())
    }
    await training.close()
    // A batch has 1.8 MB.
    expect(after[1]! - after[0]!).toBeLessThan(1e6)
  })
})

describe('what goes wrong', () => {
  it('in one batch is the error of that batch and of all that would follow', async () => {
    const stream = streamOf({ order: givenOrder([0, 1, 2, 3, 4, 99, 6, 7, 8]), epochs: 1 })
    expect((await stream.next())?.rows.length).toBe(4)
    await expect(stream.next()).rejects.toMatchObject({
      code: 'internal',
      message: expect.stringContaining('99'),
    })
    await expect(stream.next()).rejects.toMatchObject({ code: 'internal' })
    await stream.close()
    // The threads are still good for others.
    expect((await collect(streamOf())).length).toBe(9)
  })

  it('with the file of pictures is said in words', async () => {
    const cacheDir = join(work, 'cut')
    const inFile = await openStore({ memoryBudget: 0, cacheDir })
    const own = new BatchThreads(inFile.shared, 1)
    expect(await collect(streamOf({}, own))).toEqual(await collect(streamOf()))
    const file = (await readdir(cacheDir)).find((name) => name.endsWith('.rows'))!
    await truncate(join(cacheDir, file), 4 * LENGTH)
    const asInFile = rows.toSorted((a, b) => inFile.shared.places[a]! - inFile.shared.places[b]!)
    const stream = streamOf({ order: givenOrder(asInFile), augmentation: null }, own)
    expect(await stream.next()).not.toBeNull()
    await expect(stream.next()).rejects.toMatchObject({ code: 'file-missing', remedy: 'Train again.' })
    await own.close()
    await inFile.close()
  })

  it('with a whole thread ends the stream', async () => {
    // No thread can begin with pictures that are zero pixels wide.
    const own = new BatchThreads({ ...pixels.shared, width: 0 }, 1)
    const stream = streamOf({}, own)
    await expect(stream.next()).rejects.toMatchObject({ code: 'training-crashed' })
    await expect(streamOf({}, own).next()).rejects.toMatchObject({ code: 'training-crashed' })
    await stream.close()
    await own.close()
  })

  it('is not that the file of pictures was deleted', async () => {
    const cacheDir = join(work, 'deleted')
    const inFile = await openStore({ memoryBudget: 0, cacheDir })
    await rm(cacheDir, { recursive: true })
    const own = new BatchThreads(inFile.shared, 1)
    expect(await collect(streamOf({}, own))).toEqual(await collect(streamOf()))
    await own.close()
    await inFile.close()
  })

  it('is that the threads were closed under it', async () => {
    const own = new BatchThreads(pixels.shared, 1)
    const stream = streamOf({ epochs: 200 }, own)
    await stream.next()
    await own.close()
    const rest = async (): Promise<void> => {
      while (await stream.next());
    }
    await expect(rest()).rejects.toMatchObject({ code: 'stopped' })
    await stream.close()
  })
})
