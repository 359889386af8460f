import type { TrainResult } from '#shared/contract/trainer.ts'
import type { ReadyBackbone } from '../backbones/service.ts'
import type { OpenProject } from '../projects/open-project.ts'
import type { RunRecord } from '../storage/runs-repository.ts'
import type { TrainingPlan } from './plan.ts'

/** Everything needed to know how a model came to be, and to make it again. Names of classes, never of files. */
export function passportOf(
  project: OpenProject,
  run: RunRecord,
  plan: TrainingPlan,
  backbone: ReadyBackbone | null,
  result: TrainResult,
): Record<string, unknown> {
  return {
    version: 1,
    kestrel: run.facts.kestrel,
    project: { id: project.projectId, revision: run.revision },
    run: { id: run.id, number: run.number, name: run.name, createdAt: new Date(run.createdAt).toISOString() },
    config: run.config,
    gradients: run.facts.gradients,
    dataset: {
      digest: plan.digest,
      classes: run.classes.map(({ name }) => name),
      counts: plan.counts,
      perClass: plan.perClass,
      splitGivenByFolders: plan.splitFixed,
      sharedShots: plan.sharedShots,
      unreadable: run.facts.failed,
    },
    backbone: backbone && {
      id: backbone.id,
      sha256: backbone.sha256,
      licence: backbone.licence,
      featureLength: backbone.featureLength,
      preprocessing: backbone.preprocessing,
    },
    warmStartFrom: run.facts.warmStartFrom,
    continues: run.facts.continues,
    regularisation: result.regularisation,
    steps: result.steps,
    stopped: result.stopped,
    foldsLeftOut: result.foldsLeftOut ?? null,
    checks: run.facts.checks,
    kept: result.kept,
    madeSmall: result.madeSmall ?? null,
    timings: result.timings,
    features: result.features,
    figures: {
      testAccuracy: run.facts.testAccuracy,
      testAccuracyCi95: run.facts.testAccuracyCi95,
      testMacroF1: run.facts.testMacroF1,
      valAccuracy: run.facts.valAccuracy,
      outOfFoldAccuracy: run.facts.outOfFoldAccuracy,
    },
  }
}
