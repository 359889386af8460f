import { basename } from 'node:path'
import { KestrelError } from '#shared/errors/index.ts'
import { hasModel } from '#studio/runs/service.ts'
import { createRunsRepository } from '#studio/storage/runs-repository.ts'
import { endsTheSameWay, isResumable } from '#studio/training/run-training.ts'
import type { ResumeCommand } from '../command.ts'
import { isFinished, readAsked } from '../asked.ts'
import type { Asked } from '../asked.ts'
import { carryOut, finishRun, finishTraining } from '../carry-out.ts'
import type { Workplace } from '../carry-out.ts'
import type { CliContext } from '../context.ts'
import { requireFolder } from '../pictures.ts'
import { withStudio } from '../studio.ts'

/** Does what is left of a `kestrel run` that was interrupted or killed, wherever that was. */
export async function resume(command: ResumeCommand, context: CliContext): Promise<void> {
  const out = await requireFolder(command.folder)
  const asked = await readAsked(out)
  await withStudio(context, async (studio) => {
    const { projectId } = await studio.projects.openOrCreateAt(out, basename(out, '.kestrel'))
    await goOn({ studio, project: studio.registry.get(projectId), context, out }, asked)
  })
}

async function goOn(at: Workplace, asked: Asked): Promise<void> {
  const { studio, project, context, out } = at
  if (asked.run === null) {
    context.terminal.say(
      'It ended before it trained: the command begins again with the pictures that are there.',
    )
    return again(at, asked)
  }
  const runs = project.use(createRunsRepository)
  const [newest] = runs.all()
  // An older one stays as it is: its figures would take the place of those of the newer one.
  if (newest?.id !== asked.run)
    throw nothing(
      runs.find(asked.run)
        ? 'There is a newer training in this folder than the one that "kestrel run" began.'
        : 'The training that "kestrel run" began in this folder is not there any more.',
    )
  if (isResumable(project, newest)) {
    const { projectId } = project
    const training = studio.training.training.resume({ projectId, runId: newest.id })
    return finishTraining(at, asked, training)
  }
  if (hasModel(newest)) {
    if (await isFinished(out, asked))
      throw nothing('The newest training in this folder is finished: nothing is left to be done.')
    context.terminal.say('The training is finished: only its figures and exports are made.')
    return finishRun(at, asked, newest.id)
  }
  if (newest.error !== null && endsTheSameWay(newest.error.code))
    throw nothing(`The training left nothing to go on from. ${newest.error.message}`)
  context.terminal.say('It ended before there was a model: the training begins again with what was computed.')
  return again(at, asked)
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
