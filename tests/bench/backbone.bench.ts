import { readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import type { PreparedBackbone } from '#shared/contract/trainer.ts'
import { preprocessingSchema } from '#shared/domain/preprocessing/index.ts'
import { resourcesFolder } from '#shared/util/app-folders.ts'
import { pixelPreprocessing } from '#shared/domain/preprocessing/pixels.ts'
import { preprocessingOf } from '#shared/domain/preprocessing/scaling.ts'
import { scalingText } from '#studio/backbones/preprocessing-text.ts'
import { OnnxSession } from '#trainer/engines/onnx/session.ts'
import { float32 } from '#trainer/graph/tensor.ts'
import { prepareBackbone } from '#trainer/models/backbone.ts'
import { z } from 'zod'
import { kestrelRun } from './kestrel.ts'
import { probe, probeSets } from './probe.ts'
import type { Bench, BenchContext, BenchResult } from './types.ts'

/**
 * What backbones are worth: each on each set, a linear probe over three seeds with the same splits for all. Our own is held
 * against its teacher. KESTREL_BENCH_BACKBONES names further ONNX files with 128 px, −1 … 1 (students in the making).
 */
const SEEDS = [1, 2, 3]
const TEACHER = 'mobilenet_v2_1.0_224'
const indexSchema = z.object({
  backbones: z.array(
    z.object({
      id: z.string(),
      input: z.array(z.int()),
      preprocessing: scalingText,
      file: z.string().default('model.h5'),
    }),
  ),
})

interface Candidate {
  id: string
  file: string
  own: boolean
  preprocessing: (size: { width: number; height: number }) => PreparedBackbone['preprocessing']
}

/** What a folder with an index offers. */
function candidatesIn(folder: string | null, own: boolean): Candidate[] {
  if (folder === null) return []
  const { backbones } = indexSchema.parse(JSON.parse(readFileSync(join(folder, 'index.json'), 'utf8')))
  return backbones.map(({ id, preprocessing, file }) => ({
    ...{ id, own, file: join(folder, id, file) },
    preprocessing: (size) => preprocessingSchema.parse(preprocessingOf(size, preprocessing)),
  }))
}

function candidates({ shared }: BenchContext): Candidate[] {
  const more = (process.env['KESTREL_BENCH_BACKBONES'] ?? '').split(':').filter((path) => path !== '')
  return [
    ...candidatesIn(shared('backbones'), false),
    ...candidatesIn(join(resourcesFolder(), 'backbones'), true),
    ...more.map((file, index) => ({
      ...{ id: `student-${index + 1}`, file, own: false },
      preprocessing: pixelPreprocessing,
    })),
  ]
}

async function prepared(candidate: Candidate, work: string): Promise<PreparedBackbone> {
  const onnxPath = join(work, `${candidate.id}.onnx`)
  const { sha256, featureLength, input } = await prepareBackbone(candidate.file, onnxPath)
  return { id: candidate.id, onnxPath, sha256, featureLength, preprocessing: candidate.preprocessing(input) }
}

/** Pictures per second of the network alone, both cores, the best of some rounds. */
async function rateOf({ onnxPath, preprocessing }: PreparedBackbone): Promise<number> {
  const session = await OnnxSession.open(onnxPath, { spinning: true })
  const { width, height } = preprocessing.size
  const batch = 8
  const x = float32([batch, 3, height, width], new Float32Array(batch * 3 * height * width).fill(0.3))
  let best = 0
  for (let round = 0; round < 12; round++) {
    const began = performance.now()
    await session.run({ [session.inputs[0]?.name ?? 'input']: x })
    if (round > 1) best = Math.max(best, (1000 * batch) / (performance.now() - began))
  }
  await session.dispose()
  return best
}

const mean = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length
const deviation = (values: readonly number[]): number =>
  Math.sqrt(mean(values.map((value) => (value - mean(values)) ** 2)) * (values.length / (values.length - 1)))

const group = 'Backbones: linear probe, three seeds'

/** What is asked of our own beside its teacher: sets it never saw a picture of are named. */
function besideTeacher(
  id: string,
  own: ReadonlyMap<string, number>,
  teacher: ReadonlyMap<string, number>,
): BenchResult[] {
  const unseen = probeSets.filter(({ reserved }) => !reserved).map(({ name }) => name as string)
  const share = (set: string): number => own.get(set)! / teacher.get(set)!
  return [
    {
      group,
      name: `${id}: share of its teacher's mean`,
      value: mean([...own.values()]) / mean([...teacher.values()]),
      unit: '',
      target: { atLeast: 0.88 },
      reference: { name: TEACHER, value: mean([...teacher.values()]), unit: '' },
      note: [...own.keys()].map((set) => `${set} ${share(set).toFixed(3)}`).join(', '),
    },
    ...unseen
      .filter((set) => own.has(set))
      .map((set) => ({
        group,
        name: `${id}: share of its teacher on ${set}, which it never saw`,
        value: share(set),
        unit: '',
        target: { atLeast: 0.85 },
      })),
  ]
}

export const run: Bench = async (context) => {
  const work = await context.temporary()
  const results: BenchResult[] = []
  const reached = new Map<string, Map<string, number>>()
  for (const candidate of candidates(context)) {
    const { id } = candidate
    const backbone = await prepared(candidate, work)
    const rate = await rateOf(backbone)
    const megabytes = statSync(candidate.file).size / 1e6
    const own = new Map<string, number>()
    for (const set of probeSets) {
      const folder = context.shared(`data/${set.name}`)
      if (folder === null) continue
      const seeds: { accuracy: number; tests: number }[] = []
      for (const seed of SEEDS) seeds.push(await probe(backbone, folder, set, seed, work))
      const accuracies = seeds.map(({ accuracy }) => accuracy)
      own.set(set.name, mean(accuracies))
      results.push({
        ...{ group, name: `${id}: ${set.name}`, value: mean(accuracies), unit: '' },
        note: `± ${deviation(accuracies).toFixed(3)} over seeds, ${seeds[0]!.tests} test pictures`,
      })
    }
    if (own.size === 0) continue
    reached.set(id, own)
    context.say(`${id}: ${[...own].map(([set, value]) => `${set} ${value.toFixed(3)}`).join(', ')}`)
    results.push(
      {
        ...{ group, name: `${id}: mean of the sets`, value: mean([...own.values()]), unit: '' },
        note: `${megabytes.toFixed(1)} MB, ${backbone.featureLength} features`,
      },
      {
        ...{ group, name: `${id}: network alone, both cores`, value: rate, unit: 'img/s' },
        ...(candidate.own && { target: { atLeast: 300 } }),
        note: 'decoding not counted, batches of 8, best of 10',
      },
    )
    const teacher = reached.get(TEACHER)
    if (candidate.own && teacher?.size === own.size) results.push(...besideTeacher(id, own, teacher))
  }
  return [...results, ...(await onTheSample(context))]
}

/** What a fresh machine without a network does first: the sample, with nothing but what comes with Kestrel. */
async function onTheSample({ temporary, say }: BenchContext): Promise<BenchResult[]> {
  const folder = await temporary()
  const sample = join(resourcesFolder(), 'samples', 'forest-finds')
  const { result, seconds } = await kestrelRun([sample, '--out', join(folder, 'project'), '--folds', '5'], {
    KESTREL_HOME: join(folder, 'home'),
    KESTREL_BACKBONES: '',
  })
  const { backbone, metrics, folds, timings, images } = result
  const sampleGroup = 'The sample, with what comes with Kestrel'
  const tested = metrics.test!
  say(`sample: ${tested.accuracy.toFixed(3)} in ${seconds.toFixed(1)} s`)
  return [
    {
      ...{ group: sampleGroup, name: 'right on its test pictures', value: tested.accuracy, unit: '' },
      target: { atLeast: 0.95 },
      note: `${backbone}, seed 1, 95 % interval ${tested.accuracy_ci95.map((bound) => bound.toFixed(2)).join(' to ')}`,
    },
    {
      ...{ group: sampleGroup, name: 'right over five folds', value: folds!.pooled.accuracy, unit: '' },
      note: 'training and validation pictures',
    },
    {
      ...{ group: sampleGroup, name: 'whole process, five folds included', value: seconds, unit: 's' },
      target: { atMost: 20 },
      note: `${images.read} pictures: import ${timings.import_s.toFixed(1)} s, features ${timings.features_s.toFixed(1)} s, fit ${timings.train_s.toFixed(1)} s`,
    },
  ]
}
