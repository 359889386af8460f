import { readFile } from 'node:fs/promises'
import { readNetworkSpec, templateIds } from '#shared/domain/network/index.ts'
import { combined } from '#shared/domain/training/changes.ts'
import type { GradientChanges } from '#shared/domain/training/changes.ts'
import { readTrainingFile, requirePlan } from '#shared/domain/training/training-file.ts'
import { KestrelError } from '#shared/errors/index.ts'
import type { RunCommand } from './command.ts'

/**
 * What a command wants otherwise than the preset: the file of the training, the network, and single options, which win.
 * Everything that can be wrong in it is said here, before any picture is imported.
 * @throws KestrelError file-missing; bad-request when something does not fit
 */
export async function changesOf(
  command: Pick<RunCommand, 'recipe' | 'training' | 'network' | 'changes'>,
): Promise<GradientChanges> {
  const { recipe } = command
  if (recipe === null || recipe === 'head') return command.changes
  const file = command.training === null ? {} : readTrainingFile(await textOf(command.training), recipe)
  const network = await networkOf(command.network)
  const changes = combined(file, { ...command.changes, ...(network !== undefined && { network }) })
  requirePlan(recipe, changes)
  return changes
}

/** A template by its name, or a network from a file. */
async function networkOf(given: string | null): Promise<GradientChanges['network']> {
  if (given === null) return undefined
  const template = templateIds.find((id) => id === given)
  if (template) return template
  if (!given.endsWith('.json'))
    throw new KestrelError('bad-request', `There is no network "${given}".`, {
      remedy: `Name one of ${templateIds.join(', ')}, or a file that ends in .json.`,
    })
  return readNetworkSpec(await textOf(given))
}

async function textOf(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8')
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined
    if (code === 'ENOENT')
      throw new KestrelError('file-missing', `${file} is not there.`, {
        remedy: 'Check the spelling of the path.',
        cause: error,
      })
    if (code === 'EISDIR')
      throw new KestrelError('file-unreadable', `${file} is a folder and not a file.`, {
        remedy: 'Name the file itself.',
        cause: error,
      })
    throw error
  }
}
