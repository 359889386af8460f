import type { MadeSmall, TrainRequest, TrainResult } from '#shared/contract/trainer.ts'
import type { RequestContext } from '../host/context.ts'
import { readRunFolder } from '../host/run-folder.ts'
import { teacherAnswers } from './teacher.ts'
import { weighFile } from './weigh.ts'

/**
 * Holds a finished small model against its teacher: right on the same test pictures, size, time.
 * @throws KestrelError `model-unreadable`
 */
export async function compareWithTeacher(
  request: TrainRequest,
  { test }: Pick<TrainResult, 'test'>,
  context: RequestContext,
): Promise<MadeSmall> {
  const { modelDir, columns } = request.teacher!
  const byId = new Map(request.images.map((image) => [image.id, image]))
  const images = Array.from(test.ids, (id) => byId.get(id)!)
  const labels = images.map(({ label }) => label)
  const answers = await teacherAnswers(
    { modelDir, columns, classes: request.classes, images, cacheDir: request.cacheDir },
    context,
  )
  const [teacher, student] = [await readRunFolder(modelDir), await readRunFolder(request.runDir)]
  return {
    teacher: { testAccuracy: shareRight(answers, labels), ...(await weighFile(teacher.modelPath)) },
    student: {
      testAccuracy: shareRight(test.probabilities, labels),
      ...(await weighFile(student.modelPath)),
    },
  }
}

/** @param probabilities [rows, classes]; of equal ones the first is the answer. */
function shareRight(probabilities: Float32Array, labels: readonly number[]): number | null {
  if (labels.length === 0) return null
  const classes = probabilities.length / labels.length
  const right = labels.filter((label, row) => {
    const of = probabilities.subarray(row * classes, (row + 1) * classes)
    return of.indexOf(Math.max(...of)) === label
  })
  return right.length / labels.length
}
