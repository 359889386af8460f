import type { TrainRequest } from '#shared/contract/trainer.ts'
import type { RequestContext } from '../host/context.ts'
import { ClassificationGoal } from '../loop/goal.ts'
import type { Goal } from '../loop/goal.ts'
import type { TrainingData } from '../loop/training-data.ts'
import { DistillationGoal } from './distillation-goal.ts'
import { soften, teacherAnswers } from './teacher.ts'

/**
 * What a training by gradients learns: the labels, or, with a teacher, what that answers as well.
 * @throws KestrelError as `teacherAnswers`
 */
export async function goalFor(
  request: TrainRequest,
  data: TrainingData,
  context: RequestContext,
): Promise<Goal> {
  const { teacher, cacheDir, gradients } = request
  const classes = request.classes.length
  if (!teacher) return new ClassificationGoal(data.labels, classes, gradients!.fitting)
  const answers = await teacherAnswers(
    { modelDir: teacher.modelDir, classes: request.classes, images: data.images, cacheDir },
    context,
  )
  const { objective } = teacher
  return new DistillationGoal(
    { ...objective, kind: 'distillation', featureLength: 0, classes },
    { features: null, soft: soften(answers, classes, objective.temperature) },
    data.labels,
  )
}
