import { randomBytes } from 'node:crypto'
import type { TrainConfig } from '#shared/contract/training.ts'
import type { GradientPlan } from '#shared/domain/training/presets.ts'
import type { OpenProject } from '../projects/open-project.ts'
import { createPicturesRepository } from '../storage/pictures-repository.ts'
import { createRunsRepository } from '../storage/runs-repository.ts'
import type { RunRecord } from '../storage/runs-repository.ts'
import { createTestLooksRepository } from '../storage/test-looks-repository.ts'
import { createVersionsRepository } from '../storage/versions-repository.ts'
import { handCheckpointOver } from './checkpoints.ts'
import type { TrainingPlan } from './plan.ts'

/** Writes down what will be trained on, before anything is trained. @param from the run whose training it goes on with */
export function freezeRun(
  project: OpenProject,
  plan: TrainingPlan,
  config: TrainConfig,
  gradients: GradientPlan | null,
  version: string,
  from: RunRecord | null = null,
): RunRecord {
  const runs = project.use(createRunsRepository)
  const versions = project.use(createVersionsRepository)
  return project.db.transaction(() => {
    const before = versions.newestOptions()
    // Another cut: who has seen which test picture counts from zero.
    if (before !== undefined && before !== plan.options) project.use(createTestLooksRepository).clear()
    const versionId = versions.freeze({
      createdAt: Date.now(),
      options: plan.options,
      digest: plan.digest,
      items: plan.pictures,
    })
    if (plan.splitChanged || before !== plan.options)
      project
        .use(createPicturesRepository)
        .setSplits(plan.pictures.map(({ pictureId, split }) => ({ id: pictureId, split })))
    const number = runs.nextNumber()
    const id = `${String(number).padStart(4, '0')}-${randomBytes(4).toString('hex')}`
    runs.insert({
      id,
      number,
      name: `Training ${number}`,
      versionId,
      config,
      classes: plan.classes,
      facts: {
        counts: plan.counts,
        sharedShots: plan.sharedShots,
        backbone: null,
        warmStartFrom: from?.facts.warmStartFrom ?? null,
        continues: from?.id ?? null,
        featureLength: null,
        testAccuracy: null,
        testAccuracyCi95: null,
        testMacroF1: null,
        valAccuracy: null,
        outOfFoldAccuracy: null,
        regularisation: null,
        stopped: null,
        timings: null,
        features: null,
        foldsLeftOut: null,
        failed: 0,
        steps: 0,
        gradients,
        checks: [],
        kept: null,
        weighed: null,
        madeSmall: null,
        kestrel: version,
      },
      createdAt: Date.now(),
      // Its pictures and labels are those of then.
      revision: from?.revision ?? project.revision(),
    })
    return runs.find(id)!
  })
}

/**
 * A stopped training goes on as a run of its own, with the state of the one that was stopped. That one keeps its model,
 * figures and exports: what is there stays usable, whatever becomes of the rest.
 * @param plan what the stopped run was begun with
 */
export function freezeContinuation(
  project: OpenProject,
  stopped: RunRecord,
  plan: TrainingPlan,
  version: string,
): RunRecord {
  const next = freezeRun(project, plan, stopped.config, stopped.facts.gradients, version, stopped)
  try {
    handCheckpointOver(project, stopped.id, next.id)
  } catch (error) {
    project.use(createRunsRepository).markRemoved(next.id)
    throw error
  }
  return next
}
