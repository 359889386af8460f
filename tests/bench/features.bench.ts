import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import sharp from 'sharp'
import type { PreparedBackbone } from '#shared/contract/trainer.ts'
import { preprocessingSchema } from '#shared/domain/preprocessing/index.ts'
import { NetworkPool } from '#trainer/data/network-pool.ts'
import { OnnxSession } from '#trainer/engines/onnx/session.ts'
import { float32 } from '#trainer/graph/tensor.ts'
import { prepareBackbone } from '#trainer/models/backbone.ts'
import { z } from 'zod'
import { Peer, peerPython } from './peers/python.ts'
import type { Bench, BenchContext, BenchResult } from './types.ts'

/**
 * Features per second beside what the two parts need alone: bare sharp decoding and resizing the same files, then bare
 * onnxruntime running the same network, each with all cores to itself. A perfect pipeline reaches
 * 1 / (sharp's time per picture + the network's time per picture). And beside Keras with the same weights, reading the
 * same files with tf.data, where there is a Python that has it. Turn about, so that all see the same machine.
 */
const ROUNDS = 3
const BACKBONES = ['mobilenet_v1_0.25_128', 'mobilenet_v2_1.0_224']
const SETS = ['flowers5', 'trashnet6', 'sign-digits10', 'magnetic-tile6', 'caltech-boats']
const FILES = { 'mobilenet_v1_0.25_128': 4000, 'mobilenet_v2_1.0_224': 1200 } as Record<string, number>

function picturesBelow(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && /\.(jpe?g|png)$/i.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name))
    .sort()
}

/** Every n-th file, so that each set has its share. */
const spread = <T>(items: readonly T[], count: number): T[] => {
  const step = Math.max(1, items.length / count)
  return Array.from({ length: Math.min(count, items.length) }, (_, i) => items[Math.floor(i * step)]!)
}

async function inLanes(lanes: number, files: readonly string[], work: (path: string) => Promise<unknown>) {
  let next = 0
  const lane = async (): Promise<void> => {
    for (let path = files[next++]; path !== undefined; path = files[next++]) await work(path)
  }
  await Promise.all(Array.from({ length: lanes }, lane))
}

interface Cost {
  /** Milliseconds per picture. */
  wall: number
  /** Processor milliseconds per picture, all threads. */
  cpu: number
}

async function cost(count: number, work: () => Promise<unknown>): Promise<Cost> {
  const before = process.cpuUsage()
  const began = performance.now()
  await work()
  const wall = (performance.now() - began) / count
  const used = process.cpuUsage(before)
  return { wall, cpu: (used.user + used.system) / 1000 / count }
}

const median = (values: number[]): number =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0

async function bareNetwork(
  backbone: PreparedBackbone,
): Promise<{ run: () => Promise<Cost>; end: () => Promise<void> }> {
  const session = await OnnxSession.open(backbone.onnxPath, { spinning: true })
  // Spinning threads burn processor time: what the network itself costs shows on one thread.
  const alone = await OnnxSession.open(backbone.onnxPath, { threads: 1 })
  const { width, height } = backbone.preprocessing.size
  const batch = 8
  const x = float32([batch, 3, height, width], new Float32Array(batch * 3 * height * width).fill(0.3))
  const name = session.inputs[0]?.name ?? 'input'
  const times = async (count: number, on: OnnxSession): Promise<void> => {
    for (let i = 0; i < count; i++) await on.run({ [name]: x })
  }
  await times(3, session)
  await times(3, alone)
  return {
    run: async () => {
      const { wall } = await cost(25 * batch, () => times(25, session))
      const { cpu } = await cost(25 * batch, () => times(25, alone))
      return { wall, cpu }
    },
    end: async () => {
      await session.dispose()
      await alone.dispose()
    },
  }
}

const peerRun = z.object({ seconds: z.number(), cpu: z.number(), first: z.array(z.number()) })

interface KerasPeer {
  versions: string
  run(): Promise<z.infer<typeof peerRun>>
  end(): void
}

async function kerasPeer(
  model: string,
  size: { width: number; height: number },
  files: readonly string[],
  say: (line: string) => void,
): Promise<KerasPeer | null> {
  const python = peerPython(['tensorflow'], say)
  if (python === null) return null
  const peer = Peer.open(python, 'keras_features.py')
  const { versions } = z
    .object({ versions: z.string() })
    .parse(await peer.ask(JSON.stringify({ model, ...size, files })))
  return {
    versions,
    run: async () => peerRun.parse(await peer.ask('run')),
    end: () => peer.close(),
  }
}

/** Cosine of the angle between two feature vectors: 1 when both did the same work. */
function likeness(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let [ab, aa, bb] = [0, 0, 0]
  for (let i = 0; i < a.length; i++) {
    ab += a[i]! * b[i]!
    aa += a[i]! ** 2
    bb += b[i]! ** 2
  }
  return ab / Math.sqrt(aa * bb)
}

async function measure(id: string, files: readonly string[], context: BenchContext): Promise<BenchResult[]> {
  const source = context.shared(`backbones/${id}/model.h5`)
  if (source === null) return []
  const onnxPath = join(await context.temporary(), `${id}.onnx`)
  const prepared = await prepareBackbone(source, onnxPath)
  const backbone: PreparedBackbone = {
    id,
    onnxPath,
    sha256: prepared.sha256,
    featureLength: prepared.featureLength,
    preprocessing: preprocessingSchema.parse(prepared.preprocessing),
  }
  const { width, height } = backbone.preprocessing.size
  const network = await bareNetwork(backbone)
  const pool = new NetworkPool({ onnxPath, preprocessing: backbone.preprocessing })
  const keras = await kerasPeer(source, { width, height }, files, context.say)
  const { values } = await pool.submit({ path: files[0]! })
  const bare = (path: string): Promise<unknown> =>
    sharp(path)
      .autoOrient()
      .removeAlpha()
      .toColourspace('srgb')
      .resize(width, height, { fit: 'fill' })
      .raw()
      .toBuffer()
  await inLanes(pool.capacity, files.slice(0, 40), (path) => pool.submit({ path }))
  await inLanes(4, files.slice(0, 40), bare)
  const rounds: { sharp: Cost; network: Cost; ours: Cost; keras: Cost | null }[] = []
  for (let round = 0; round < ROUNDS; round++) {
    context.say(`${id}, round ${round + 1} of ${ROUNDS}`)
    const theirs = await keras?.run()
    if (theirs && values && !(likeness(theirs.first, values) > 0.98))
      throw new Error(`Keras gives other features for ${files[0]}: this would compare different work`)
    rounds.push({
      sharp: await cost(files.length, () => inLanes(4, files, bare)),
      network: await network.run(),
      ours: await cost(files.length, () => inLanes(pool.capacity, files, (path) => pool.submit({ path }))),
      keras: theirs
        ? { wall: (1000 * theirs.seconds) / files.length, cpu: (1000 * theirs.cpu) / files.length }
        : null,
    })
  }
  keras?.end()
  const memory = process.memoryUsage.rss() / 1e6
  await pool.close()
  await network.end()
  const share = (of: (costs: (typeof rounds)[number]) => number): number => median(rounds.map(of))
  const group = 'Features'
  const note = `${files.length} files, median of ${ROUNDS} rounds turn about`
  const kerasCost = (each: (typeof rounds)[number]): Cost => each.keras ?? { wall: NaN, cpu: NaN }
  const besideKeras = (versions: string): BenchResult[] => [
    {
      group,
      name: `${id}: times Keras with tf.data`,
      value: share((each) => kerasCost(each).wall / each.ours.wall),
      unit: '',
      target: { atLeast: 2 },
      note: `${note}; Keras ${share((each) => 1000 / kerasCost(each).wall).toFixed(0)} img/s: ${versions}, same weights, batches of 32`,
    },
    {
      group,
      name: `${id}: the same in processor time, times Keras`,
      value: share((each) => kerasCost(each).cpu / each.ours.cpu),
      unit: '',
      note: 'not disturbed by what else the machine does',
    },
  ]
  return [
    {
      group,
      name: `${id}: files to features`,
      value: share(({ ours }) => 1000 / ours.wall),
      unit: 'img/s',
      reference: {
        name: '1 ÷ (bare sharp + bare onnxruntime)',
        value: share(({ sharp, network }) => 1000 / (sharp.wall + network.wall)),
        unit: 'img/s',
      },
      note,
    },
    {
      group,
      name: `${id}: share of what the parts alone would allow`,
      value: share(({ sharp, network, ours }) => (sharp.wall + network.wall) / ours.wall),
      unit: '',
      target: { atLeast: 0.85 },
      note,
    },
    {
      group,
      name: `${id}: the same in processor time`,
      value: share(({ sharp, network, ours }) => (sharp.cpu + network.cpu) / ours.cpu),
      unit: '',
      note: 'not disturbed by what else the machine does',
    },
    ...(keras ? besideKeras(keras.versions) : []),
    { group, name: `${id}: memory of the process afterwards`, value: memory, unit: 'MB' },
  ]
}

export const run: Bench = async (context) => {
  const folders = SETS.map((set) => context.shared(`data/${set}`)).filter((folder) => folder !== null)
  const files = folders.flatMap(picturesBelow)
  if (files.length === 0) return []
  sharp.concurrency(1)
  const results: BenchResult[] = []
  for (const id of BACKBONES) results.push(...(await measure(id, spread(files, FILES[id] ?? 1000), context)))
  return results
}
