import { access } from 'node:fs/promises'
import { createRandom, shuffle } from '#shared/domain/random.ts'
import type { OpenProject } from '../projects/open-project.ts'
import { createPicturesRepository, originalPath } from '../storage/pictures-repository.ts'
import { createPredictionsRepository } from '../storage/predictions-repository.ts'
import type { RunRecord } from '../storage/runs-repository.ts'
import { createVersionsRepository } from '../storage/versions-repository.ts'
import type { TrainerPool } from '../trainer-client/pool.ts'

export interface ProofPicture {
  path: string
  name: string
  /** True class. */
  label: string
  /** What the app answers, one per class. */
  probabilities: Float32Array
}

/** Enough to notice one other answer in two hundred. */
const MOST = 400
/** A smaller test set is topped up with pictures of training and validation: the proof is about files, not about skill. */
const LEAST = 100
const MOST_SAMPLES = 10

/** Pictures with the app's own answers: stored test predictions, and fresh ones where the test set is small. */
export async function proofSet(
  pool: TrainerPool,
  project: OpenProject,
  run: RunRecord,
  modelDir: string,
  signal: AbortSignal,
): Promise<ProofPicture[]> {
  const classes = run.classes.length
  const stored = project.use(createPredictionsRepository).table(run.id, 'test', classes)
  const random = createRandom(run.config.seed, 'proof')
  const rows = shuffle(random, [...stored.ids.keys()]).slice(0, MOST)
  const found: ProofPicture[] = []
  for (const row of rows) {
    const picture = await lookUp(project, stored.ids[row]!)
    if (picture)
      found.push({
        ...picture,
        label: run.classes[stored.labels[row]!]!.name,
        probabilities: stored.probabilities.slice(row * classes, (row + 1) * classes),
      })
  }
  if (found.length < LEAST)
    found.push(...(await moreOf(pool, project, run, modelDir, LEAST - found.length, signal)))
  return found
}

/** Null when its file is gone: it can prove nothing. */
async function lookUp(project: OpenProject, id: number): Promise<{ path: string; name: string } | null> {
  const picture = project.use(createPicturesRepository).find(id)
  if (!picture) return null
  const path = originalPath(project.folder, picture.file)
  try {
    await access(path)
    return { path, name: picture.name }
  } catch (error) {
    if (error instanceof Error && 'code' in error) return null
    throw error
  }
}

async function moreOf(
  pool: TrainerPool,
  project: OpenProject,
  run: RunRecord,
  modelDir: string,
  count: number,
  signal: AbortSignal,
): Promise<ProofPicture[]> {
  const others = project
    .use(createVersionsRepository)
    .items(run.versionId)
    .filter(({ split }) => split !== 'test')
  const chosen: Omit<ProofPicture, 'probabilities'>[] = []
  for (const item of shuffle(createRandom(run.config.seed, 'proof, more'), others)) {
    if (chosen.length === count) break
    const picture = await lookUp(project, item.pictureId)
    if (picture) chosen.push({ ...picture, label: run.classes[item.class]!.name })
  }
  const answers = new Map<number, Float32Array>()
  await pool.quick<'predict'>(
    { kind: 'predict', modelDir, images: chosen.map(({ path }, id) => ({ id, path })) },
    {
      signal,
      onPartial: ({ id, probabilities }) => {
        if (probabilities) answers.set(id, probabilities)
      },
    },
  )
  return chosen.flatMap((picture, index) => {
    const probabilities = answers.get(index)
    return probabilities ? [{ ...picture, probabilities }] : []
  })
}

/** Up to ten, from as many classes as there are. */
export function samplesOf(
  pictures: readonly ProofPicture[],
): { path: string; name: string; label: string }[] {
  const byLabel = new Map<string, ProofPicture[]>()
  for (const picture of pictures) {
    const known = byLabel.get(picture.label)
    if (known) known.push(picture)
    else byLabel.set(picture.label, [picture])
  }
  const samples: ProofPicture[] = []
  for (let round = 0; samples.length < Math.min(MOST_SAMPLES, pictures.length); round++)
    for (const ofLabel of byLabel.values()) {
      const picture = ofLabel[round]
      if (picture && samples.length < MOST_SAMPLES) samples.push(picture)
    }
  return samples.map(({ path, name, label }) => ({ path, name, label }))
}
