import { createHash } from 'node:crypto'
import { basename, join } from 'node:path'
import type { TrainRequest } from '#shared/contract/trainer.ts'
import type { TrainingData } from './training-data.ts'

/**
 * Where a part of a training keeps its state, and the hash over all that decides its course: pictures, labels and sides,
 * network, settings, seed, engine.
 */
export function checkpointOf(
  request: TrainRequest,
  data: TrainingData,
  part: string,
): { file: string; fingerprint: string } | null {
  return checkpointFor(request.checkpointDir, part, data, {
    ...{ part, recipe: request.recipe, gradients: request.gradients, seed: request.seed },
    ...{
      engine: request.engine,
      classes: request.classes.length,
      backbone: request.backbone?.sha256 ?? null,
    },
    preprocessing: data.preprocessing,
    // A softmax head is not named: states written before there was a choice still fit.
    ...(request.objective === 'svm' && { objective: request.objective }),
    // Named as in its project: that may be moved, and its name changed.
    ...(request.teacher && { teacher: { ...request.teacher, modelDir: basename(request.teacher.modelDir) } }),
  })
}

/** The same for any training. @param decides what decides its course besides the pictures; JSON. */
export function checkpointFor(
  folder: string | null,
  part: string,
  data: Pick<TrainingData, 'images'>,
  decides: object,
): { file: string; fingerprint: string } | null {
  if (folder === null) return null
  const hash = createHash('sha256').update(JSON.stringify(decides))
  for (const { sha256, label, split } of data.images) hash.update(`\n${sha256} ${label} ${split}`)
  return { file: join(folder, `${part}.checkpoint`), fingerprint: hash.digest('hex') }
}
