import { readFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { KestrelError } from '#shared/errors/index.ts'
import type { ResumeCommand } from '../arguments.ts'
import type { CliContext } from '../context.ts'
import { requireFolder } from '../pictures.ts'
import { withStudio } from '../studio.ts'
import { askedFile, askedSchema, finishRun } from './run.ts'
import type { Asked } from './run.ts'

/** Goes on with the newest training of a project that was interrupted, and then does what `kestrel run` would have done. */
export async function resume(command: ResumeCommand, context: CliContext): Promise<void> {
  const out = await requireFolder(command.folder)
  const asked = await readAsked(out)
  await withStudio(context, async (studio) => {
    const { projectId } = await studio.projects.openOrCreateAt(out, basename(out, '.kestrel'))
    const project = studio.registry.get(projectId)
    const left = studio.training.runs.list({ projectId }).find(({ resumable }) => resumable)
    if (!left)
      throw new KestrelError('not-found', 'No training in this folder was interrupted.', {
        kept: 'Nothing was changed.',
        remedy: 'Train anew with "kestrel run".',
      })
    const images = studio.imports.folderSummary(projectId, asked.folder)
    const training = studio.training.training.resume({ projectId, runId: left.runId })
    await finishRun({ studio, project, context, out, training, asked, images, import_s: 0 })
  })
}

async function readAsked(out: string): Promise<Asked> {
  try {
    return askedSchema.parse(JSON.parse(await readFile(join(out, askedFile), 'utf8')))
  } catch (error) {
    throw new KestrelError('not-found', `${out} was not made by "kestrel run".`, {
      remedy: 'Give the folder that was given as --out.',
      cause: error,
    })
  }
}
