import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import type { TrainRequest, TrainResult } from '#shared/contract/trainer.ts'
import { assignFolds } from '#shared/domain/splits.ts'
import type { RequestContext } from '../host/context.ts'

export type Train = (request: TrainRequest, context: RequestContext) => Promise<TrainResult>

const foldSchema = z.object({
  ids: z.array(z.int()),
  probabilities: z.array(z.number()),
})

/**
 * k-fold cross-validation of any recipe: the test pictures stay aside, the rest is cut into k folds (by label, copies of a
 * picture together), and each fold is answered by a training that has not seen it. Every probability is kept.
 *
 * A finished fold is written down beside the checkpoints: after a kill only the rest is trained.
 * @returns null when it was stopped.
 */
export async function crossValidate(
  request: TrainRequest,
  context: RequestContext,
  train: Train,
): Promise<TrainResult['outOfFold']> {
  const rest = request.images.filter(({ split }) => split !== 'test')
  const keys = rest.map(({ sha256 }) => sha256)
  const k = Math.min(request.folds, new Set(keys).size)
  if (k < 2) return null
  const folds = assignFolds({ labels: rest.map(({ label }) => label), keys, seed: request.seed, k })
  const ids: number[] = []
  const probabilities: number[] = []
  const fold: number[] = []
  for (let held = 0; held < k; held++) {
    context.progress('evaluating', held, k)
    const answers = await oneFold(held)
    if (answers === null) return null
    ids.push(...answers.ids)
    for (const probability of answers.probabilities) probabilities.push(probability)
    for (const _ of answers.ids) fold.push(held)
  }
  context.progress('evaluating', k, k)
  return {
    ids: Int32Array.from(ids),
    probabilities: Float32Array.from(probabilities),
    fold: Int32Array.from(fold),
  }

  async function oneFold(held: number): Promise<z.infer<typeof foldSchema> | null> {
    const place = request.checkpointDir === null ? null : join(request.checkpointDir, `fold-${held}`)
    const known = place && (await readFold(`${place}.json`))
    if (known) return known
    if (context.stop.asked !== null) return null
    const runDir = join(request.runDir, `fold-${held}`)
    await mkdir(runDir, { recursive: true })
    if (place) await mkdir(place, { recursive: true })
    try {
      const images = rest.map((image, row) => ({
        ...image,
        split: folds[row] === held ? ('test' as const) : image.split,
      }))
      const result = await train(
        { ...request, images, folds: 0, warmStartFrom: null, runDir, checkpointDir: place },
        // Its curve is not that of the model.
        { ...context, metric: () => undefined },
      )
      if (result.stopped?.reason === 'asked') return null
      const answers = { ids: [...result.test.ids], probabilities: [...result.test.probabilities] }
      if (place) {
        await writeFile(`${place}.json.new`, JSON.stringify(answers))
        await rename(`${place}.json.new`, `${place}.json`)
      }
      return answers
    } finally {
      await rm(runDir, { recursive: true, force: true })
    }
  }
}

async function readFold(file: string): Promise<z.infer<typeof foldSchema> | null> {
  try {
    return foldSchema.parse(JSON.parse(await readFile(file, 'utf8')))
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null
    throw error
  }
}
