import { randomBytes } from 'node:crypto'
import type { PredictPartial } from '#shared/contract/trainer.ts'
import type { Prediction } from '#shared/contract/use.ts'
import { KestrelError } from '#shared/errors/index.ts'
import type { WireError } from '#shared/errors/index.ts'
import { readHeader, uprightSize } from '#imaging/header.ts'
import { readBytes } from '#imaging/read-bytes.ts'
import { requireFormat } from '#imaging/sniff.ts'

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
}

export const MOST_TOP = 10

export function answerOf(id: string, file: { path: string; name: string }, partial: PredictPartial): Answer {
  const top = Array.from(partial.probabilities ?? [], (confidence, classIndex) => ({
    classIndex,
    confidence,
  }))
    .sort((a, b) => b.confidence - a.confidence || a.classIndex - b.classIndex)
    .slice(0, MOST_TOP)
  return { id, ...file, top, milliseconds: partial.milliseconds, error: partial.error, size: null }
}

/** Of a picture that could not even be handed to the model. */
export const unreadAnswer = (id: string, name: string, error: WireError): Answer => ({
  ...{ id, name, error },
  path: null,
  top: [],
  milliseconds: 0,
  size: null,
})

export const noPicture = (): KestrelError =>
  new KestrelError('not-a-picture', 'There is no picture in what was dropped.', {
    remedy: 'Drop pictures, or a folder of pictures.',
  })

export const isUnsure = (answer: Answer, threshold: number): boolean =>
  answer.error === null && (answer.top[0]?.confidence ?? 0) < threshold

/** For the page: no path in it. */
export async function predictionOf(answer: Answer, threshold: number): Promise<Prediction> {
  answer.size ??= answer.error || answer.path === null ? { width: 0, height: 0 } : await sizeOf(answer.path)
  return {
    predictionId: answer.id,
    name: answer.name,
    ...answer.size,
    top: answer.top,
    unsure: isUnsure(answer, threshold),
    milliseconds: answer.milliseconds,
    error: answer.error,
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

/** Single pictures kept: a camera gives one or two a second, for hours. */
const MOST_KEPT = 500

/** The pictures of one project that can be addressed from the page, until the project is closed. */
export function createGivenPictures() {
  const kept = new Map<string, Answer>()
  return {
    newId: (): string => `p${randomBytes(9).toString('hex')}`,
    keep(answer: Answer): void {
      kept.set(answer.id, answer)
      for (const oldest of kept.keys()) {
        if (kept.size <= MOST_KEPT) break
        kept.delete(oldest)
      }
    },
    find: (id: string): Answer | undefined => kept.get(id),
  }
}
