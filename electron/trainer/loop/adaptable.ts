import { readFile } from 'node:fs/promises'
import type { TrainRequest } from '#shared/contract/trainer.ts'
import { KestrelError, toKestrelError } from '#shared/errors/index.ts'
import { createOptimiser } from '../autodiff/optimisers/index.ts'
import { trainingStep } from '../autodiff/step.ts'
import { readOnnx } from '../graph/onnx/index.ts'
import { openBatch, requireOpenBatch } from '../graph/open-batch.ts'
import { upgradeOpset } from '../graph/upgrade.ts'
import { findBlocks } from '../models/blocks.ts'
import { attachHead, splitAt } from '../models/fine-tune.ts'
import type { Split } from '../models/fine-tune.ts'
import { groupsOf } from './groups.ts'

/** A backbone cut into what stays and what learns, and how many blocks learn. */
export interface Adaptable {
  parts: Split
  learned: number
}

/**
 * Cuts the backbone of a fine-tuning, and makes sure that its top blocks can learn: a step is written down for them. Costs
 * a fraction of a second, and is done before minutes go into pictures and features.
 * @throws KestrelError `no-backbone`; `operator-unsupported`, `backbone-unsupported` with what stands in the way.
 */
export async function openAdaptable({
  backbone,
  gradients,
  classes,
  seed,
}: Pick<TrainRequest, 'backbone' | 'gradients' | 'classes' | 'seed'>): Promise<Adaptable> {
  if (!backbone || !gradients?.topBlocks)
    throw new KestrelError('no-backbone', 'This way of training needs a backbone.')
  const bytes = await readFile(backbone.onnxPath)
  const { fitting } = gradients
  try {
    // Backbones that were taken in by an earlier Kestrel may still have them closed.
    const whole = openBatch(upgradeOpset(readOnnx(bytes)), 1)
    requireOpenBatch(whole)
    // A small backbone may have fewer blocks than the preset wants: then all of them learn.
    const learned = Math.min(gradients.topBlocks, findBlocks(whole).length)
    const parts = splitAt(whole, learned)
    if (parts.tail.parameters.length === 0)
      throw new KestrelError('backbone-unsupported', 'No layer was found in this network that could learn.')
    const network = attachHead(parts, { classes: classes.length, seed })
    trainingStep(network, {
      batch: 1,
      groups: groupsOf(network, fitting.regularisation),
      loss: fitting.loss,
      optimiser: createOptimiser(fitting.optimiser),
      clipNorm: fitting.regularisation.clipNorm,
      average: fitting.regularisation.averageDecay !== null,
    })
    return { parts, learned }
  } catch (error) {
    throw refusal(error)
  }
}

const worded: readonly KestrelError['code'][] = [
  'operator-unsupported',
  'backbone-unsupported',
  'backbone-damaged',
]

/** Says of any reason what stands in the way and what to do: the network can still be used as it is. */
function refusal(error: unknown): KestrelError {
  const { code, message, remedy } = toKestrelError(error)
  const isWorded = worded.includes(code)
  const why = error instanceof KestrelError ? ` ${message}` : ''
  return new KestrelError(
    isWorded ? code : 'backbone-unsupported',
    isWorded ? message : `The last blocks of this network cannot learn.${why}`,
    {
      kept: 'Pictures, labels and earlier models are unchanged.',
      remedy: remedy?.includes('Quick')
        ? remedy
        : 'Train with Quick, which uses the network as it is, or choose another network.',
      cause: error,
    },
  )
}
