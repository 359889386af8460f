import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import type { TrainRequest, TrainResult } from '#shared/contract/trainer.ts'
import { assignFolds } from '#shared/domain/splits.ts'
import { KestrelError } from '#shared/errors/index.ts'
import { groupOf } from '../head/rows.ts'
import type { RequestContext } from '../host/context.ts'

export type Train = (request: TrainRequest, context: RequestContext) => Promise<TrainResult>

const foldSchema = z.object({
  ids: z.array(z.int()),
  probabilities: z.array(z.number()),
})

type Answers = z.infer<typeof foldSchema>

/** Why a fold was left out; the model itself is none the worse for it. */
type Reason = 'few' | 'diverged'

export type CrossValidation = Pick<TrainResult, 'outOfFold' | 'foldsLeftOut'>

/**
 * k-fold cross-validation of any recipe: the test pictures stay aside, the rest is cut into k folds (by label, pictures
 * of one shot together), and each fold is answered by a training that has not seen it. Every probability is kept.
 *
 * A fold that cannot be trained is left out and told: there is a finished model already, and its other folds still say
 * something. A finished fold is written down beside the checkpoints: after a kill only the rest is trained.
 * @returns null when it was stopped.
 */
export async function crossValidate(
  request: TrainRequest,
  context: RequestContext,
  train: Train,
): Promise<CrossValidation | null> {
  const rest = request.images.filter(({ split }) => split !== 'test')
  const keys = rest.map(groupOf)
  const k = Math.min(request.folds, new Set(keys).size)
  if (k < 2) return { outOfFold: null }
  const folds = assignFolds({ labels: rest.map(({ label }) => label), keys, seed: request.seed, k })
  // With few pictures of a label some folds get none.
  const used = [...new Set(folds)].sort((a, b) => a - b)
  const found: { held: number; answers: Answers }[] = []
  const reasons: Reason[] = []
  for (const [done, held] of used.entries()) {
    context.progress('evaluating', done, used.length)
    const answers = await oneFold(held)
    if (answers === null) return null
    if (typeof answers === 'string') reasons.push(answers)
    else found.push({ held, answers })
  }
  context.progress('evaluating', used.length, used.length)
  return {
    outOfFold: joined(found),
    ...(reasons.length > 0 && { foldsLeftOut: leftOut(reasons, used.length) }),
  }

  async function oneFold(held: number): Promise<Answers | Reason | null> {
    const place = request.checkpointDir === null ? null : join(request.checkpointDir, `fold-${held}`)
    const known = place && (await readFold(`${place}.json`))
    if (known) return known
    if (context.stop.asked !== null) return null
    const images = rest.map((image, row) => ({
      ...image,
      split: folds[row] === held ? ('test' as const) : image.split,
    }))
    let result: TrainResult
    try {
      result = await trained(held, images, place)
    } catch (error) {
      const code = error instanceof KestrelError ? error.code : null
      if (code === 'stopped' && context.stop.asked === 'keep') return null
      if (code === 'too-few-pictures' || code === 'too-few-classes') return 'few'
      if (code === 'training-diverged') return 'diverged'
      throw error
    }
    if (result.stopped?.reason === 'asked') return null
    // Its last good numbers are those of a training that went wrong: they would speak against the model.
    if (result.stopped?.reason === 'diverged') return 'diverged'
    const answers = { ids: [...result.test.ids], probabilities: [...result.test.probabilities] }
    if (place) {
      await writeFile(`${place}.json.new`, JSON.stringify(answers))
      await rename(`${place}.json.new`, `${place}.json`)
    }
    return answers
  }

  async function trained(
    held: number,
    images: TrainRequest['images'],
    checkpointDir: string | null,
  ): Promise<TrainResult> {
    const runDir = join(request.runDir, `fold-${held}`)
    await mkdir(runDir, { recursive: true })
    if (checkpointDir) await mkdir(checkpointDir, { recursive: true })
    try {
      return await train(
        { ...request, images, folds: 0, warmStartFrom: null, runDir, checkpointDir },
        // Its curve is not that of the model.
        { ...context, metric: () => undefined },
      )
    } finally {
      await rm(runDir, { recursive: true, force: true })
    }
  }
}

/** @returns null when there is no fold. */
function joined(found: readonly { held: number; answers: Answers }[]): TrainResult['outOfFold'] {
  if (found.length === 0) return null
  return {
    ids: Int32Array.from(found.flatMap(({ answers }) => answers.ids)),
    probabilities: Float32Array.from(found.flatMap(({ answers }) => answers.probabilities)),
    fold: Int32Array.from(found.flatMap(({ held, answers }) => answers.ids.map(() => held))),
  }
}

const reasonWords: Record<Reason, string> = {
  few: 'too few pictures were left to learn from',
  diverged: 'the training got numbers that are not finite',
}

function leftOut(reasons: readonly Reason[], of: number): NonNullable<TrainResult['foldsLeftOut']> {
  const count = reasons.length
  const why = [...new Set(reasons)].map((reason) => reasonWords[reason]).join(', or ')
  return {
    ...{ count, of },
    message: `${count} of ${of} folds could not be trained and ${count === 1 ? 'was' : 'were'} left out: ${why}. The model itself is finished.`,
  }
}

async function readFold(file: string): Promise<Answers | null> {
  try {
    return foldSchema.parse(JSON.parse(await readFile(file, 'utf8')))
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null
    throw error
  }
}
