import { readFile } from 'node:fs/promises'
import type { TrainRequest, TrainResult } from '#shared/contract/trainer.ts'
import { checkTraining } from '#shared/domain/training/babysitter.ts'
import { KestrelError } from '#shared/errors/index.ts'
import { readOnnx } from '../graph/onnx/index.ts'
import { upgradeOpset } from '../graph/upgrade.ts'
import { loadHead } from '../head/store.ts'
import { trainHead } from '../head/train-head.ts'
import type { RequestContext } from '../host/context.ts'
import { writeRunFolder } from '../host/run-folder.ts'
import { findBlocks } from '../models/blocks.ts'
import { splitAt } from '../models/fine-tune.ts'
import type { FitOutcome } from './fit.ts'
import { majorityOf, predictionsOf, secondsSince, stoppedInWords } from './outcome.ts'
import { TrainingData } from './training-data.ts'
import { Tuning } from './tuning.ts'

/**
 * The `fine-tune` recipe (Howard & Ruder 2018; the order is Keras' own guide's): first the head on frozen features, then
 * the last blocks of the backbone together with it, at a low learning rate, with its batch normalisations as they are.
 *
 * It is judged on the validation pictures against the head alone. Where it is not better, the head stays the model, and
 * the result says so. Where it is, the same training is done once more with the validation pictures among those it learns
 * from, as the head does.
 */
export async function trainFineTune(request: TrainRequest, context: RequestContext): Promise<TrainResult> {
  // The finished head lies in the run's folder: whatever happens from here on, there is a model.
  const head = await trainHead({ ...request, folds: 0 }, { ...context, metric: () => undefined })
  if (head.stopped) return head
  try {
    return await adapt(request, context, head)
  } catch (error) {
    const early =
      error instanceof KestrelError && (error.code === 'stopped' || error.code === 'training-diverged')
    if (!early || context.stop.asked === 'drop') throw error
    const diverged = error.code === 'training-diverged'
    return {
      ...head,
      stopped: {
        reason: diverged ? 'diverged' : 'asked',
        message: diverged
          ? 'Adapting the network got numbers that are not finite at once. The frozen network is the model. A smaller learning rate helps.'
          : 'Stopped before the network was adapted. The frozen network is the model.',
      },
      checks: diverged ? checkTraining({ ...nothingYet(request), diverged }) : [],
    }
  }
}

const nothingYet = ({ classes, images }: TrainRequest) => ({
  curve: [],
  classes: classes.length,
  majority: 0,
  train: images.filter(({ split }) => split === 'train').length,
  val: images.filter(({ split }) => split === 'val').length,
})

/** Everything after the head. */
async function adapt(
  request: TrainRequest,
  context: RequestContext,
  head: TrainResult,
): Promise<TrainResult> {
  const { backbone, gradients } = request
  if (!backbone || !gradients?.topBlocks)
    throw new KestrelError('no-backbone', 'This way of training needs a backbone.')
  const fitted = await loadHead(request.runDir)
  const reading = performance.now()
  const data = await TrainingData.open(request, backbone.preprocessing, context)
  const [train, val, test] = [data.rows('train'), data.rows('val'), data.rows('test')]
  const whole = upgradeOpset(readOnnx(await readFile(backbone.onnxPath)))
  // A small backbone may have fewer blocks than the preset wants: then all of them learn.
  const learned = Math.min(gradients.topBlocks, findBlocks(whole).length)
  const parts = splitAt(whole, learned)
  const tuning = new Tuning(request, context, data, parts, fitted)
  try {
    context.stop.throwIfDropped()
    const features_s = head.timings.features_s + secondsSince(reading)
    const began = performance.now()
    const first = await tuning.round('selection', train, val)
    context.stop.throwIfDropped()
    const kept = comparison(head, first.best, data)
    const checks = checkTraining({
      curve: first.curve,
      classes: request.classes.length,
      diverged: first.stopped === 'diverged',
      majority: majorityOf(data, train),
      train: train.length,
      val: val.length,
    })
    const timings = () => ({
      ...head.timings,
      features_s,
      train_s: head.timings.train_s + secondsSince(began),
    })
    if (!kept.tuned)
      return { ...head, ...{ checks, kept }, stopped: stoppedInWords(first.stopped), timings: timings() }
    // Stopped in the first round, its best is the model; the second would begin from the beginning.
    const broken = first.stopped === 'asked' || first.stopped === 'diverged'
    const second = broken || val.length === 0 ? null : await tuning.again(first.curve.length)
    context.stop.throwIfDropped()
    const trained = timings()

    const evaluating = performance.now()
    context.progress('evaluating', 0, 1)
    const valBlock = predictionsOf(data, val, await tuning.predict('selection', val, first))
    const [which, outcome] = second ? (['final', second] as const) : (['selection', first] as const)
    const testBlock = predictionsOf(data, test, await tuning.predict(which, test, outcome))
    context.progress('evaluating', 1, 1)
    const evaluate_s = head.timings.evaluate_s + secondsSince(evaluating)

    context.progress('writing', 0, 1)
    await writeRunFolder(request, backbone.preprocessing, tuning.model(which, outcome), {
      ...{ fitting: gradients.fitting, augmentation: gradients.augmentation },
      blocks: { learned, of: parts.blocks.length },
      epochs: first.curve.length,
      keptEpoch: outcome.epoch,
      refitted: second !== null,
      stopped: first.stopped,
      comparison: kept,
      curve: first.curve,
    })
    context.progress('writing', 1, 1)
    return {
      ...head,
      steps: first.curve.length,
      ...{ val: valBlock, test: testBlock },
      outOfFold: null,
      failed: [...data.failed],
      timings: { ...trained, evaluate_s },
      // Asked in the second round, the model of the first is finished, but did not learn from the validation pictures.
      stopped: stoppedInWords(context.stop.asked === null ? first.stopped : 'asked'),
      ...{ checks, kept },
    }
  } finally {
    await tuning.dispose()
    await data.close()
  }
}

/** How both did on the validation pictures, and which of them becomes the model. */
function comparison(
  head: TrainResult,
  best: FitOutcome['best'],
  data: TrainingData,
): NonNullable<TrainResult['kept']> {
  const rows = data.rows('val')
  const classes = rows.length === 0 ? 0 : head.val.probabilities.length / head.val.ids.length
  const labelOf = new Map(rows.map((row) => [data.images[row]!.id, data.labels[row]!]))
  let right = 0
  let loss = 0
  head.val.ids.forEach((id, i) => {
    const of = head.val.probabilities.subarray(i * classes, (i + 1) * classes)
    const label = labelOf.get(id)
    if (label === undefined) return
    if (of.every((other, k) => k === label || other < of[label]!)) right += 1
    loss -= Math.log(Math.max(of[label]!, 1e-30))
  })
  const judged = Math.max(1, rows.length)
  const headAccuracy = right / judged
  const tunedAccuracy = best?.accuracy ?? 0
  // Without validation pictures nobody can say which is better: the person asked for fine-tuning.
  const tuned =
    rows.length === 0 ||
    (best !== null &&
      (tunedAccuracy > headAccuracy || (tunedAccuracy === headAccuracy && best.loss < loss / judged)))
  return { tuned, headAccuracy, tunedAccuracy }
}
