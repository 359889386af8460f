import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { basename, join, resolve } from 'node:path'
import type { TrainConfig } from '#shared/contract/training.ts'
import { readNetworkSpec, templateIds } from '#shared/domain/network/index.ts'
import { planGradients } from '#shared/domain/training/presets.ts'
import type { GradientChanges } from '#shared/domain/training/presets.ts'
import { KestrelError } from '#shared/errors/index.ts'
import type { RunCommand } from '../arguments.ts'
import { carryOut } from '../carry-out.ts'
import type { CliContext } from '../context.ts'
import { requireFolder } from '../pictures.ts'
import { makeReady, withStudio } from '../studio.ts'
import type { CliStudio } from '../studio.ts'

/** Import, train, evaluate and export in one go; the same services as in the window, one after the other. */
export async function run(command: RunCommand, context: CliContext): Promise<void> {
  const folder = await requireFolder(command.folder)
  const testFolder = command.testFolder === null ? null : await requireFolder(command.testFolder)
  const out = resolve(command.out)
  const network = await networkOf(command.network)
  await withStudio(context, async (studio) => {
    // With features in the cache the fit is short: the trainer starts, and loads its engine, while the folder is
    // looked through.
    if (existsSync(join(out, 'project.db')))
      studio.pool
        .quick<'hello'>({ kind: 'hello' })
        .catch((error: unknown) => studio.log.warn('the warm trainer did not start', error))
    // Before anything is made or imported: a misspelt name should not cost minutes.
    const config = await configOf(command, network, studio, context)
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
  { backbone, recipe, split, seed, folds, changes, engine }: RunCommand,
  network: GradientChanges['network'],
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
  const config: TrainConfig = {
    recipe: backboneId === null ? 'scratch' : (recipe ?? 'head'),
    ...{ backboneId, split: shares, seed, folds, engine },
    changes: { ...changes, ...(network !== undefined && { network }) },
  }
  requireFitting(config)
  return config
}

/**
 * What can be said of settings before the pictures are known: a network is measured with the fewest labels there can be.
 * @throws KestrelError bad-request as `planGradients`
 */
function requireFitting({ recipe, changes }: TrainConfig): void {
  if (recipe !== 'head') planGradients({ recipe, pictures: 2, classes: 2 }, changes)
}

/** A template by its name, or a network from a file. @throws KestrelError when the file is missing or wrong */
async function networkOf(given: string | null): Promise<GradientChanges['network']> {
  if (given === null) return undefined
  const template = templateIds.find((id) => id === given)
  if (template) return template
  if (!given.endsWith('.json'))
    throw new KestrelError('bad-request', `There is no network "${given}".`, {
      remedy: `Name one of ${templateIds.join(', ')}, or a file that ends in .json.`,
    })
  try {
    return readNetworkSpec(await readFile(given, 'utf8'))
  } catch (error) {
    if (!(error instanceof Error && 'code' in error) || error instanceof KestrelError) throw error
    if (error.code === 'ENOENT')
      throw new KestrelError('file-missing', `${given} is not there.`, { cause: error })
    const why = error.code === 'EISDIR' ? 'is a folder and not a file' : 'cannot be read'
    throw new KestrelError('file-unreadable', `${given} ${why}.`, {
      remedy: 'Name the file with the network in it.',
      cause: error,
    })
  }
}
