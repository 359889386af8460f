import type { TrainConfig } from '#shared/contract/training.ts'
import { KestrelError } from '#shared/errors/index.ts'
import type { OpenProject } from '../projects/open-project.ts'
import { findModel } from '../runs/service.ts'
import { createVersionsRepository } from '../storage/versions-repository.ts'
import type { TrainingPlan } from './plan.ts'

/**
 * Makes sure that a model can teach this training: there, of the same labels, and innocent of the test pictures, which it
 * would otherwise hand on.
 * @throws KestrelError not-found, model-unreadable, bad-request with what does not fit
 */
export function requireTeacher(
  project: OpenProject,
  { teacherRunId, recipe }: Pick<TrainConfig, 'teacherRunId' | 'recipe'>,
  plan: TrainingPlan,
): void {
  if (teacherRunId === null) return
  if (recipe === 'head')
    throw new KestrelError(
      'bad-request',
      'A head on a frozen network does not become smaller by a teacher.',
      {
        remedy: 'Make a model small with Careful or From scratch.',
      },
    )
  const { run } = findModel(project, teacherRunId)
  const known = new Set(run.classes.map(({ name }) => name))
  const unknown = plan.classes.filter(({ name }) => !known.has(name))
  if (unknown.length > 0)
    throw new KestrelError(
      'bad-request',
      `${run.name} does not know the label “${unknown[0]!.name}”: it was trained before there was one.`,
      {
        kept: 'Nothing was changed.',
        remedy: 'Train it again with the labels of today, then make it small.',
      },
    )
  const tested = new Set(plan.pictures.filter(({ split }) => split === 'test').map((each) => each.pictureId))
  const learned = project
    .use(createVersionsRepository)
    .items(run.versionId)
    .filter(({ pictureId, split }) => split !== 'test' && tested.has(pictureId)).length
  if (learned > 0)
    throw new KestrelError(
      'bad-request',
      `${run.name} has learned from ${learned} of the pictures that would be the test: the small model would know them through it.`,
      {
        kept: 'Nothing was changed.',
        remedy: 'Divide the pictures as that training did, or train it again.',
      },
    )
}
