import type { TrainConfig } from '#shared/contract/training.ts'
import { KestrelError } from '#shared/errors/index.ts'
import type { OpenProject } from '../projects/open-project.ts'
import { findModel, findRun, hasModel } from '../runs/service.ts'
import { createRunsRepository } from '../storage/runs-repository.ts'
import type { RunRecord } from '../storage/runs-repository.ts'
import { createVersionsRepository } from '../storage/versions-repository.ts'
import type { TrainingPlan } from './plan.ts'

/**
 * Makes sure that a model can teach this training: there, or before it in the queue; of the same labels; and innocent of the
 * test pictures, which it would otherwise hand on.
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
  const found = findRun(project, teacherRunId)
  const run = found.state === 'running' ? found : findModel(project, teacherRunId).run
  const columns = teacherColumns(run.classes, plan.classes)
  const unknown = plan.classes.find((_, index) => columns[index] === null)
  if (unknown)
    throw new KestrelError(
      'bad-request',
      `${run.name} does not know the label “${unknown.name}”: it was trained before there was one.`,
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

/**
 * The training whose model this one learns from, now that its turn has come.
 * @returns null when none teaches it
 * @throws KestrelError not-found when the teacher came to nothing, or is gone
 */
export function teacherOf(
  project: OpenProject,
  { teacherRunId }: Pick<TrainConfig, 'teacherRunId'>,
): RunRecord | null {
  if (teacherRunId === null) return null
  const teacher = project.use(createRunsRepository).find(teacherRunId)
  if (teacher && hasModel(teacher)) return teacher
  throw new KestrelError(
    'not-found',
    teacher
      ? `${teacher.name}, which was to teach this one, ended before there was a model.`
      : 'The training that was to teach this one is not there any more.',
    { kept: 'What was computed so far is kept.', remedy: 'Train the teacher again, then make it small.' },
  )
}

interface Class {
  labelId: number
  name: string
}

/**
 * Which of a teacher's answers each label means: that of the same label, however it is called by now. A label that was deleted
 * and made again is known by its name.
 * @returns index into `taught` for each of `classes`; null where the teacher does not know the label
 */
export function teacherColumns(taught: readonly Class[], classes: readonly Class[]): (number | null)[] {
  const here = new Set(classes.map(({ labelId }) => labelId))
  return classes.map(({ labelId, name }) => {
    const same = taught.findIndex((each) => each.labelId === labelId)
    const named = taught.findIndex((each) => each.name === name && !here.has(each.labelId))
    return same >= 0 ? same : named >= 0 ? named : null
  })
}
