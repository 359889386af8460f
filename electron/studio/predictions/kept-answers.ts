import { mkdir, readdir, rm, stat } from 'node:fs/promises'
import { basename, extname, join } from 'node:path'
import { copyWhole, isMissing } from '../files.ts'
import type { OpenProject } from '../projects/open-project.ts'
import { createAnswersRepository } from '../storage/answers-repository.ts'
import type { AnswerLimits, AnswerRow } from '../storage/answers-repository.ts'
import type { Answer } from './given-pictures.ts'

/** Where the disk can share blocks, copies cost next to nothing; elsewhere this is what Use may take of it. */
export const answerLimits: AnswerLimits = { perRun: 200, bytes: 500 * 1024 ** 2 }

const FOLDER = 'answers'

/** Of a name that a person gave: what tells a file manager what it is, or nothing. */
const endingOf = (name: string): string => /^\.[a-z0-9]{1,5}$/i.exec(extname(name))?.[0].toLowerCase() ?? ''

const answerOfRow = (project: OpenProject, { file, width, height, ...row }: AnswerRow): Answer => ({
  ...row,
  path: file === null ? null : join(project.folder, file),
  size: { width, height },
})

async function removeFiles(project: OpenProject, files: readonly string[]): Promise<void> {
  for (const file of files) await rm(join(project.folder, file), { force: true })
}

/** The picture goes into the project: a pasted one was never a file, and a file may be gone tomorrow. */
async function rowOf(project: OpenProject, answer: Answer): Promise<Omit<AnswerRow, 'runId'>> {
  const { id, path, name, top, error, milliseconds, size, pictureId } = answer
  const file = error || path === null ? null : `${FOLDER}/${id}${endingOf(name)}`
  if (file !== null && path !== null)
    await copyWhole(path, join(project.folder, file), project.paths.temporary)
  const { width, height } = size ?? { width: 0, height: 0 }
  const bytes = file === null ? 0 : (await stat(join(project.folder, file))).size
  return { id, askedAt: Date.now(), name, file, bytes, width, height, top, error, milliseconds, pictureId }
}

async function removeLeftovers(project: OpenProject): Promise<void> {
  const answers = project.use(createAnswersRepository)
  answers.clearRemoved()
  const known = new Set(answers.files().map((file) => basename(file)))
  try {
    for (const name of await readdir(join(project.folder, FOLDER)))
      if (!known.has(name)) await rm(join(project.folder, FOLDER, name), { recursive: true, force: true })
  } catch (error) {
    if (!isMissing(error)) throw error
  }
}

export type KeptAnswers = ReturnType<typeof createKeptAnswers>

/** Answers to single pictures, in the project: they outlive the page, the studio and the pictures themselves. */
export function createKeptAnswers() {
  const swept = new WeakMap<OpenProject, Promise<void>>()
  return {
    /** Writes answers down with copies of their pictures, the first as the newest. All of them, or none. */
    async keep(project: OpenProject, runId: string, answers: readonly Answer[]): Promise<void> {
      // A copy that has no row yet looks like a leftover.
      await swept.get(project)
      await mkdir(join(project.folder, FOLDER), { recursive: true })
      const rows: Omit<AnswerRow, 'runId'>[] = []
      let madeRoom: string[]
      try {
        for (const answer of answers) rows.push(await rowOf(project, answer))
        madeRoom = project.use(createAnswersRepository).add(runId, rows, answerLimits)
      } catch (error) {
        await removeFiles(
          project,
          rows.flatMap(({ file }) => file ?? []),
        )
        throw error
      }
      await removeFiles(project, madeRoom)
    },

    /** Newest first. `madeRoom`: how many older ones are gone. */
    ofRun(project: OpenProject, runId: string): { answers: Answer[]; madeRoom: number } {
      const kept = project.use(createAnswersRepository)
      return {
        answers: kept.ofRun(runId).map((row) => answerOfRow(project, row)),
        madeRoom: kept.madeRoom(runId),
      }
    },

    find(project: OpenProject, id: string): Answer | undefined {
      const row = project.use(createAnswersRepository).find(id)
      return row && answerOfRow(project, row)
    },

    setPicture(project: OpenProject, id: string, pictureId: number): void {
      project.use(createAnswersRepository).setPicture(id, pictureId)
    },

    /** With the copies of their pictures. What became a picture of the project stays one. */
    async clear(project: OpenProject, runId: string): Promise<void> {
      await removeFiles(project, project.use(createAnswersRepository).clear(runId))
    },

    /** What a studio left that ended between a copy and its row, or between a row and its copy. */
    sweep(project: OpenProject, failed: (error: unknown) => void): void {
      swept.set(project, removeLeftovers(project).catch(failed))
    },
  }
}
