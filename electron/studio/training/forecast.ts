import type { Forecast, TrainConfig } from '#shared/contract/training.ts'
import { forecastTraining } from '#shared/domain/forecast.ts'
import { planGradients, shownPictures } from '#shared/domain/training/presets.ts'
import type { GradientPlan } from '#shared/domain/training/presets.ts'
import { KestrelError } from '#shared/errors/index.ts'
import { cachedPictures } from '#shared/util/feature-cache-format.ts'
import { expectedRateOf } from '../backbones/known-architectures.ts'
import type { BackboneService, ReadyBackbone } from '../backbones/service.ts'
import type { OpenProject } from '../projects/open-project.ts'
import type { TrainingPlan } from './plan.ts'
import { rateName } from './run-training.ts'
import type { RunTrainingPorts } from './run-training.ts'
import { findWarmStart } from './warm-start.ts'

/** Pictures shown per second of a training by gradients, judging and a second round included, before anything was measured. */
const EXPECTED_RATE = { 'fine-tune': 25, scratch: 90 }

/**
 * How long a training would take: from what was measured on this machine, else from what is known of the network.
 * @throws KestrelError no-backbone; bad-request when a network or a setting does not fit
 */
export async function forecastOf(
  { backbones, rates }: { backbones: BackboneService; rates: RunTrainingPorts['rates'] },
  project: OpenProject,
  plan: TrainingPlan,
  config: TrainConfig,
): Promise<Forecast> {
  if (config.recipe !== 'head') {
    const rate = rates.features(rateName(config))
    const shown = shownPictures(gradientsOf(config, plan), plan.counts.train)
    const seconds = ((1 + config.folds) * shown) / (rate ?? EXPECTED_RATE[config.recipe])
    const basis = rate === null ? 'estimated' : 'measured'
    return { seconds, featuresSeconds: 0, fitSeconds: seconds, cachedPictures: 0, basis }
  }
  const id = config.backboneId ?? (await backbones.recommended())
  const backbone = (await backbones.list()).find((candidate) => candidate.id === id)
  if (!backbone) throw noBackbone()
  const prepared = await backbones.prepared(backbone.id)
  const warm =
    prepared !== null && findWarmStart(project, prepared.sha256, plan.classes, config.objective) !== undefined
  return forecastTraining({
    pictures: plan.pictures.length,
    cached: prepared ? await countCached(project, plan, prepared) : 0,
    featureLength: backbone.featureLength,
    classes: plan.classes.length,
    folds: config.folds,
    measured: { features: backbone.rate, fit: rates.fit(warm) },
    expectedFeatureRate: expectedRateOf(backbone.architecture, backbone.inputSize),
    preparing: prepared === null,
  })
}

async function countCached(
  project: OpenProject,
  plan: TrainingPlan,
  { sha256, preprocessing, featureLength }: ReadyBackbone,
): Promise<number> {
  const identity = { backboneSha256: sha256, preprocessing, featureLength }
  const cached = await cachedPictures(project.paths.features, identity)
  return plan.pictures.filter((picture) => cached.has(picture.sha256)).length
}

/** @throws KestrelError bad-request when a network or a setting does not fit */
export const gradientsOf = ({ recipe, changes }: TrainConfig, plan: TrainingPlan): GradientPlan =>
  planGradients(
    {
      recipe: recipe === 'scratch' ? 'scratch' : 'fine-tune',
      pictures: plan.counts.train,
      classes: plan.classes.length,
      labels: plan.classes.map(({ name }) => name),
    },
    changes,
  )

export const noBackbone = (): KestrelError =>
  new KestrelError('no-backbone', 'No backbone is on this computer yet.', {
    remedy: 'Download one in Settings, add a file of your own, or train a network from scratch.',
  })
