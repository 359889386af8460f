import type { Prediction, Threshold } from '#shared/contract/use.ts'
import { toKestrelError } from '#shared/errors/index.ts'
import type { EventBus } from '../events/event-bus.ts'
import type { Log } from '../log.ts'
import type { SourceAccess, SourceFile } from '../ports.ts'
import type { OpenProject } from '../projects/open-project.ts'
import { findModel, findRun } from '../runs/service.ts'
import type { TrainerPool } from '../trainer-client/pool.ts'
import { givenFiles } from './given-files.ts'
import { answerOf, newAnswerId, noPicture, predictionOf } from './given-pictures.ts'
import type { Answer } from './given-pictures.ts'
import type { HeldAnswers } from './held-answers.ts'
import type { KeptAnswers } from './kept-answers.ts'

/** A handful is looked at one by one; what are more are read as a table, sorted and counted. */
const MOST_AT_ONCE = 12

interface Ports {
  bus: EventBus
  log: Log
  pool: Pick<TrainerPool, 'quick'>
  sources: SourceAccess
  kept: KeptAnswers
  thresholdOf(project: OpenProject, runId: string): Threshold
}

/** A project with what of its answers could not be written down. */
interface Place {
  project: OpenProject
  held: HeldAnswers
}

export interface Question {
  runId: string
  source: string
  /** Nothing of it is kept. */
  live: boolean
}

/** A handful of pictures, answered at once and kept until the person clears them. */
export function createSinglePictures({ bus, log, pool, sources, kept, thresholdOf }: Ports) {
  const predictionsOf = (project: OpenProject, runId: string, answers: readonly Answer[]) => {
    const { value } = thresholdOf(project, runId)
    return Promise.all(answers.map((answer) => predictionOf(project, answer, value)))
  }

  /** @returns null: more than a handful */
  async function handful(
    project: OpenProject,
    source: string,
    signal?: AbortSignal,
  ): Promise<SourceFile[] | null> {
    const files: SourceFile[] = []
    for await (const file of givenFiles(sources, project, source, signal ? { signal } : {})) {
      if (files.length === MOST_AT_ONCE) return null
      files.push(file)
    }
    return files
  }

  /** In the order of the files. */
  async function answer(
    modelDir: string,
    files: readonly SourceFile[],
    signal?: AbortSignal,
  ): Promise<Answer[]> {
    const answers: (Answer | undefined)[] = files.map(() => undefined)
    await pool.quick<'predict'>(
      { kind: 'predict', modelDir, images: files.map(({ path }, id) => ({ id, path })) },
      {
        ...(signal ? { signal } : {}),
        onPartial: (partial) => {
          const { path, relative } = files[partial.id]!
          answers[partial.id] = answerOf(newAnswerId(), { path, name: relative }, partial)
        },
      },
    )
    return answers.filter((each) => each !== undefined)
  }

  /**
   * An answer that was given is not taken back because the disk is full.
   * @returns whether the project has copies of the pictures now
   */
  async function keep({ project, held }: Place, runId: string, answers: readonly Answer[]): Promise<boolean> {
    try {
      await kept.keep(project, runId, answers)
      return true
    } catch (error) {
      log.warn('answers were not written down', error)
      held.hold(runId, answers)
      bus.publish({
        type: 'notice',
        level: 'warning',
        title: 'These answers could not be stored with the project.',
        words: `${toKestrelError(error).message} They are here until the project is closed.`,
      })
      return false
    }
  }

  /** What a page sent lies in the user-data folder, where clearing the answers would not reach it. */
  async function discard(source: string): Promise<void> {
    try {
      await sources.discard(source)
    } catch (error) {
      log.warn('pictures that were sent could not be removed', error)
    }
  }

  return {
    /** @param signal aborted when nobody waits for the answer any more: a camera is faster than a slow network */
    async predict(
      place: Place,
      question: Question,
      signal?: AbortSignal,
    ): Promise<{ predictions: Prediction[]; asTable: boolean }> {
      const { project } = place
      const { runId, source, live } = question
      const { folder } = findModel(project, runId)
      // A folder is a table however few pictures it holds: that is what gives the CSV and the sorted copies.
      const { loose, empty } = await sources.glance(source)
      if (empty) throw noPicture()
      const files = loose ? await handful(project, source, signal) : null
      if (files === null) return { predictions: [], asTable: true }
      const answers = await answer(folder, files, signal)
      const predictions = await predictionsOf(project, runId, answers)
      if (live || (await keep(place, runId, answers))) await discard(source)
      return { predictions, asTable: false }
    },

    /** Newest first. */
    async asked({ project, held }: Place, runId: string) {
      findRun(project, runId)
      const { answers, madeRoom } = kept.ofRun(project, runId)
      return {
        predictions: await predictionsOf(project, runId, [...held.ofRun(runId), ...answers]),
        madeRoom,
      }
    },

    async clear({ project, held }: Place, runId: string): Promise<void> {
      held.clear(runId)
      await kept.clear(project, runId)
    },
  }
}
