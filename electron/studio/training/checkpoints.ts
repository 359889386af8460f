import { existsSync, mkdirSync, renameSync } from 'node:fs'
import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { ErrorCode } from '#shared/errors/index.ts'
import type { OpenProject } from '../projects/open-project.ts'
import type { RunRecord } from '../storage/runs-repository.ts'

/** The states of trainings by gradients: one folder per run. The trainer fills it, the studio says how long it stays. */

const placeOf = (project: OpenProject, runId: string): string => join(project.paths.checkpoints, runId)

/** Whether a training left a state behind. */
export const hasCheckpoint = (project: OpenProject, runId: string): boolean =>
  existsSync(placeOf(project, runId))

/** What a person can do after a training ended without a model. */
export const whatNext = (project: OpenProject, runId: string): string =>
  hasCheckpoint(project, runId) ? 'Go on with it, or train anew.' : 'Press Train to go on from there.'

/** Ended without a model: stopped early, or its process was killed. */
const endedEarly = ({ state }: RunRecord): boolean => state === 'interrupted' || state === 'failed'

/** Ended by the person's wish, with the best model so far; one that broke down or came to its end is final. */
export const wasStopped = ({ state, facts }: Pick<RunRecord, 'state' | 'facts'>): boolean =>
  state === 'stopped' && facts.stopped?.reason === 'asked'

/** Whether there may be something to go on with; its state is kept as long. */
export const isOpen = (run: RunRecord): boolean =>
  run.state === 'running' || endedEarly(run) || wasStopped(run)

/** Whether it can go on from where it was. */
export const isResumable = (project: OpenProject, run: RunRecord): boolean =>
  run.state !== 'running' && isOpen(run) && hasCheckpoint(project, run.id)

/** Whether going on from what a training has left would fail as it did: the state itself is damaged or broken down. */
export const endsTheSameWay = (code: ErrorCode): boolean =>
  code === 'model-unreadable' || code === 'training-diverged'

/** @returns the folder, which is there from now on */
export async function checkpointFolder(project: OpenProject, runId: string): Promise<string> {
  const folder = placeOf(project, runId)
  await mkdir(folder, { recursive: true })
  return folder
}

/** The state of one run becomes that of another. @throws when the system does not let it */
export function handCheckpointOver(project: OpenProject, from: string, to: string): void {
  mkdirSync(project.paths.checkpoints, { recursive: true })
  renameSync(placeOf(project, from), placeOf(project, to))
}

export const dropCheckpoint = (project: OpenProject, runId: string): Promise<void> =>
  rm(placeOf(project, runId), { recursive: true, force: true })
