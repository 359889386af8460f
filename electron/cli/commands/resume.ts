import { basename } from 'node:path'
import { KestrelError } from '#shared/errors/index.ts'
import type { OpenProject } from '#studio/projects/open-project.ts'
import { continuedBy, hasModel } from '#studio/runs/service.ts'
import { createRunsRepository } from '#studio/storage/runs-repository.ts'
import type { RunRecord } from '#studio/storage/runs-repository.ts'
import { endsTheSameWay, isResumable, wasStopped } from '#studio/training/checkpoints.ts'
import type { ResumeCommand } from '../command.ts'
import { isFinished, readAsked, writeAsked } from '../asked.ts'
import type { Asked } from '../asked.ts'
import { carryOut, finishRun, finishTraining } from '../carry-out.ts'
import type { Workplace } from '../carry-out.ts'
import type { CliContext } from '../context.ts'
import { requireFolder } from '../pictures.ts'
import { withStudio } from '../studio.ts'

/** Does what is left of a `kestrel run` that was interrupted, stopped or killed, wherever that was. */
export async function resume(command: ResumeCommand, context: CliContext): Promise<void> {
  const out = await requireFolder(command.folder)
  const asked = await readAsked(out)
  await withStudio(context, async (studio) => {
    const { projectId } = await studio.projects.openOrCreateAt(out, basename(out, '.kestrel'))
    await goOn({ studio, project: studio.registry.get(projectId), context, out }, asked, command.keep)
  })
}

async function goOn(at: Workplace, asked: Asked, keep: boolean): Promise<void> {
  const { studio, project, context, out } = at
  if (asked.run === null) {
    if (keep) throw nothingToKeep(out)
    context.terminal.say(
      'It ended before it trained: the command begins again with the pictures that are there.',
    )
    return again(at, asked)
  }
  const trainings = begunFor(project, asked.run)
  const [newest] = trainings
  if (keep) return takeAsItIs(at, asked, trainings)
  if (hasModel(newest) && !wasStopped(newest)) return finish(at, asked, newest)
  const open = trainings.find((each) => isResumable(project, each))
  if (open) {
    const { projectId } = project
    const training = studio.training.training.resume({ projectId, runId: open.id })
    const begun = { ...asked, run: training.runId }
    await writeAsked(out, begun)
    return finishTraining(at, begun, training)
  }
  if (newest.error !== null && endsTheSameWay(newest.error.code))
    throw nothing(`The training left nothing to go on from. ${newest.error.message}`)
  const when = wasStopped(newest) ? 'It left no state to go on from' : 'It ended before there was a model'
  context.terminal.say(`${when}: the training begins again with what was computed.`)
  return again(at, asked)
}

/**
 * The training of a command and those that went on with it after it was stopped, newest first.
 * @throws KestrelError not-found when a newer one of another command is there: its figures would be written over
 */
function begunFor(project: OpenProject, runId: string): [RunRecord, ...RunRecord[]] {
  const runs = project.use(createRunsRepository)
  const [newest] = runs.all()
  const found = newest ? [newest] : []
  for (let run = newest; run && run.id !== runId;) {
    run = continuedBy(project, run)
    if (run) found.push(run)
  }
  const [first, ...earlier] = found
  if (first && found.at(-1)!.id === runId) return [first, ...earlier]
  throw nothing(
    runs.find(runId)
      ? 'There is a newer training in this folder than the one that "kestrel run" began.'
      : 'The training that "kestrel run" began in this folder is not there any more.',
  )
}

/** Figures and exports of a training that has its model. */
async function finish(at: Workplace, asked: Asked, run: RunRecord): Promise<void> {
  if (await isFinished(at.out, { ...asked, run: run.id }))
    throw nothing(
      [
        'The newest training in this folder is finished: nothing is left to be done.',
        run.facts.stopped?.message,
      ]
        .filter(Boolean)
        .join(' '),
    )
  at.context.terminal.say('The training is finished: only its figures and exports are made.')
  return finishRun(at, asked, run.id)
}

async function takeAsItIs(at: Workplace, asked: Asked, trainings: readonly RunRecord[]): Promise<void> {
  const run = trainings.find(hasModel)
  if (!run) throw nothingToKeep(at.out)
  if (!wasStopped(run)) return finish(at, asked, run)
  at.context.terminal.say(`${run.facts.stopped!.message} Its figures and exports are made.`)
  return finishRun(at, asked, run.id)
}

/** @throws KestrelError file-missing: without the folders all pictures would count as taken away */
async function again(at: Workplace, asked: Asked): Promise<void> {
  await requireFolder(asked.folder)
  if (asked.testFolder !== null) await requireFolder(asked.testFolder)
  await carryOut(at, asked)
}

const nothing = (message: string): KestrelError =>
  new KestrelError('not-found', message, {
    kept: 'Nothing was changed.',
    remedy: 'Train anew with "kestrel run".',
  })

const nothingToKeep = (out: string): KestrelError =>
  new KestrelError('not-found', 'There is no model yet that could be kept.', {
    kept: 'Nothing was changed.',
    remedy: `"kestrel resume ${out}" goes on until there is one.`,
  })
