import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { parseCommand } from '../../electron/cli/arguments.ts'
import type { RunCommand } from '../../electron/cli/command.ts'
import { changesOf } from '../../electron/cli/changes.ts'
import { topics } from '../../electron/cli/help.ts'
import { readTrainingFile } from '#shared/domain/training/training-file.ts'
import { temporaryFolder } from '../helpers/folders.ts'

function command(options: readonly string[], training?: unknown): RunCommand {
  const file = join(temporaryFolder(), 'training.json')
  if (training !== undefined) writeFileSync(file, JSON.stringify(training))
  const own = training === undefined ? [] : ['--training', file]
  const parsed = parseCommand(['run', 'pictures', '--out', 'project', ...options, ...own])
  if (parsed.name !== 'run') throw new Error('not a run')
  return parsed
}

describe('what a command wants otherwise', () => {
  it('is the file, with single options over it', async () => {
    const file = { learningRate: 0.1, epochs: 3, network: 'small-cnn', regularisation: { mixup: 0.2 } }
    const options = ['--recipe', 'scratch', '--lr', '0.5', '--network', 'lenet-5', '--optimizer', 'sgd']
    expect(await changesOf(command(options, file))).toEqual({
      ...file,
      learningRate: 0.5,
      network: 'lenet-5',
      optimiser: { kind: 'sgd' },
    })
    expect(await changesOf(command([]))).toEqual({})
  })

  it('is refused before anything is imported when it cannot be done', async () => {
    const scratch = ['--recipe', 'scratch']
    await expect(changesOf(command(scratch, { lr: 1 }))).rejects.toThrow('is no setting "lr"')
    await expect(changesOf(command([...scratch, '--training', 'nowhere.json']))).rejects.toMatchObject({
      code: 'file-missing',
    })
    const folder = join(temporaryFolder(), 'a.json')
    mkdirSync(folder)
    await expect(changesOf(command([...scratch, '--training', folder]))).rejects.toThrow('is a folder')
    await expect(changesOf(command([...scratch, '--top-blocks', '2']))).rejects.toThrow('no top blocks')
  })

  it('has an example in the help that can be used as it stands', () => {
    const [example] = /\{ "learningRate"[\s\S]*?\} \} \}\n/.exec(topics.run) ?? []
    expect(Object.keys(readTrainingFile(example ?? '', 'scratch'))).toHaveLength(6)
  })
})
