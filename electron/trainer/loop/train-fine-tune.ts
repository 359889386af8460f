import { readFile } from 'node:fs/promises'
import type { TrainRequest, TrainResult } from '#shared/contract/trainer.ts'
import { groupRate } from '#shared/domain/training/config.ts'
import { checkTraining } from '#shared/domain/training/babysitter.ts'
import { KestrelError } from '#shared/errors/index.ts'
import { layoutOf, scatter } from '../autodiff/layout.ts'
import { engineFor } from '../engines/choose.ts'
import { readOnnx } from '../graph/onnx/index.ts'
import { upgradeOpset } from '../graph/upgrade.ts'
import { loadHead } from '../head/store.ts'
import type { EarlierHead } from '../head/store.ts'
import { trainHead } from '../head/train-head.ts'
import type { RequestContext } from '../host/context.ts'
import { writeRunFolder } from '../host/run-folder.ts'
import { findBlocks } from '../models/blocks.ts'
import { composeBatchClassifier } from '../models/classifier.ts'
import { attachHead, splitAt } from '../models/fine-tune.ts'
import type { LinearHead } from '../models/linear-head.ts'
import { checkpointOf } from './checkpoint-place.ts'
import type { FitOutcome } from './fit.ts'
import { GradientFit } from './gradient-fit.ts'
import { groupsOf } from './groups.ts'
import { majorityOf, predictionsOf, secondsSince, stoppedInWords } from './outcome.ts'
import { TrainingData } from './training-data.ts'

/**
 * The `fine-tune` recipe (Howard & Ruder 2018; the order is Keras' own guide's): first the head on frozen features, then
 * the last blocks of the backbone together with it, at a low learning rate, with its batch normalisations as they are.
 *
 * It is judged on the validation pictures against the head alone. Where it is not better, the head stays the model, and
 * the result says so. Where it is, the same training is done once more with the validation pictures among those it learns
 * from, as the head does.
 */
export async function trainFineTune(request: TrainRequest, context: RequestContext): Promise<TrainResult> {
  const { backbone, gradients } = request
  if (!backbone || !gradients?.topBlocks)
    throw new KestrelError('no-backbone', 'This way of training needs a backbone.')
  // The finished head lies in the run's folder: whatever happens from here on, there is a model.
  const head = await trainHead({ ...request, folds: 0 }, { ...context, metric: () => undefined })
  if (head.stopped) return head
  const fitted = await loadHead(request.runDir)
  const reading = performance.now()
  const data = await TrainingData.open(request, backbone.preprocessing, context)
  try {
    context.stop.throwIfDropped()
    const features_s = head.timings.features_s + secondsSince(reading)
    const whole = upgradeOpset(readOnnx(await readFile(backbone.onnxPath)))
    // A small backbone may have fewer blocks than the preset wants: then all of them learn.
    const parts = splitAt(whole, Math.min(gradients.topBlocks, findBlocks(whole).length))
    const tuning = new Tuning(request, context, data, parts, fitted)
    const began = performance.now()
    const first = await tuning.round('selection', data.rows('train'), data.rows('val'))
    context.stop.throwIfDropped()
    const judged = comparison(head, first.best, data)
    const summary = {
      curve: first.curve,
      checks: checkTraining({
        curve: first.curve,
        classes: request.classes.length,
        diverged: first.stopped === 'diverged',
        majority: majorityOf(data, data.rows('train')),
        train: data.rows('train').length,
        val: data.rows('val').length,
      }),
    }
    if (!judged.tuned) {
      return {
        ...head,
        ...{ checks: summary.checks, kept: judged },
        stopped: stoppedInWords(first.stopped === 'early' ? null : first.stopped),
        timings: { ...head.timings, features_s, train_s: head.timings.train_s + secondsSince(began) },
      }
    }
    // Stopped in the first round, its best is the model; the second would begin from the beginning.
    const second =
      first.stopped === 'asked' || first.stopped === 'diverged' || data.rows('val').length === 0
        ? null
        : await tuning.again(first.curve.length)
    context.stop.throwIfDropped()
    const train_s = head.timings.train_s + secondsSince(began)

    const evaluating = performance.now()
    context.progress('evaluating', 0, 1)
    const val = predictionsOf(
      data,
      data.rows('val'),
      await tuning.predict('selection', data.rows('val'), first),
    )
    const test = predictionsOf(
      data,
      data.rows('test'),
      await (second
        ? tuning.predict('final', data.rows('test'), second)
        : tuning.predict('selection', data.rows('test'), first)),
    )
    context.progress('evaluating', 1, 1)
    const evaluate_s = head.timings.evaluate_s + secondsSince(evaluating)

    context.progress('writing', 0, 1)
    const model = second ? tuning.model('final', second) : tuning.model('selection', first)
    await writeRunFolder(request, backbone.preprocessing, model, {
      ...{ fitting: gradients.fitting, augmentation: gradients.augmentation },
      blocks: { learned: Math.min(gradients.topBlocks, parts.blocks.length), of: parts.blocks.length },
      epochs: first.curve.length,
      keptEpoch: second ? second.epoch : first.epoch,
      refitted: second !== null,
      stopped: first.stopped,
      comparison: judged,
      curve: first.curve,
    })
    context.progress('writing', 1, 1)
    await tuning.dispose()
    return {
      ...head,
      steps: first.curve.length,
      ...{ val, test },
      outOfFold: null,
      failed: [...data.failed],
      timings: { features_s, train_s, evaluate_s },
      stopped: stoppedInWords(second ? second.stopped : first.stopped),
      ...{ checks: summary.checks, kept: judged },
    }
  } finally {
    await data.close()
  }
}

type Parts = ReturnType<typeof splitAt>
type Which = 'selection' | 'final'

/** The two rounds of a fine-tuning: with the validation pictures as judges, and with them among those learned from. */
class Tuning {
  private readonly request: TrainRequest
  private readonly context: RequestContext
  private readonly data: TrainingData
  private readonly parts: Parts
  private readonly head: EarlierHead
  private readonly learners = new Map<
    Which,
    { learner: GradientFit; network: ReturnType<typeof attachHead> }
  >()
  private epochsBefore = 0

  constructor(
    request: TrainRequest,
    context: RequestContext,
    data: TrainingData,
    parts: Parts,
    head: EarlierHead,
  ) {
    this.request = request
    this.context = context
    this.data = data
    this.parts = parts
    this.head = head
  }

  async round(which: Which, train: readonly number[], val: readonly number[]): Promise<FitOutcome> {
    const { request, context } = this
    const { learner } = await this.open(which)
    const fitting = request.gradients!.fitting
    const began = performance.now()
    context.progress('fitting', 0, fitting.epochs * train.length)
    return await learner.run({
      ...{ train, val },
      shouldStop: () => context.stop.asked !== null,
      onEpoch: (metric) => context.metric({ ...metric, step: metric.step + this.epochsBefore }),
      onBatch: (done, total) => {
        const seconds = secondsSince(began)
        context.progress('fitting', done, Math.max(total, done + 1), seconds > 0.5 ? done / seconds : null)
      },
      checkpoint: checkpointOf(request, this.data, which),
    })
  }

  /** The second round. Stopped in it, what it has reached so far is the model. */
  async again(epochsBefore: number): Promise<FitOutcome | null> {
    this.epochsBefore = epochsBefore
    try {
      const outcome = await this.round('final', this.data.rows('train', 'val'), [])
      // Half a second round has seen less than the whole first one.
      return outcome.stopped === 'asked' || outcome.stopped === 'diverged' ? null : outcome
    } catch (error) {
      if (error instanceof KestrelError && ['stopped', 'training-diverged'].includes(error.code)) return null
      throw error
    }
  }

  async predict(which: Which, rows: readonly number[], outcome: FitOutcome): Promise<Float32Array> {
    const { learner } = await this.open(which)
    return await learner.predict(rows, outcome.vectors)
  }

  /** Trunk, adapted blocks and head as one file. */
  model(which: Which, outcome: FitOutcome): Uint8Array {
    const { learner, network } = this.learners.get(which)!
    const layout = layoutOf(network, this.groups(network))
    return composeBatchClassifier({
      trunk: this.parts.trunk,
      head: scatter(network.graph, layout, learner.answering(outcome.vectors)),
      preprocessing: this.request.backbone!.preprocessing,
      classes: this.request.classes,
    })
  }

  async dispose(): Promise<void> {
    for (const { learner } of this.learners.values()) await learner.dispose()
    this.learners.clear()
  }

  private groups(network: ReturnType<typeof attachHead>): ReturnType<typeof groupsOf> {
    const { fitting } = this.request.gradients!
    const head = this.parts.blocks.length
    return groupsOf(network, fitting.regularisation, (block) =>
      groupRate(fitting, block === head ? 'head' : 'base'),
    )
  }

  private async open(which: Which) {
    const known = this.learners.get(which)
    if (known) return known
    const { request, data } = this
    const { fitting, augmentation } = request.gradients!
    const network = attachHead(this.parts, linearHead(this.head, which))
    const learner = await GradientFit.open({
      ...{ network, fitting, augmentation, data },
      engine: await engineFor(request.engine),
      trunk: this.parts.trunk,
      groups: this.groups(network),
      classes: request.classes.length,
      seed: request.seed,
    })
    const opened = { learner, network }
    this.learners.set(which, opened)
    return opened
  }
}

function linearHead(head: EarlierHead, which: Which): LinearHead {
  const { classes, featureLength } = head.file
  const point = head.array(which)
  const weights = classes.length * featureLength
  if (point?.length !== weights + classes.length)
    throw new KestrelError('model-unreadable', 'The classifier of this training is damaged.')
  return {
    weights: point.subarray(0, weights),
    bias: point.subarray(weights),
    featureMean: head.scaling.mean,
    featureScale: head.scaling.factor.map((factor) => 1 / factor),
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
