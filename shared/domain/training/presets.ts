import { z } from 'zod'
import { KestrelError } from '../../errors/index.ts'
import { augmentationSchema, presetAugmentation } from '../augmentation/index.ts'
import {
  networkSpecSchema,
  requireRoom,
  requireSound,
  scratchSize,
  templateNetwork,
  withClasses,
} from '../network/index.ts'
import type { NetworkSpec, TemplateId } from '../network/index.ts'
import { changedFitting } from './changes.ts'
import type { GradientChanges } from './changes.ts'
import { weightsByClass } from './class-weights.ts'
import { fittingConfigSchema, parseFittingConfig, usualLearningRate } from './config.ts'

export { gradientChangesSchema, type GradientChanges } from './changes.ts'

/** Everything that decides the course of a training by gradients: what a run keeps, and what makes it again. */
export const gradientPlanSchema = z.object({
  fitting: fittingConfigSchema,
  augmentation: augmentationSchema,
  /** The network that learns from the pixels alone; null where a backbone is adapted. */
  network: networkSpecSchema.nullable(),
  /** How many of the backbone's last blocks learn; null with a network of its own. */
  topBlocks: z.int().min(1).max(1000).nullable(),
  /** Only where it was asked for: the classifier on the blocks begins drawn, and not fitted. */
  unfreezeAtOnce: z.literal(true).optional(),
})
export type GradientPlan = z.infer<typeof gradientPlanSchema>

export interface PlanFor {
  recipe: 'fine-tune' | 'scratch'
  /** To learn from. */
  pictures: number
  classes: number
  /** Names of the classes in their order; needed for weights by label. */
  labels?: readonly string[] | undefined
}

/**
 * The preset of a recipe with what a person changed.
 * @throws KestrelError `bad-request` when a network does not fit, its batches are too large for memory, or a change means nothing to the recipe.
 */
export function planGradients(
  { recipe, pictures, classes, labels }: PlanFor,
  changes: GradientChanges,
): GradientPlan {
  const preset = recipe === 'scratch' ? scratchPlan(pictures, classes) : fineTunePlan(pictures)
  const { augmentation, network, topBlocks, classWeights, unfreezeAtOnce, ...fitting } = changes
  if (recipe === 'fine-tune' && network !== undefined)
    throw new KestrelError('bad-request', 'A network of its own belongs to training from scratch.', {
      remedy: 'Leave the network out, or train from scratch.',
    })
  if (recipe === 'scratch' && topBlocks !== undefined)
    throw new KestrelError('bad-request', 'From scratch the whole network learns: there are no top blocks.', {
      remedy: 'Leave the number of blocks out, or fine-tune a backbone.',
    })
  if (recipe === 'scratch' && unfreezeAtOnce)
    throw new KestrelError('bad-request', 'From scratch nothing is frozen that could be unfrozen at once.', {
      remedy: 'Leave unfreezeAtOnce out, or fine-tune a backbone.',
    })
  requireRates(recipe, fitting.groupRates)
  const { optimiser } = fitting
  // Another optimiser has another usual learning rate; the preset's belongs to its own.
  const rate =
    optimiser && optimiser.kind !== preset.fitting.optimiser.kind
      ? usualLearningRate[optimiser.kind]
      : preset.fitting.learningRate
  const whole = parseFittingConfig({
    ...changedFitting({ ...preset.fitting, learningRate: rate }, fitting),
    ...(classWeights !== undefined && {
      classWeights: weightsByClass(classWeights, classes, labels),
    }),
  })
  const own = network === undefined ? preset.network : networkFor(network, classes)
  if (own !== null) requireRoom(own, Math.min(whole.batchSize, Math.max(1, pictures)))
  return {
    fitting: whole,
    augmentation:
      augmentation === undefined
        ? preset.augmentation
        : typeof augmentation === 'string'
          ? presetAugmentation(augmentation)
          : augmentation,
    network: own,
    topBlocks: topBlocks ?? preset.topBlocks,
    ...(unfreezeAtOnce && { unfreezeAtOnce }),
  }
}

/** @throws KestrelError `bad-request` where rates of groups mean nothing, or nothing would learn. */
function requireRates(recipe: PlanFor['recipe'], rates: GradientChanges['groupRates']): void {
  if (rates === undefined) return
  if (recipe === 'scratch')
    throw new KestrelError(
      'bad-request',
      'From scratch the whole network learns at one rate: there are no blocks of a backbone against a head.',
      { remedy: 'Leave "groupRates" out, or fine-tune a backbone.' },
    )
  if (rates.base === 0 && rates.head === 0)
    throw new KestrelError('bad-request', 'With both group rates at 0 nothing would learn.', {
      remedy: 'Leave one of "base" and "head" above 0.',
    })
}

function networkFor(network: TemplateId | NetworkSpec, classes: number): NetworkSpec {
  if (typeof network === 'string') return templateNetwork(network, { size: scratchSize, classes })
  const fitted = withClasses(network, classes)
  requireSound(fitted, classes)
  return fitted
}

/** Pictures shown in a training from scratch, and the fewest and most epochs. */
const SCRATCH = { shown: 30_000, least: 12, most: 45 }
/** The same for adapting a backbone, whose steps cost a multiple. */
const FINE_TUNE = { shown: 8_000, least: 6, most: 16 }

const epochsFor = ({ shown, least, most }: typeof SCRATCH, pictures: number): number =>
  Math.min(most, Math.max(least, Math.round(shown / Math.max(1, pictures))))

/** Pictures shown in a training, each as often as there are epochs: what its time is made of. */
export const shownPictures = ({ fitting }: GradientPlan, pictures: number): number =>
  fitting.epochs * pictures

/**
 * "From scratch": about five minutes on two cores for a thousand pictures. The residual network and small batches are what
 * finds small defects on grey surfaces, which plain convolutions under a global pooling learn far more slowly.
 * @param pictures to learn from
 */
export function scratchPlan(pictures: number, classes: number): GradientPlan {
  return {
    fitting: parseFittingConfig({
      optimiser: { kind: 'adamw' },
      learningRate: 3e-3,
      regularisation: { weightDecay: 0.02, averageDecay: 0.99 },
      batchSize: 16,
      epochs: epochsFor(SCRATCH, pictures),
    }),
    augmentation: presetAugmentation('light'),
    network: templateNetwork('small-resnet', { size: scratchSize, classes }),
    topBlocks: null,
  }
}

/** "Careful": adapts the last blocks of a backbone, after the head has been trained. @param pictures to learn from */
export function fineTunePlan(pictures: number): GradientPlan {
  return {
    fitting: parseFittingConfig({
      optimiser: { kind: 'adamw' },
      learningRate: 2e-4,
      regularisation: { weightDecay: 0.01, clipNorm: 5, averageDecay: 0.98 },
      batchSize: 16,
      epochs: epochsFor(FINE_TUNE, pictures),
    }),
    augmentation: presetAugmentation('standard'),
    network: null,
    topBlocks: 5,
  }
}
