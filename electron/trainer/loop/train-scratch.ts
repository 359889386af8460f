import type { TrainRequest, TrainResult } from '#shared/contract/trainer.ts'
import { checkTraining } from '#shared/domain/training/babysitter.ts'
import { pixelPreprocessing } from '#shared/domain/preprocessing/pixels.ts'
import { KestrelError } from '#shared/errors/index.ts'
import { layoutOf, scatter } from '../autodiff/layout.ts'
import { withoutDropout } from '../autodiff/training-form.ts'
import { engineFor } from '../engines/choose.ts'
import { goalFor } from '../distill/goal-for.ts'
import { withImitation, withoutImitation } from '../distill/imitation.ts'
import type { RequestContext } from '../host/context.ts'
import { writeRunFolder } from '../host/run-folder.ts'
import { composeBatchClassifier } from '../models/classifier.ts'
import { luma, takingColour } from '../models/colour-input.ts'
import { buildNetwork } from '../models/layers/build.ts'
import { ScalingFit } from '../models/layers/preprocessing.ts'
import type { FittedScaling } from '../models/layers/preprocessing.ts'
import { TrainingBroke } from './broke.ts'
import { checkpointOf } from './checkpoint-place.ts'
import { GradientFit } from './gradient-fit.ts'
import { groupsOf } from './groups.ts'
import { breakdownOf, majorityOf, predictionsOf, secondsSince, stoppedInWords } from './outcome.ts'
import { TrainingData } from './training-data.ts'

/**
 * The `scratch` recipe: a network learns from the pixels of these pictures alone. Validation pictures choose the epoch
 * that is kept, so they are not learned from, and out-of-fold predictions are not made here (they would take as many
 * trainings as there are folds).
 */
export async function trainScratch(request: TrainRequest, context: RequestContext): Promise<TrainResult> {
  const { gradients } = request
  if (!gradients?.network) throw new KestrelError('bad-request', 'This way of training needs a network.')
  const { fitting, augmentation, network: spec } = gradients
  const preprocessing = pixelPreprocessing(spec.input)
  const reading = performance.now()
  const data = await TrainingData.open(request, preprocessing, context)
  try {
    context.stop.throwIfAsked()
    const [train, val, test] = [data.rows('train'), data.rows('val'), data.rows('test')]
    const scaling = await measureScaling(data, train, spec.preprocessing, [
      spec.input.channels,
      spec.input.height,
      spec.input.width,
    ])
    const goal = await goalFor(request, data, context)
    const features_s = secondsSince(reading)

    const fitting_ = performance.now()
    const { seed } = request
    const classifier = takingColour(buildNetwork(spec, { seed, scaling }))
    const network = withImitation(classifier, goal.imitated, seed)
    const groups = groupsOf(network, fitting.regularisation)
    const engine = await engineFor(request.engine)
    const learner = new GradientFit({
      ...{ engine, network, boundary: null, groups, fitting, augmentation, data },
      ...{ goal, seed },
    })
    try {
      context.progress('fitting', 0, fitting.epochs * train.length)
      const watched = {
        guessing: goal.guessing.training,
        majority: majorityOf(data, train),
        train: train.length,
        val: val.length,
      }
      const round = learner.run({
        train,
        val,
        shouldStop: () => context.stop.asked !== null,
        onEpoch: (metric) => context.metric(metric),
        onBatch: (done, total) => {
          const seconds = secondsSince(fitting_)
          context.progress('fitting', done, Math.max(total, done + 1), seconds > 0.5 ? done / seconds : null)
        },
        checkpoint: checkpointOf(request, data, 'scratch'),
      })
      const outcome = await round.catch((error: unknown) => {
        if (!(error instanceof TrainingBroke)) throw error
        const { how, curve, guessing } = error
        const checks = checkTraining({ ...watched, curve, broke: how, nothingKept: true })
        throw new TrainingBroke(how, curve, guessing, checks)
      })
      context.stop.throwIfDropped()
      const train_s = secondsSince(fitting_)

      const evaluating = performance.now()
      context.progress('evaluating', 0, 1)
      const valBlock = predictionsOf(data, val, await learner.predict(val, outcome.vectors))
      const testBlock = predictionsOf(data, test, await learner.predict(test, outcome.vectors))
      context.progress('evaluating', 1, 1)
      const evaluate_s = secondsSince(evaluating)

      context.progress('writing', 0, 1)
      const trained = withoutDropout(
        scatter(network.graph, layoutOf(network, groups), learner.answering(outcome.vectors)),
      )
      const model = composeBatchClassifier({
        trunk: withoutImitation(trained, goal.imitated),
        head: null,
        preprocessing,
        classes: request.classes,
      })
      await writeRunFolder(request, preprocessing, model, engine, {
        network: spec,
        fitting,
        augmentation,
        epochs: outcome.curve.length,
        keptEpoch: outcome.epoch,
        stopped: outcome.stopped,
        curve: outcome.curve,
      })
      context.progress('writing', 1, 1)
      return {
        kind: 'train',
        featureLength: 0,
        regularisation: { chosen: null, tried: [] },
        steps: outcome.curve.length,
        val: valBlock,
        test: testBlock,
        outOfFold: null,
        failed: [...data.failed],
        timings: { features_s, train_s, evaluate_s },
        stopped: stoppedInWords(outcome, fitting.epochs),
        features: { cached: data.counts.cached, computed: data.counts.decoded },
        checks: checkTraining({
          ...watched,
          curve: outcome.curve,
          broke: breakdownOf(outcome.stopped),
        }),
        kept: null,
      }
    } finally {
      await learner.dispose()
    }
  } finally {
    await data.close()
  }
}

/** What the network's preprocessing needs to know of the training pictures. */
async function measureScaling(
  data: TrainingData,
  train: readonly number[],
  kind: FittedScaling['kind'],
  shape: readonly [number, number, number],
): Promise<FittedScaling> {
  const measured = new ScalingFit(kind, shape)
  if (kind !== 'none')
    for await (const { x } of data.judging(train)) measured.add(shape[0] === 1 ? greyOf(x, shape) : x)
  return measured.result()
}

/** Brightness of colour pictures `[n, 3, height, width]`, as the network itself will see them. */
function greyOf(x: Float32Array, [, height, width]: readonly [number, number, number]): Float32Array {
  const plane = height * width
  const grey = new Float32Array(x.length / 3)
  for (let at = 0; at < grey.length; at++) {
    const from = Math.floor(at / plane) * 3 * plane + (at % plane)
    grey[at] = luma[0] * x[from]! + luma[1] * x[from + plane]! + luma[2] * x[from + 2 * plane]!
  }
  return grey
}
