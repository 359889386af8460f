import { existsSync } from 'node:fs'
import { basename, join, resolve } from 'node:path'
import type { TrainConfig } from '#shared/contract/training.ts'
import type { GradientChanges } from '#shared/domain/training/presets.ts'
import { KestrelError } from '#shared/errors/index.ts'
import type { RunCommand } from '../command.ts'
import { carryOut } from '../carry-out.ts'
import { changesOf } from '../changes.ts'
import type { CliContext } from '../context.ts'
import { requireFolder } from '../pictures.ts'
import { makeReady, withStudio } from '../studio.ts'
import type { CliStudio } from '../studio.ts'

/** Import, train, evaluate and export in one go; the same services as in the window, one after the other. */
export async function run(command: RunCommand, context: CliContext): Promise<void> {
  const folder = await requireFolder(command.folder)
  const testFolder = command.testFolder === null ? null : await requireFolder(command.testFolder)
  const out = resolve(command.out)
  const changes = await changesOf(command)
  await withStudio(context, async (studio) => {
    // With features in the cache the fit is short: the trainer starts, and loads its engine, while the folder is
    // looked through.
    if (existsSync(join(out, 'project.db')))
      studio.pool
        .quick<'hello'>({ kind: 'hello' })
        .catch((error: unknown) => studio.log.warn('the warm trainer did not start', error))
    // Before anything is made or imported: a misspelt name should not cost minutes.
    const config = await configOf(command, changes, studio, context)
    const { projectId } = await studio.projects.openOrCreateAt(out, basename(out, '.kestrel'))
    const project = studio.registry.get(projectId)
    const { labels, exports } = command
    await carryOut(
      { studio, project, context, out },
      { folder, testFolder, labels, exports, config, run: null },
    )
  })
}

async function configOf(
  { backbone, recipe, head, split, seed, folds, together, engine }: RunCommand,
  changes: GradientChanges,
  studio: CliStudio,
  context: CliContext,
): Promise<TrainConfig> {
  const { backbones } = studio
  const sum = split.train + split.val + split.test
  const shares = { train: split.train / sum, val: split.val / sum, test: split.test / sum }
  if (backbone !== null) await makeReady(backbone, studio, context)
  const backboneId = recipe === 'scratch' ? null : (backbone ?? (await backbones.recommended()))
  if (backboneId === null && recipe !== null && recipe !== 'scratch')
    throw new KestrelError('no-backbone', 'No backbone is ready on this computer.', {
      remedy:
        'Get one with "kestrel backbones get ID", or use --recipe scratch to train a network from nothing.',
    })
  if (backboneId === null && recipe === null)
    context.terminal.say(
      'No backbone is ready: a small network learns from the pixels alone. "kestrel backbones" lists what can be had.',
    )
  return {
    recipe: backboneId === null ? 'scratch' : (recipe ?? 'head'),
    ...{
      backboneId,
      objective: head,
      split: shares,
      seed,
      folds,
      together,
      changes,
      engine,
      teacherRunId: null,
    },
  }
}
