import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { TrainerImage } from '#shared/contract/trainer.ts'
import { presetAugmentation, type AugmentationPreset } from '#shared/domain/augmentation/index.ts'
import type { Preprocessing } from '#shared/domain/preprocessing/index.ts'
import { givenOrder, shuffledOrder } from '#shared/domain/sampling.ts'
import { BatchThreads } from '#trainer/data/batch-threads.ts'
import { BatchStream, type BatchStreamOptions } from '#trainer/data/batches.ts'
import { fillBatch } from '#trainer/data/fill-batch.ts'
import { PixelReader } from '#trainer/data/pixel-reader.ts'
import { PixelStore } from '#trainer/data/pixels.ts'
import type { Engine } from '#trainer/engines/engine.ts'
import { bestOnnxEngine } from '#trainer/engines/onnx/engine.ts'
import { StopSignal } from '#trainer/host/context.ts'
import { backboneOf } from '#trainer/models/backbone.ts'
import { readModel } from '#trainer/models/source.ts'
import { mobileNet, smallCnn, type Job } from './training-jobs.ts'
import type { Bench, BenchContext, BenchResult } from './types.ts'

/** Batches: what one thread makes alone, and what an epoch of a training costs beside the sum of its steps. */
const group = 'Batches'
const ROUNDS = 5

interface Case {
  name: string
  set: string
  pictures: number
  size: number
  batch: number
  /** The training whose steps the batches feed; null where its network is missing. */
  open: (engine: Engine, context: BenchContext) => Promise<Job | null>
}

const CASES: readonly Case[] = [
  {
    name: '64 px, batches of 32',
    set: 'sign-digits10',
    pictures: 800,
    size: 64,
    batch: 32,
    open: smallCnn,
  },
  {
    name: '224 px, batches of 16',
    set: 'flowers5',
    pictures: 240,
    size: 224,
    batch: 16,
    open: fineTuned,
  },
]

/** MobileNetV2, blocks 12 to 16 learning, its trunk computed anew for each batch. */
async function fineTuned(engine: Engine, context: BenchContext): Promise<Job | null> {
  const file = context.shared('backbones/mobilenet_v2_1.0_224/model.h5')
  if (file === null) return null
  return mobileNet(engine, backboneOf(await readModel(file)).graph, { cached: false })
}

const preprocessing = (size: number): Preprocessing => ({
  version: 1,
  size: { width: size, height: size },
  fit: 'stretch',
  filter: 'pillow-bilinear',
  background: [255, 255, 255],
  channelOrder: 'RGB',
  mean: [127.5, 127.5, 127.5],
  divisor: [127.5, 127.5, 127.5],
  jpegScaledDecode: false,
})

function imagesOf(folder: string, count: number): TrainerImage[] {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && /\.(jpe?g|png)$/i.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name))
    .sort()
  return files.slice(0, count).map((path, id) => ({
    id,
    path,
    sha256: createHash('sha256').update(readFileSync(path)).digest('hex'),
  }))
}

const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0

/** One thread, nothing else: milliseconds per batch. */
function alone(pixels: PixelStore, task: Case, preset: AugmentationPreset): number {
  const reader = new PixelReader(pixels.shared)
  const target = new Float32Array(task.batch * 3 * task.size ** 2)
  const augmentation = preset === 'none' ? null : presetAugmentation(preset)
  const recipe = {
    ...preprocessing(task.size).size,
    scaling: preprocessing(task.size),
    augmentation,
    seed: 1,
  }
  const times: number[] = []
  for (let round = 0; round < 40; round++) {
    const rows = Int32Array.from({ length: task.batch }, (_, i) => (round * task.batch + i) % pixels.rows)
    const began = performance.now()
    fillBatch(reader, recipe, { epoch: round, first: 0, rows, mixing: { kind: 'none' } }, target)
    times.push(performance.now() - began)
  }
  return median(times.slice(10))
}

async function measure(task: Case, context: BenchContext): Promise<BenchResult[]> {
  const folder = context.shared(`data/${task.set}`)
  if (folder === null) return []
  const definition = preprocessing(task.size)
  const job = {
    images: imagesOf(folder, task.pictures),
    preprocessing: definition,
    cacheDir: await context.temporary(),
    stop: new StopSignal(),
    onProgress: () => undefined,
  }
  const opening = async (): Promise<{ pixels: PixelStore; milliseconds: number }> => {
    const began = performance.now()
    const pixels = await PixelStore.open(job)
    return { pixels, milliseconds: performance.now() - began }
  }
  const first = await opening()
  await first.pixels.close()
  const { pixels, milliseconds } = await opening()
  const results: BenchResult[] = [
    {
      group,
      name: `Decoded pictures at hand again, ${task.size} px, ${pixels.rows} pictures`,
      value: milliseconds,
      unit: 'ms',
      reference: { name: 'first run, decoding', value: first.milliseconds, unit: 'ms' },
      note: task.set,
    },
  ]
  for (const preset of ['none', 'standard', 'strong'] as const) {
    const value = (1000 * task.batch) / alone(pixels, task, preset)
    const name = `One thread, ${task.name}, augmentation ${preset}`
    results.push({ group, name, value, unit: 'img/s' })
  }
  results.push(...(await beside(pixels, task, context)))
  await pixels.close()
  return results
}

/** Epochs and their steps alone, turn about. */
async function beside(pixels: PixelStore, task: Case, context: BenchContext): Promise<BenchResult[]> {
  const job = await task.open(await bestOnnxEngine(), context)
  if (job === null) return []
  const threads = new BatchThreads(pixels.shared)
  const rows = [...Array(pixels.rows).keys()]
  const batches = Math.floor(rows.length / task.batch)
  const stream = (options: Pick<BatchStreamOptions, 'augmentation' | 'order'>): BatchStream => {
    const { size } = preprocessing(task.size)
    const scaling = preprocessing(task.size)
    const all = { epochs: 1, batchSize: task.batch, smallestBatch: task.batch, size, scaling, seed: 1 }
    return new BatchStream(threads, { ...all, ...options })
  }
  const still = new Float32Array(task.batch * 3 * task.size ** 2).fill(0.1)
  const stepsAlone = (): Promise<Cost> =>
    costOf(async () => {
      for (let i = 0; i < batches; i++) await job.step(still)
    })
  const epoch = (options: Parameters<typeof stream>[0]): Promise<Cost> =>
    costOf(async () => {
      for await (const { x } of stream(options)) await job.step(x)
    })
  const augmentation = presetAugmentation('standard')
  await epoch({ augmentation, order: shuffledOrder(rows, 1) })
  const rounds: { steps: Cost; augmented: Cost; plain: Cost }[] = []
  for (let round = 0; round < ROUNDS; round++) {
    context.say(`${task.name}, round ${round + 1} of ${ROUNDS}`)
    rounds.push({
      steps: await stepsAlone(),
      augmented: await epoch({ augmentation, order: shuffledOrder(rows, round) }),
      plain: await epoch({ augmentation: null, order: givenOrder(rows) }),
    })
  }
  const milliseconds = median(rounds.map(({ steps }) => steps.wall)) / batches
  const count = threads.size
  await threads.close()
  await job.dispose()
  const figure = (kind: 'augmented' | 'plain', words: string): BenchResult => {
    const processor = median(rounds.map((round) => round[kind].processor / round.steps.processor))
    return {
      group,
      name: `Epoch against the sum of its steps, ${task.name}, ${words}`,
      value: median(rounds.map((round) => round[kind].wall / round.steps.wall)),
      unit: '',
      note: `steps of ${milliseconds.toFixed(0)} ms, ${batches} batches, every epoch a stream of its own, ${count} thread(s) for batches, median of ${ROUNDS}; processor time ${processor.toFixed(2)} ×`,
    }
  }
  return [
    { ...figure('augmented', 'augmentation standard'), target: { atMost: 1.15 } },
    figure('plain', 'no augmentation'),
  ]
}

interface Cost {
  /** Milliseconds, and those of the processor on all its cores. */
  wall: number
  processor: number
}

async function costOf(work: () => Promise<void>): Promise<Cost> {
  const before = process.cpuUsage()
  const began = performance.now()
  await work()
  const wall = performance.now() - began
  const { user, system } = process.cpuUsage(before)
  return { wall, processor: (user + system) / 1000 }
}

export const run: Bench = async (context) => {
  const results: BenchResult[] = []
  for (const task of CASES) results.push(...(await measure(task, context)))
  return results
}
