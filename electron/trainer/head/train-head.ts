import { readFile } from 'node:fs/promises'
import type { PreparedBackbone, TrainRequest, TrainResult } from '#shared/contract/trainer.ts'
import { KestrelError } from '#shared/errors/index.ts'
import { computeFeatures } from '../data/features.ts'
import type { RequestContext } from '../host/context.ts'
import { writeRunFolder } from '../host/run-folder.ts'
import { composeBatchClassifier } from '../models/classifier.ts'
import { headBroke } from './broke.ts'
import { fitHead, type HeadFit } from './fit.ts'
import { outOfFold, type FoldsResult } from './folds.ts'
import { asSoftmax } from './objective.ts'
import { checksOf, stoppedInWords } from './outcome.ts'
import { strengthGrid } from './path.ts'
import { HeadProblem } from './problem.ts'
import { dropFailed, groupOf, inSplitOrder, requireEnough, type TrainImage } from './rows.ts'
import { applyScaling, measureScaling, type FeatureScaling } from './scaling.ts'
import { loadHead, saveHead, warmStartFrom } from './store.ts'

/**
 * The `head` recipe: frozen backbone → cached features → softmax regression, or a linear SVM.
 * Stopped while features are computed, there is nothing to keep but the features; stopped in the fit, the best so far
 * becomes the model.
 */
export async function trainHead(request: TrainRequest, context: RequestContext): Promise<TrainResult> {
  const { backbone, objective = 'softmax' } = request
  if (!backbone) throw new KestrelError('no-backbone', 'This way of training needs a backbone.')
  const length = backbone.featureLength
  const ordered = inSplitOrder(request.images)
  const matrix = new Float32Array(ordered.length * length)
  context.progress('features', 0, ordered.length)
  const features = await computeFeatures({
    backbone,
    images: ordered,
    cacheDir: request.cacheDir,
    target: matrix,
    stop: context.stop,
    onProgress: (done, total, rate) => context.progress('features', done, total, rate),
  })
  context.stop.throwIfDropped()
  const { left, failed } = dropFailed(ordered, matrix, length, features.failed)
  requireEnough(left)

  const fitting = performance.now()
  const rows = prepareRows(left, matrix, length)
  const problem = await HeadProblem.open(rows.x, rows.labels, length, request.classes.length, { objective })
  try {
    const warm = await findWarmStart(request, backbone, problem, rows)
    const fit = await fitWithProgress(request, context, problem, rows, warm?.head ?? null)
    context.stop.throwIfDropped()
    const train_s = secondsSince(fitting)

    const evaluating = performance.now()
    const val = await predictRows(problem, fit.selection, left, rows, 'val')
    const test = await predictRows(problem, fit.final, left, rows, 'test')
    const folds = fit.stopped ? null : await runFolds(request, context, problem, rows, warm?.folds ?? null)
    context.stop.throwIfDropped()
    const evaluate_s = secondsSince(evaluating)

    context.progress('writing', 0, 1)
    await writeModel(request, backbone, problem, fit, rows, folds)
    context.progress('writing', 1, 1)
    return {
      kind: 'train',
      featureLength: length,
      regularisation: {
        chosen: fit.chosen,
        tried: fit.tried.map(({ strength, valAccuracy, valLogLoss }) => ({
          strength,
          valAccuracy,
          valLogLoss,
        })),
      },
      steps: fit.steps,
      val,
      test,
      outOfFold: folds && {
        ids: Int32Array.from(left.slice(0, rows.fitted), ({ id }) => id),
        probabilities: folds.probabilities,
        fold: folds.fold,
      },
      failed,
      timings: { features_s: features.seconds, train_s, evaluate_s },
      stopped: stoppedInWords(fit, request.folds > 0 && !folds),
      features: { cached: features.cached, computed: features.computed },
      checks: await checksOf(problem, fit, rows.validation),
      kept: null,
    }
  } finally {
    await problem.dispose()
  }
}

interface Rows {
  /** Scaled features of all pictures, `[pictures, features]`: training, validation, test. */
  all: Float32Array
  /** The stretch of `all` that is learned from: training and validation. */
  x: Float32Array
  fitted: number
  labels: Int32Array
  keys: string[]
  groups: string[]
  validation: boolean[]
  scaling: FeatureScaling
}

function prepareRows(images: readonly TrainImage[], matrix: Float32Array, length: number): Rows {
  const fitted = images.filter(({ split }) => split !== 'test').length
  const all = matrix.subarray(0, images.length * length)
  // Only training pictures set the scale: neither validation nor test has a say in what is learned.
  const scaling = measureScaling(all, length, (row) => images[row]!.split === 'train')
  if (!scaling) {
    throw headBroke(
      'The backbone gave numbers that are not finite for these pictures.',
      'Choose another backbone.',
    )
  }
  applyScaling(all, scaling)
  const learned = images.slice(0, fitted)
  return {
    all,
    x: all.subarray(0, fitted * length),
    fitted,
    labels: Int32Array.from(learned, ({ label }) => label),
    keys: learned.map(({ sha256 }) => sha256),
    groups: learned.map(groupOf),
    validation: learned.map(({ split }) => split === 'val'),
    scaling,
  }
}

type Warm = NonNullable<ReturnType<typeof warmStartFrom>>

async function findWarmStart(
  request: TrainRequest,
  backbone: PreparedBackbone,
  { objective }: HeadProblem,
  rows: Rows,
): Promise<Warm | null> {
  if (request.warmStartFrom === null) return null
  try {
    return warmStartFrom(await loadHead(request.warmStartFrom), {
      classes: request.classes,
      backboneSha256: backbone.sha256,
      objective,
      scaling: rows.scaling,
      keys: rows.keys,
      labels: rows.labels,
      folds: request.folds,
    })
  } catch (error) {
    // A warm start only saves time. An earlier run that was thrown away or damaged is no reason to fail.
    console.error('starting cold, the earlier run could not be read:', error)
    return null
  }
}

function fitWithProgress(
  request: TrainRequest,
  context: RequestContext,
  problem: HeadProblem,
  rows: Rows,
  warm: Warm['head'] | null,
): Promise<HeadFit> {
  // The number of steps is not known before: the bar follows a forecast and never shows more than is done.
  const forecast = warm ? 60 : 180
  context.progress('fitting', 0, forecast)
  return fitHead({
    problem,
    validation: rows.validation,
    labels: rows.labels,
    groups: rows.groups,
    seed: request.seed,
    warm,
    control: {
      shouldStop: () => context.stop.asked !== null,
      onStep: (metric) => {
        context.metric(metric)
        context.progress('fitting', metric.step, Math.max(forecast, metric.step + 1))
      },
    },
  })
}

async function runFolds(
  request: TrainRequest,
  context: RequestContext,
  problem: HeadProblem,
  rows: Rows,
  warm: Warm['folds'],
): Promise<FoldsResult | null> {
  const k = Math.min(request.folds, new Set(rows.groups).size)
  if (k < 2) return null
  context.progress('evaluating', 0, 2 * k)
  return outOfFold({
    problem,
    x: rows.x,
    labels: rows.labels,
    keys: rows.keys,
    groups: rows.groups,
    seed: request.seed,
    k,
    warm,
    shouldStop: () => context.stop.asked !== null,
    onFold: (done, of) => context.progress('evaluating', done, of),
  })
}

async function predictRows(
  problem: HeadProblem,
  point: Float64Array,
  images: readonly TrainImage[],
  rows: Rows,
  split: 'val' | 'test',
): Promise<{ ids: Int32Array; probabilities: Float32Array }> {
  const first = images.findIndex((image) => image.split === split)
  const some = images.filter((image) => image.split === split)
  const { features } = problem
  const x =
    first === -1 ? new Float32Array(0) : rows.all.subarray(first * features, (first + some.length) * features)
  return { ids: Int32Array.from(some, ({ id }) => id), probabilities: await problem.probabilities(point, x) }
}

async function writeModel(
  request: TrainRequest,
  backbone: PreparedBackbone,
  { objective }: HeadProblem,
  fit: HeadFit,
  rows: Rows,
  folds: FoldsResult | null,
): Promise<void> {
  await saveHead(request.runDir, {
    classes: request.classes,
    featureLength: backbone.featureLength,
    backboneSha256: backbone.sha256,
    objective,
    seed: request.seed,
    scaling: rows.scaling,
    fit,
    keys: rows.keys,
    labels: rows.labels,
    folds,
  })
  const weights = request.classes.length * backbone.featureLength
  const final = asSoftmax(objective, fit.final)
  const model = composeBatchClassifier({
    trunk: await readFile(backbone.onnxPath),
    head: {
      weights: final.subarray(0, weights),
      bias: final.subarray(weights),
      featureMean: rows.scaling.mean,
      featureScale: rows.scaling.factor.map((factor) => 1 / factor),
    },
    preprocessing: backbone.preprocessing,
    classes: request.classes,
  })
  // The head is always fitted by ONNX Runtime, whatever engine adapts the network after it.
  const engine = { id: 'onnx', device: 'cpu' } as const
  await writeRunFolder(request, backbone.preprocessing, model, engine, {
    strengthGrid,
    strength: fit.chosen,
    tried: fit.tried.map(({ strength, valAccuracy, valLogLoss }) => ({ strength, valAccuracy, valLogLoss })),
    scaling: 'centred, one factor for all features',
    steps: fit.steps,
    stopped: fit.stopped,
    foldStrengths: folds?.chosen ?? null,
  })
}

const secondsSince = (began: number): number => (performance.now() - began) / 1000
