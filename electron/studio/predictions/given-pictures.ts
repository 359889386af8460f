import { randomBytes } from 'node:crypto'
import type { PredictPartial } from '#shared/contract/trainer.ts'
import type { Prediction } from '#shared/contract/use.ts'
import { KestrelError } from '#shared/errors/index.ts'
import type { WireError } from '#shared/errors/index.ts'
import { readHeader, uprightSize } from '#imaging/header.ts'
import { readBytes } from '#imaging/read-bytes.ts'
import { requireFormat } from '#imaging/sniff.ts'
import type { OpenProject } from '../projects/open-project.ts'
import { createLabelsRepository } from '../storage/labels-repository.ts'
import { createPicturesRepository } from '../storage/pictures-repository.ts'

/** A picture that was given to a model, and what the model said. */
export interface Answer {
  id: string
  /** Null: it never came out of its zip. */
  path: string | null
  /** Relative to what was dropped. */
  name: string
  /** Highest first, at most 10. */
  top: { classIndex: number; confidence: number }[]
  milliseconds: number
  error: WireError | null
  /** Read when it is asked for first. */
  size: { width: number; height: number } | null
  /** What it became in the project when the person said what it is. */
  pictureId: number | null
}

export const MOST_TOP = 10

/** Not to be guessed: it is part of an address. */
export const newAnswerId = (): string => `p${randomBytes(9).toString('hex')}`

export function answerOf(id: string, file: { path: string; name: string }, partial: PredictPartial): Answer {
  const top = Array.from(partial.probabilities ?? [], (confidence, classIndex) => ({
    classIndex,
    confidence,
  }))
    .sort((a, b) => b.confidence - a.confidence || a.classIndex - b.classIndex)
    .slice(0, MOST_TOP)
  const { milliseconds, error } = partial
  return { id, ...file, top, milliseconds, error, size: null, pictureId: null }
}

/** Of a picture that could not even be handed to the model. */
export const unreadAnswer = (id: string, name: string, error: WireError): Answer => ({
  ...{ id, name, error },
  path: null,
  top: [],
  milliseconds: 0,
  size: null,
  pictureId: null,
})

export const noPicture = (): KestrelError =>
  new KestrelError('not-a-picture', 'There is no picture in what was dropped.', {
    remedy: 'Drop pictures, or a folder of pictures.',
  })

export const isUnsure = (answer: Answer, threshold: number): boolean =>
  answer.error === null && (answer.top[0]?.confidence ?? 0) < threshold

/** The label that the picture of an answer has in the project, now: what was said may have been taken back. */
function labelledAs(project: OpenProject, { pictureId }: Answer): Prediction['labelled'] {
  const picture = pictureId === null ? undefined : project.use(createPicturesRepository).find(pictureId)
  if (!picture || picture.excluded || picture.labelId === null) return null
  const label = project.use(createLabelsRepository).find(picture.labelId)
  return label ? { labelId: label.id, name: label.name } : null
}

/** For the page: no path in it. */
export async function predictionOf(
  project: OpenProject,
  answer: Answer,
  threshold: number,
): Promise<Prediction> {
  answer.size ??= answer.error || answer.path === null ? { width: 0, height: 0 } : await sizeOf(answer.path)
  return {
    predictionId: answer.id,
    name: answer.name,
    ...answer.size,
    top: answer.top,
    unsure: isUnsure(answer, threshold),
    milliseconds: answer.milliseconds,
    error: answer.error,
    labelled: labelledAs(project, answer),
  }
}

/** Pixels, upright. A picture that has gone since has none. */
async function sizeOf(path: string): Promise<{ width: number; height: number }> {
  try {
    const bytes = await readBytes(path)
    return uprightSize(await readHeader(bytes, requireFormat(bytes)))
  } catch (error) {
    if (error instanceof KestrelError) return { width: 0, height: 0 }
    throw error
  }
}
