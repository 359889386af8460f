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
import { OnnxSession } from '#trainer/engines/onnx/session.ts'
import { GraphBuilder } from '#trainer/graph/builder.ts'
import { writeOnnx } from '#trainer/graph/onnx/index.ts'
import { float32 } from '#trainer/graph/tensor.ts'
import { ints, type Graph } from '#trainer/graph/types.ts'
import { StopSignal } from '#trainer/host/context.ts'
import type { Bench, BenchContext, BenchResult } from './types.ts'

/**
 * Batches: what one thread makes alone, and what an epoch costs beside the sum of its steps. The step is a stand-in that
 * keeps all cores as busy as a training step of the same network would: forward passes of a convolutional network.
 */
const group = 'Batches'
const ROUNDS = 5

interface Case {
  name: string
  set: string
  pictures: number
  size: number
  batch: number
  /** Filters of the stand-in's 3×3 convolutions, each followed by a halving. */
  filters: readonly number[]
  /** Forward passes per step: forward and backward are about three. */
  passes: number
}

const CASES: readonly Case[] = [
  {
    name: '64 px, batches of 32',
    set: 'sign-digits10',
    pictures: 800,
    size: 64,
    batch: 32,
    filters: [32, 64, 128],
    passes: 3,
  },
  {
    name: '224 px, batches of 16',
    set: 'flowers5',
    pictures: 240,
    size: 224,
    batch: 16,
    filters: [16, 24, 32, 64, 96],
    passes: 2,
  },
]

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

function standIn({ size, batch, filters }: Case): Graph {
  const builder = new GraphBuilder('stand-in')
  let value = builder.input({ name: 'x', type: 'float32', shape: [batch, 3, size, size] })
  filters.forEach((to, index) => {
    const from = filters[index - 1] ?? 3
    const weights = Float32Array.from({ length: to * from * 9 }, (_, i) => Math.sin(i) / 30)
    const weight = builder.constant(`w${index}`, float32([to, from, 3, 3], weights))
    value = builder.node('Conv', [value, weight], { pads: ints([1, 1, 1, 1]) })
    value = builder.node('Relu', [value])
    value = builder.node('MaxPool', [value], { kernel_shape: ints([2, 2]), strides: ints([2, 2]) })
  })
  const features = builder.node('GlobalAveragePool', [value])
  builder.output(features, { name: 'y', type: 'float32', shape: [batch, filters.at(-1)!, 1, 1] })
  return builder.build()
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
  const session = await OnnxSession.open(writeOnnx(standIn(task)), { optimisation: 'extended' })
  const shape = [task.batch, 3, task.size, task.size]
  const output = float32(
    [task.batch, task.filters.at(-1)!, 1, 1],
    new Float32Array(task.batch * task.filters.at(-1)!),
  )
  const step = async (x: Float32Array): Promise<void> => {
    for (let pass = 0; pass < task.passes; pass++) await session.run({ x: float32(shape, x) }, { y: output })
  }
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
      for (let i = 0; i < batches; i++) await step(still)
    })
  const epoch = (options: Parameters<typeof stream>[0]): Promise<Cost> =>
    costOf(async () => {
      for await (const { x } of stream(options)) await step(x)
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
  await session.dispose()
  const figure = (kind: 'augmented' | 'plain', words: string): BenchResult => {
    const processor = median(rounds.map((round) => round[kind].processor / round.steps.processor))
    return {
      group,
      name: `Epoch against the sum of its steps, ${task.name}, ${words}`,
      value: median(rounds.map((round) => round[kind].wall / round.steps.wall)),
      unit: '',
      note: `stand-in step of ${milliseconds.toFixed(0)} ms on all cores, ${batches} batches, every epoch a stream of its own, ${count} thread(s) for batches, median of ${ROUNDS}; processor time ${processor.toFixed(2)} ×`,
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
