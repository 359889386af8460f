import type { TrainRequest, TrainResult } from '#shared/contract/trainer.ts'
import type { Preprocessing } from '#shared/domain/preprocessing/definition.ts'
import type { WireError } from '#shared/errors/index.ts'
import { NetworkPool } from '../data/network-pool.ts'
import { dropFailed, inSplitOrder, requireEnough, type TrainImage } from '../head/rows.ts'
import type { RequestContext } from '../host/context.ts'
import { writeRunFolder } from '../host/run-folder.ts'
import { composeBatchClassifier } from '../models/classifier.ts'
import { epochsFor, fitCnn, predictCnn, type CnnFit } from './fit-cnn.ts'
import { featuresGraph, headOf, pixelsSpec } from './small-cnn.ts'

/** How the small network sees a picture. */
export const pixelsPreprocessing = (size: number): Preprocessing => ({
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

/**
 * The `pixels` recipe, for when no backbone can be had: a small network learns from the pixels themselves. Validation
 * pictures choose the epoch that is kept, so they are not learned from, and out-of-fold predictions are not made (they
 * would take as many trainings as there are folds).
 */
export async function trainPixels(request: TrainRequest, context: RequestContext): Promise<TrainResult> {
  const spec = pixelsSpec(request.classes.length)
  const preprocessing = pixelsPreprocessing(spec.size)
  const length = 3 * spec.size * spec.size
  const ordered = inSplitOrder(request.images)
  const reading = performance.now()
  const decoded = await decodeAll(ordered, preprocessing, context)
  const { left, failed } = dropFailed(ordered, decoded.pixels, length, decoded.failed)
  requireEnough(left)
  const features_s = secondsSince(reading)

  const rowsOf = (split: TrainImage['split']): number[] =>
    left.flatMap((image, row) => (image.split === split ? [row] : []))
  const [train, val, test] = [rowsOf('train'), rowsOf('val'), rowsOf('test')]
  const data = { spec, pixels: decoded.pixels, labels: Int32Array.from(left, ({ label }) => label) }

  const fitting = performance.now()
  const epochs = epochsFor(train.length)
  context.progress('fitting', 0, epochs * train.length)
  const fit = await fitCnn({
    ...data,
    train,
    val,
    seed: request.seed,
    epochs,
    shouldStop: () => context.stop.asked !== null,
    onEpoch: (metric) => context.metric(metric),
    onBatch: (done, total) => {
      const seconds = secondsSince(fitting)
      context.progress('fitting', done, Math.max(total, done + 1), seconds > 0.5 ? done / seconds : null)
    },
  })
  context.stop.throwIfDropped()
  const train_s = secondsSince(fitting)

  const evaluating = performance.now()
  context.progress('evaluating', 0, 1)
  const predictions = async (rows: readonly number[]) => ({
    ids: Int32Array.from(rows, (row) => left[row]!.id),
    probabilities: await predictCnn(data, fit, rows),
  })
  const [valBlock, testBlock] = [await predictions(val), await predictions(test)]
  context.progress('evaluating', 1, 1)
  const evaluate_s = secondsSince(evaluating)

  context.progress('writing', 0, 1)
  const width = spec.filters.at(-1)!
  const head = headOf(spec, fit.parameters)
  const model = composeBatchClassifier({
    trunk: featuresGraph(spec, fit.parameters, fit.statistics),
    head: {
      weights: head.subarray(0, spec.classes * width),
      bias: head.subarray(spec.classes * width),
      featureMean: new Float64Array(width),
      featureScale: new Float64Array(width).fill(1),
    },
    preprocessing,
    classes: request.classes,
  })
  await writeRunFolder(request, preprocessing, model, {
    network: spec,
    epochs: fit.epochs,
    stopped: fit.stopped,
  })
  context.progress('writing', 1, 1)
  return {
    kind: 'train',
    featureLength: width,
    regularisation: { chosen: null, tried: [] },
    steps: fit.epochs,
    val: valBlock,
    test: testBlock,
    outOfFold: null,
    failed,
    timings: { features_s, train_s, evaluate_s },
    stopped: stoppedInWords(fit),
    features: { cached: 0, computed: left.length },
  }
}

/** Every picture at the network's size as uint8 planes, decoded once for all epochs. */
async function decodeAll(
  images: readonly TrainImage[],
  preprocessing: Preprocessing,
  context: RequestContext,
): Promise<{ pixels: Uint8Array; failed: { index: number; error: WireError }[] }> {
  const { width, height } = preprocessing.size
  const length = 3 * width * height
  const pixels = new Uint8Array(images.length * length)
  const failed: { index: number; error: WireError }[] = []
  // Unscaled numbers, 0–255: bytes hold them exactly.
  const pool = new NetworkPool({
    onnxPath: null,
    preprocessing: { ...preprocessing, mean: [0, 0, 0], divisor: [1, 1, 1] },
  })
  const began = performance.now()
  let [next, done] = [0, 0]
  const lane = async (): Promise<void> => {
    while (next < images.length && context.stop.asked === null) {
      const index = next++
      const { values, error } = await pool.submit(images[index]!.path)
      if (values) pixels.set(values, index * length)
      else if (error) failed.push({ index, error })
      done += 1
      const seconds = secondsSince(began)
      context.progress('reading', done, images.length, seconds > 0.2 ? done / seconds : null)
    }
  }
  try {
    await Promise.all(Array.from({ length: Math.min(pool.capacity, images.length) }, lane))
  } finally {
    await pool.close()
  }
  context.stop.throwIfAsked()
  return { pixels, failed }
}

function stoppedInWords(fit: CnnFit): TrainResult['stopped'] {
  if (fit.stopped === 'asked') return { reason: 'asked', message: 'Stopped. The best model so far was kept.' }
  if (fit.stopped === 'diverged')
    return {
      reason: 'diverged',
      message: 'The training got numbers that are not finite and was stopped. The last good model was kept.',
    }
  return null
}

const secondsSince = (began: number): number => (performance.now() - began) / 1000
