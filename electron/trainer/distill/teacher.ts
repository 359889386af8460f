import type { PreparedBackbone, TrainerImage } from '#shared/contract/trainer.ts'
import { KestrelError, type WireError } from '#shared/errors/index.ts'
import { createHash } from 'node:crypto'
import { readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { computeFeatures } from '../data/features.ts'
import type { RequestContext } from '../host/context.ts'
import { readRunFolder } from '../host/run-folder.ts'
import { prepareBackbone } from '../models/backbone.ts'

/** What the teacher says of every picture; rows are those of the pictures. */
export interface TeacherOutputs {
  /** Standardised, [rows, featureLength]; null where only its answers are learned. Rows of unreadable pictures are NaN. */
  features: Float32Array | null
  /** Softened probabilities [rows, classes], or null. */
  soft: Float32Array | null
}

/** Numbers in memory at a time: 1 GB. */
const MOST_NUMBERS = 256 * 2 ** 20

/**
 * The teacher's features of every picture, computed once and kept in the feature cache.
 * @throws KestrelError `too-few-pictures` when they would not fit into memory; `stopped`; as `computeFeatures`
 */
export async function teacherFeatures(
  {
    backbone,
    images,
    cacheDir,
  }: { backbone: PreparedBackbone; images: readonly TrainerImage[]; cacheDir: string },
  context: RequestContext,
): Promise<{ features: Float32Array; failed: { index: number; error: WireError }[]; computed: number }> {
  const { featureLength } = backbone
  if (images.length * featureLength > MOST_NUMBERS)
    throw new KestrelError(
      'bad-request',
      `The teacher's features of ${images.length} views would take ${Math.round((images.length * featureLength * 4) / 2 ** 30)} GB of memory.`,
      { remedy: `Use fewer pictures or views: up to ${Math.floor(MOST_NUMBERS / featureLength)} in all.` },
    )
  const features = new Float32Array(images.length * featureLength)
  const { failed, computed } = await computeFeatures({
    ...{ backbone, images, cacheDir, target: features, stop: context.stop },
    onProgress: (done, total, rate) => context.progress('features', done, total, rate),
  })
  return { features, failed, computed }
}

/**
 * What a finished model answers for every picture, computed once and kept in the feature cache.
 * @param classes names, in the order of the columns wanted
 * @param columns see `teacherModelSchema`
 * @returns probabilities [images, classes]; a label that the teacher does not know gets none. Rows of unreadable pictures
 *   are NaN.
 * @throws KestrelError `bad-request` when the teacher knows none of the labels; `model-unreadable`; as `computeFeatures`
 */
export async function teacherAnswers(
  {
    modelDir,
    columns: meant,
    classes,
    images,
    cacheDir,
  }: {
    modelDir: string
    columns?: readonly (number | null)[] | undefined
    classes: readonly string[]
    images: readonly TrainerImage[]
    cacheDir: string
  },
  context: RequestContext,
): Promise<Float32Array> {
  const model = await readRunFolder(modelDir)
  const known = model.classes.length
  const asBackbone: PreparedBackbone = {
    id: 'teacher',
    sha256: createHash('sha256')
      .update(await readFile(model.modelPath))
      .digest('hex'),
    onnxPath: model.modelPath,
    featureLength: known,
    preprocessing: model.preprocessing,
  }
  const { features: answers } = await teacherFeatures({ backbone: asBackbone, images, cacheDir }, context)
  const columns = meant?.map((column) => column ?? -1) ?? classes.map((name) => model.classes.indexOf(name))
  if (columns.every((column) => column < 0))
    throw new KestrelError('bad-request', 'The large model tells other labels apart than this training.', {
      remedy: 'Train the large model again with the labels of today, then make it small.',
    })
  const wanted = new Float32Array(images.length * classes.length)
  for (let row = 0; row < images.length; row++)
    columns.forEach((column, k) => {
      if (column >= 0) wanted[row * classes.length + k] = answers[row * known + column]!
    })
  return wanted
}

/** A model that gives more numbers than this for a picture was not made to be imitated by a small one. */
const MOST_FEATURES = 4096

/**
 * What a finished model sees in every picture, before it answers: the features in front of its classifier, computed once and
 * kept in the feature cache.
 * @param runDir where the teacher without its classifier is written meanwhile
 * @returns null where the model has no such place, or one that is too wide: its answers have to do.
 * @throws KestrelError `model-unreadable`; as `computeFeatures`
 */
export async function teacherEmbedding(
  {
    modelDir,
    images,
    cacheDir,
    runDir,
  }: { modelDir: string; images: readonly TrainerImage[]; cacheDir: string; runDir: string },
  context: RequestContext,
): Promise<{ features: Float32Array; featureLength: number } | null> {
  const { modelPath, preprocessing } = await readRunFolder(modelDir)
  const onnxPath = join(runDir, 'teacher.onnx')
  try {
    const { sha256, featureLength } = await prepareBackbone(modelPath, onnxPath)
    if (featureLength > MOST_FEATURES) return null
    const backbone = { id: 'teacher', sha256, onnxPath, featureLength, preprocessing }
    const { features } = await teacherFeatures({ backbone, images, cacheDir }, context)
    return { features, featureLength }
  } catch (error) {
    if (error instanceof KestrelError && error.code === 'backbone-unsupported') return null
    throw error
  } finally {
    await rm(onnxPath, { force: true })
  }
}

/**
 * Probabilities at a higher temperature, in place: p^(1/T) ÷ Σ p^(1/T), which is the softmax of the logits divided by T
 * (Hinton et al. 2015, equation 1). A row without any probability becomes even.
 * @param probabilities [rows, classes]
 */
export function soften(probabilities: Float32Array, classes: number, temperature: number): Float32Array {
  for (let at = 0; at < probabilities.length; at += classes) {
    const row = probabilities.subarray(at, at + classes)
    let total = 0
    for (let k = 0; k < classes; k++) total += row[k] = row[k]! ** (1 / temperature)
    for (let k = 0; k < classes; k++) row[k] = total > 0 ? row[k]! / total : 1 / classes
  }
  return probabilities
}

/**
 * Brings every number of the features to mean 0 and deviation 1 over these rows, in place. Numbers that never change become 0.
 * @param rows that mean and deviation are taken from
 */
export function standardise(features: Float32Array, length: number, rows: readonly number[]): void {
  const means = new Float64Array(length)
  const squares = new Float64Array(length)
  for (const row of rows)
    for (let k = 0; k < length; k++) means[k]! += features[row * length + k]! / rows.length
  for (const row of rows)
    for (let k = 0; k < length; k++)
      squares[k]! += (features[row * length + k]! - means[k]!) ** 2 / rows.length
  const scales = squares.map((square) => (square > 1e-12 ? 1 / Math.sqrt(square) : 0))
  for (let at = 0; at < features.length; at++) {
    const k = at % length
    features[at] = (features[at]! - means[k]!) * scales[k]!
  }
}
