import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import type { DistillRequest, DistillResult } from '#shared/contract/trainer.ts'
import type { DistillationLoss } from '#shared/domain/distillation/objective.ts'
import type { NetworkSpec } from '#shared/domain/network/index.ts'
import { pixelPreprocessing } from '#shared/domain/preprocessing/pixels.ts'
import { KestrelError } from '#shared/errors/index.ts'
import { writeFileWhole } from '#shared/util/write-file-whole.ts'
import { layoutOf, scatter } from '../autodiff/layout.ts'
import { withoutDropout } from '../autodiff/training-form.ts'
import { engineFor } from '../engines/choose.ts'
import { halveWeights } from '../graph/half.ts'
import { readOnnx, writeOnnx } from '../graph/onnx/index.ts'
import type { Graph } from '../graph/types.ts'
import type { RequestContext } from '../host/context.ts'
import { checkpointFor } from '../loop/checkpoint-place.ts'
import { GradientFit } from '../loop/gradient-fit.ts'
import { groupsOf } from '../loop/groups.ts'
import { secondsSince, stoppedInWords } from '../loop/outcome.ts'
import { TrainingData } from '../loop/training-data.ts'
import { backboneOf } from '../models/backbone.ts'
import { metadataKeys } from '../models/classifier-metadata.ts'
import { takingColour } from '../models/colour-input.ts'
import { buildNetwork } from '../models/layers/build.ts'
import { beginAs } from './begin.ts'
import { DistillationGoal } from './distillation-goal.ts'
import { agreementBySize, bestSize } from './input-size.ts'
import { withEarlierLevels } from './levels.ts'
import { standardise, teacherFeatures } from './teacher.ts'

/**
 * The `distill` request: a student network learns to give, through one dense layer, the features of the teacher. What
 * stands before that layer becomes the backbone.
 * @throws KestrelError `too-few-pictures`, `stopped`, as `fit`
 */
export async function distillBackbone(
  request: DistillRequest,
  context: RequestContext,
): Promise<DistillResult> {
  const { network: spec, fitting, augmentation, seed, teacher } = request
  const preprocessing = pixelPreprocessing(spec.input)
  // Before anything is computed: a student of another form is refused at once.
  const random = takingColour(buildNetwork(spec, { seed }))
  const earlier = request.begin === null ? null : await readFile(request.begin)
  const network = earlier ? beginAs(random, readOnnx(earlier)) : random
  const reading = performance.now()
  const data = await TrainingData.open(
    { images: request.images.map((image) => ({ ...image, label: 0 })), cacheDir: request.cacheDir },
    preprocessing,
    context,
    requirePictures,
  )
  try {
    context.stop.throwIfAsked('Pictures read so far are kept.')
    const [train, val] = [data.rows('train'), data.rows('val')]
    const { features } = await teacherFeatures(
      { backbone: teacher, images: data.images, cacheDir: request.cacheDir },
      context,
    )
    standardise(features, teacher.featureLength, train)
    const features_s = secondsSince(reading)

    const began = performance.now()
    const groups = groupsOf(network, fitting.regularisation)
    const loss: DistillationLoss = {
      ...request.objective,
      ...{ kind: 'distillation', featureLength: teacher.featureLength, classes: 0 },
    }
    const goal = new DistillationGoal(loss, { features, soft: null }, null)
    const engine = await engineFor(request.engine)
    const learner = new GradientFit({
      ...{ engine, network, boundary: null, groups, fitting, augmentation, data, seed },
      goal,
    })
    try {
      const outcome = await learner.run({
        ...{ train, val },
        shouldStop: () => context.stop.asked !== null,
        onEpoch: (metric) => context.metric(metric),
        onBatch: (done, total) => {
          const seconds = secondsSince(began)
          context.progress('fitting', done, Math.max(total, done + 1), seconds > 0.5 ? done / seconds : null)
        },
        checkpoint: checkpointFor(request.checkpointDir, 'distill', data, {
          ...{ spec, fitting, augmentation, seed, objective: request.objective, engine: request.engine },
          teacher: teacher.sha256,
          ...(earlier && { begin: createHash('sha256').update(earlier).digest('hex') }),
        }),
      })
      context.stop.throwIfDropped()
      const learned = learner.answering(outcome.vectors)
      const specAt = (size: number): NetworkSpec => ({
        ...spec,
        input: { ...spec.input, width: size, height: size },
      })
      // The same numbers fit every size, since all maps are pooled.
      const studentAt = (size: number): Graph => {
        const sized = takingColour(buildNetwork(specAt(size), { seed }))
        return withoutDropout(scatter(sized.graph, layoutOf(sized, groups), learned))
      }
      const whole = val.filter((row) => data.images[row]!.region === undefined)
      const sizes = await agreementBySize(
        {
          ...{ sizes: request.sizes, studentAt, images: whole.map((row) => data.images[row]!) },
          judge: (outputs) => goal.judge(outputs, whole),
        },
        context,
      )
      const best = bestSize(sizes) ?? spec.input.width
      context.progress('writing', 0, 1)
      await writeFileWhole(request.studentTarget, writeOnnx(studentAt(spec.input.width)))
      const written = await writeBackbone(studentAt(best), specAt(best), request.target)
      context.progress('writing', 1, 1)
      return {
        kind: 'distill',
        ...written,
        preprocessing: pixelPreprocessing(specAt(best).input),
        sizes,
        agreement: outcome.curve.find(({ step }) => step === outcome.epoch)?.valAccuracy ?? null,
        epochs: outcome.curve.length,
        failed: [...data.failed],
        timings: { features_s, train_s: secondsSince(began) },
        stopped: stoppedInWords(outcome, fitting.epochs),
      }
    } finally {
      await learner.dispose()
    }
  } finally {
    await data.close()
  }
}

/** @param network trained, the imitating layer still on top. */
async function writeBackbone(
  network: Graph,
  spec: NetworkSpec,
  target: string,
): Promise<Pick<DistillResult, 'featureLength' | 'parameters' | 'bytes' | 'sha256'>> {
  const { graph: last, parameters } = backboneOf({ format: 'onnx', graph: network })
  const { graph, featureLength } = withEarlierLevels(last, spec)
  // Without it, whoever adds the file as a backbone would have to be believed about how its pictures are scaled.
  const metadata = new Map([[metadataKeys.preprocessing, JSON.stringify(pixelPreprocessing(spec.input))]])
  const bytes = writeOnnx(halveWeights({ ...graph, metadata }))
  await writeFileWhole(target, bytes)
  return {
    featureLength,
    parameters,
    bytes: bytes.length,
    sha256: createHash('sha256').update(bytes).digest('hex'),
  }
}

function requirePictures(images: readonly { split: string }[]): void {
  if (images.filter(({ split }) => split === 'train').length >= 2) return
  throw new KestrelError('too-few-pictures', 'There are too few pictures that can be read to learn from.', {
    kept: 'Nothing was changed.',
    remedy: 'Add pictures.',
  })
}
