import type { TrainRequest } from '#shared/contract/trainer.ts'
import type { RequestContext } from '../host/context.ts'
import { ClassificationGoal } from '../loop/goal.ts'
import type { Goal } from '../loop/goal.ts'
import type { TrainingData } from '../loop/training-data.ts'
import { DistillationGoal } from './distillation-goal.ts'
import { soften, standardise, teacherAnswers, teacherEmbedding } from './teacher.ts'

/**
 * What a training by gradients learns: the labels, or, with a teacher, what that sees and answers as well.
 * @throws KestrelError as `teacherAnswers`
 */
export async function goalFor(
  request: TrainRequest,
  data: TrainingData,
  context: RequestContext,
): Promise<Goal> {
  const { teacher, cacheDir, gradients, runDir } = request
  const classes = request.classes.length
  if (!teacher) return new ClassificationGoal(data.labels, classes, gradients!.fitting)
  const { modelDir, columns, objective } = teacher
  const { images } = data
  const answers = await teacherAnswers(
    { modelDir, columns, classes: request.classes, images, cacheDir },
    context,
  )
  const seen =
    objective.weights.features > 0
      ? await teacherEmbedding({ modelDir, images, cacheDir, runDir }, context)
      : null
  if (seen) standardise(seen.features, seen.featureLength, data.rows('train'))
  return new DistillationGoal(
    { ...objective, kind: 'distillation', featureLength: seen?.featureLength ?? 0, classes },
    { features: seen?.features ?? null, soft: soften(answers, classes, objective.temperature) },
    data.labels,
  )
}
