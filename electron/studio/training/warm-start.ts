import type { TrainConfig } from '#shared/contract/training.ts'
import type { OpenProject } from '../projects/open-project.ts'
import { createRunsRepository } from '../storage/runs-repository.ts'
import type { RunRecord } from '../storage/runs-repository.ts'

/** The newest model with the same classes, in the same order, backbone and objective: a fit begins where it ended. */
export function findWarmStart(
  project: OpenProject,
  backboneSha256: string,
  classes: readonly { name: string }[],
  objective: TrainConfig['objective'],
): RunRecord | undefined {
  const names = classes.map(({ name }) => name)
  return project
    .use(createRunsRepository)
    .newestWithModel(
      (other) =>
        other.facts.backbone?.sha256 === backboneSha256 &&
        other.config.objective === objective &&
        other.classes.length === names.length &&
        other.classes.every(({ name }, index) => name === names[index]),
    )
}
