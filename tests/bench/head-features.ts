import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { PreparedBackbone } from '#shared/contract/trainer.ts'
import { preprocessingSchema } from '#shared/domain/preprocessing/index.ts'
import { createRandom } from '#shared/domain/random.ts'
import { computeFeatures } from '#trainer/data/features.ts'
import { applyScaling, measureScaling } from '#trainer/head/scaling.ts'
import { StopSignal } from '#trainer/host/context.ts'
import { prepareBackbone } from '#trainer/models/backbone.ts'
import type { BenchContext } from './types.ts'

export interface HeadData {
  /** Centred and scaled, [rows, features]. */
  x: Float32Array
  labels: Int32Array
  features: number
  classes: number
  /** What the features are. */
  origin: string
}

/** Ten classes with more than a hundred pictures each. */
const CLASSES = [
  ...['daisy', 'dandelion', 'roses', 'sunflowers', 'tulips'].map((name) => `flowers5/${name}`),
  ...['cardboard', 'glass', 'metal', 'paper', 'plastic'].map((name) => `trashnet6/${name}`),
]
const BACKBONE = 'mobilenet_v2_1.0_224'
/** Of the noise on what is filled up, in sizes of a feature: about as many are told apart as of real pictures. */
const NOISE = 1.4

/**
 * 10,000 × 1280 features of ten classes: those of real pictures by MobileNetV2, filled up with mixtures of two pictures
 * of one class and noise, so that they lie as real ones do (a fit of random numbers is much easier). Without the pictures
 * there is nothing to measure: null.
 */
export async function headFeatures(context: BenchContext, rows = 10_000): Promise<HeadData | null> {
  const source = context.shared(`backbones/${BACKBONE}/model.h5`)
  const folders = CLASSES.map((name) => context.shared(`data/${name}`))
  if (source === null || folders.includes(null)) return null
  const images = folders.flatMap((folder, label) =>
    readdirSync(folder!)
      .sort()
      .map((file) => ({ label, path: join(folder!, file) })),
  )
  context.say(`features of ${images.length} pictures by ${BACKBONE}`)
  const { length, values } = await realFeatures(
    context,
    source,
    images.map(({ path }) => path),
  )
  const random = createRandom(1, 'filling up')
  const size = Math.sqrt(values.reduce((sum, value) => sum + value * value, 0) / values.length)
  const ofClass = folders.map((_, label) =>
    images.flatMap((image, index) => (image.label === label ? [index] : [])),
  )
  const x = new Float32Array(rows * length)
  x.set(values.subarray(0, rows * length))
  const labels = Int32Array.from({ length: rows }, (_, row) => images[row]?.label ?? row % CLASSES.length)
  for (let row = images.length; row < rows; row++) {
    const own = ofClass[labels[row]!]!
    const [a, b] = [own[random.below(own.length)]! * length, own[random.below(own.length)]! * length]
    const share = 0.3 * random.float()
    for (let j = 0; j < length; j++) {
      const mixed = (1 - share) * values[a + j]! + share * values[b + j]!
      x[row * length + j] = Math.max(0, mixed + NOISE * size * random.normal())
    }
  }
  applyScaling(
    x,
    measureScaling(x, length, () => true)!,
  )
  return {
    x,
    labels,
    features: length,
    classes: CLASSES.length,
    origin: `${images.length} pictures by ${BACKBONE}, filled up to ${rows}`,
  }
}

async function realFeatures(
  context: BenchContext,
  source: string,
  paths: readonly string[],
): Promise<{ length: number; values: Float32Array }> {
  const folder = await context.temporary()
  const onnxPath = join(folder, 'backbone.onnx')
  const prepared = await prepareBackbone(source, onnxPath)
  const backbone: PreparedBackbone = {
    id: BACKBONE,
    onnxPath,
    sha256: prepared.sha256,
    featureLength: prepared.featureLength,
    preprocessing: preprocessingSchema.parse(prepared.preprocessing),
  }
  const values = new Float32Array(paths.length * prepared.featureLength)
  const images = paths.map((path, id) => ({
    id,
    path,
    sha256: createHash('sha256').update(readFileSync(path)).digest('hex'),
  }))
  await computeFeatures({
    backbone,
    images,
    cacheDir: join(folder, 'cache'),
    target: values,
    stop: new StopSignal(),
    onProgress: () => undefined,
  })
  return { length: prepared.featureLength, values }
}
