import type { TrainRequest, TrainResult } from '#shared/contract/trainer.ts'
import { checkTraining } from '#shared/domain/training/babysitter.ts'
import type { WatchedTraining } from '#shared/domain/training/babysitter.ts'
import { toKestrelError } from '#shared/errors/index.ts'
import { engineFor } from '../engines/choose.ts'
import { loadHead } from '../head/store.ts'
import { trainHead } from '../head/train-head.ts'
import type { RequestContext } from '../host/context.ts'
import { writeRunFolder } from '../host/run-folder.ts'
import { openAdaptable, type Adaptable } from './adaptable.ts'
import { brokeInWords, TrainingBroke } from './broke.ts'
import { comparison, frozenStays } from './comparison.ts'
import { breakdownOf, majorityOf, predictionsOf, secondsSince, stoppedInWords } from './outcome.ts'
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
  const adaptable = await openAdaptable(request)
  // The finished head lies in the run's folder: whatever happens from here on, there is a model.
  const head = await trainHead({ ...request, folds: 0 }, { ...context, metric: () => undefined })
  if (head.stopped) return head
  try {
    return await adapt(request, context, head, adaptable)
  } catch (error) {
    if (context.stop.asked === 'drop') throw error
    return { ...head, ...withoutAdapting(request, error), kept: frozenStays(request, head) }
  }
}

/** Why the frozen network is the model, in words. */
function withoutAdapting(
  request: TrainRequest,
  error: unknown,
): Pick<TrainResult, 'stopped'> & Partial<Pick<TrainResult, 'checks'>> {
  const frozen = 'The frozen network is the model.'
  if (error instanceof TrainingBroke)
    return {
      stopped: {
        reason: 'diverged',
        message: `Adapting the network ${brokeInWords[error.how]}. ${frozen} A smaller learning rate helps.`,
      },
      checks: checkTraining(watched(request, error, error.how)),
    }
  const { code, message, remedy } = toKestrelError(error)
  if (code === 'stopped')
    return { stopped: { reason: 'asked', message: `Stopped before the network was adapted. ${frozen}` } }
  // The model is whole, so that this is no failure; the cause is for the log.
  console.error('the network could not be adapted:', error)
  const said = ['The network could not be adapted.', message, frozen, remedy]
  return { stopped: { reason: 'error', message: said.filter(Boolean).join(' ') } }
}

const stoppedInSecondRound: TrainResult['stopped'] = {
  reason: 'asked',
  message:
    'Stopped in the second round, which learns from the validation pictures too: the model of the first is kept.',
}

const watched = (
  { images }: TrainRequest,
  { curve, guessing }: Pick<WatchedTraining, 'curve' | 'guessing'>,
  broke: WatchedTraining['broke'],
): WatchedTraining => ({
  curve,
  broke,
  guessing,
  majority: 0,
  train: images.filter(({ split }) => split === 'train').length,
  val: images.filter(({ split }) => split === 'val').length,
})

/** Everything after the head. */
async function adapt(
  request: TrainRequest,
  context: RequestContext,
  head: TrainResult,
  { parts, learned }: Adaptable,
): Promise<TrainResult> {
  const [backbone, gradients] = [request.backbone!, request.gradients!]
  const fitted = await loadHead(request.runDir)
  const reading = performance.now()
  const data = await TrainingData.open(request, backbone.preprocessing, context)
  const [train, val, test] = [data.rows('train'), data.rows('val'), data.rows('test')]
  const tuning = new Tuning(request, context, data, parts, fitted)
  try {
    context.stop.throwIfDropped()
    const features_s = head.timings.features_s + secondsSince(reading)
    const began = performance.now()
    const first = await tuning.round('selection', train, val)
    context.stop.throwIfDropped()
    const kept = comparison(request, head, first)
    const checks = checkTraining({
      ...watched(request, first, breakdownOf(first.stopped)),
      majority: majorityOf(data, train),
      train: train.length,
      val: val.length,
    })
    const timings = () => ({
      ...head.timings,
      features_s,
      train_s: head.timings.train_s + secondsSince(began),
    })
    const stopped = stoppedInWords(first, gradients.fitting.epochs)
    if (!kept.tuned) return { ...head, ...{ checks, kept, stopped }, timings: timings() }
    // Stopped in the first round, its best is the model; the second would begin from the beginning.
    const broken = first.stopped !== null && first.stopped !== 'early'
    const alone = broken || val.length === 0
    const second = alone ? null : await tuning.again(first.curve.length)
    context.stop.throwIfDropped()
    const cutShort = !alone && second === null && context.stop.asked !== null
    const trained = timings()

    const evaluating = performance.now()
    context.progress('evaluating', 0, 1)
    const valBlock = predictionsOf(data, val, await tuning.predict('selection', val, first))
    const [which, outcome] = second ? (['final', second] as const) : (['selection', first] as const)
    const testBlock = predictionsOf(data, test, await tuning.predict(which, test, outcome))
    context.progress('evaluating', 1, 1)
    const evaluate_s = head.timings.evaluate_s + secondsSince(evaluating)

    context.progress('writing', 0, 1)
    const engine = await engineFor(request.engine)
    await writeRunFolder(request, backbone.preprocessing, tuning.model(which, outcome), engine, {
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
      stopped: cutShort ? stoppedInSecondRound : stopped,
      ...{ checks, kept },
    }
  } finally {
    await tuning.dispose().finally(() => data.close())
  }
}
