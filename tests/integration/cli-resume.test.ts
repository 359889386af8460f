import { cpSync, existsSync, readFileSync, readdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { runResultSchema } from '../../electron/cli/result.ts'
import { copySample, kestrel, signalled as signalledCli } from '../helpers/cli.ts'
import type { CliOutcome } from '../helpers/cli.ts'
import { tinyBackboneFolder } from '../helpers/training-studio.ts'
import { withContents } from '../helpers/folders.ts'

let folder = ''
let env: Record<string, string> = {}
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'kestrel-cli-resume-'))
  env = { KESTREL_HOME: join(folder, 'home') }
  copySample(join(folder, 'pictures'), ['leaf', 'shell'], 10)
})
afterAll(() => rm(folder, withContents))

const at = (...names: string[]): string => join(folder, ...names)
const resultOf = (out: string) =>
  runResultSchema.parse(JSON.parse(readFileSync(at(out, 'result.json'), 'utf8')))
const scratch = (out: string, ...more: string[]): string[] => [
  ...['run', at('pictures'), '--out', at(out), '--recipe', 'scratch', '--network', 'lenet-5', '--json'],
  ...more,
]
const resume = (out: string): Promise<CliOutcome> => kestrel(['resume', at(out), '--json'], { env })

/** States of trainings, after at least one epoch. */
function checkpoints(out: string): string[] {
  const all = at(out, 'cache', 'checkpoints')
  if (!existsSync(all)) return []
  return readdirSync(all)
    .map((run) => join(all, run, 'scratch.checkpoint'))
    .filter((file) => existsSync(file))
}

const signalled = (
  args: string[],
  signal: NodeJS.Signals,
  due: (said: string) => boolean,
  more: Record<string, string> = {},
): Promise<CliOutcome> => signalledCli(args, signal, due, { ...env, ...more })
const afterAnEpoch = (out: string) => (): boolean => checkpoints(out).length > 0

describe('Ctrl+C', () => {
  it('a second time ends it at once', async () => {
    const out = 'twice'
    // In 64 bits a step takes so long that a stop is not looked at in time.
    const args = scratch(out, '--epochs', '1', '--engine', 'reference', '--batch-size', '14')
    let asked = 0
    const outcome = await kestrel(args, {
      env,
      onOutput({ stderr }, kill) {
        if (asked > 0 || !stderr.includes('Training …')) return
        asked = performance.now()
        setTimeout(() => kill('SIGINT'), 300)
        setTimeout(() => kill('SIGINT'), 900)
      },
    })
    expect(outcome.code).toBe(130)
    expect(outcome.stderr).not.toContain('Interrupted')
    expect(existsSync(at(out, 'result.json'))).toBe(false)
  })
})

describe('kestrel resume', () => {
  it('goes on from the last epoch after a kill', async () => {
    const killed = await signalled(scratch('killed', '--epochs', '6'), 'SIGKILL', afterAnEpoch('killed'))
    expect(killed.code).toBe(null)
    const resumed = await resume('killed')
    expect(resumed.code).toBe(0)
    expect(resultOf('killed').curves.map(({ step }) => step)).toEqual([1, 2, 3, 4, 5, 6])
  })

  it('makes the figures of a training that was killed after it, with the pictures of the test folder', async () => {
    cpSync(at('pictures', 'leaf', '01.jpg'), at('tests', 'leaf', 'own.jpg'))
    copySample(at('more'), ['shell'], 12)
    for (const name of ['11.jpg', '12.jpg'])
      cpSync(at('more', 'shell', name), at('tests', 'shell', name), { recursive: true })
    const args = scratch('finished', '--epochs', '2', '--test-folder', at('tests'), '--export', 'onnx')
    expect((await kestrel(args, { env })).code).toBe(0)
    const { timings: _, ...before } = resultOf('finished')
    rmSync(at('finished', 'result.json'))
    expect((await resume('finished')).code).toBe(0)
    const { timings: __, ...after } = resultOf('finished')
    expect(after).toEqual(before)
    expect(after.images.read).toBe(23)
    expect(after.images.conflicts).toEqual(before.images.conflicts)
  })

  it('leaves an older training alone that was interrupted before a newer one was finished', async () => {
    await signalled(scratch('older', '--epochs', '2000'), 'SIGKILL', afterAnEpoch('older'))
    expect((await kestrel(scratch('older', '--epochs', '1'), { env })).code).toBe(0)
    const before = resultOf('older')
    const resumed = await resume('older')
    expect(resumed.code).toBe(1)
    expect(resumed.stderr).toContain('The newest training in this folder is finished')
    expect(resultOf('older')).toEqual(before)
  })

  it('carries on where the import was killed', async () => {
    const args = scratch('import', '--epochs', '1', '--seed', '7')
    await signalled(args, 'SIGKILL', (said) => said.includes('Reading pictures …'))
    expect(existsSync(at('import', 'result.json'))).toBe(false)
    const resumed = await resume('import')
    expect(resumed.code).toBe(0)
    expect(resultOf('import')).toMatchObject({ seed: 7, recipe: 'scratch', images: { read: 20 } })
  })

  it('begins a killed head again, with the features that are there', async () => {
    const own = { KESTREL_BACKBONES: await tinyBackboneFolder(at('backbones')) }
    const args = ['run', at('pictures'), '--out', at('head'), '--recipe', 'head', '--folds', '3']
    await signalled(args, 'SIGKILL', (said) => said.includes('Computing features …'), own)
    const resumed = await kestrel(['resume', at('head')], { env: { ...env, ...own } })
    expect(resumed).toMatchObject({ code: 0 })
    expect(resultOf('head')).toMatchObject({ recipe: 'head', backbone: 'tiny', folds: { k: 3 } })
  })

  it('does not offer a damaged state a second time', async () => {
    await signalled(scratch('damaged', '--epochs', '2000'), 'SIGKILL', afterAnEpoch('damaged'))
    for (const file of checkpoints('damaged')) truncateSync(file, 1000)
    const first = await resume('damaged')
    expect(first.code).toBe(1)
    expect(first.stderr).toContain('The saved state of this training is damaged.')
    const second = await resume('damaged')
    expect(second.code).toBe(1)
    expect(second.stderr).toContain('left nothing to go on from')
    expect(second.stderr).toContain('Train anew with "kestrel run"')
    expect(checkpoints('damaged')).toEqual([])
  })

  it('says of other folders that they are none of its own', async () => {
    const { code, stderr } = await kestrel(['resume', at('pictures')], { env })
    expect(code).toBe(1)
    expect(stderr).toContain('was not made by "kestrel run"')
  })
})

describe('settings that cannot work', () => {
  it.each([
    ['--network', 'pictures.json', 'is a folder and not a file'],
    ['--top-blocks', '2', 'there are no top blocks'],
  ])('%s %s is refused before anything is read', async (option, value, words) => {
    cpSync(at('pictures'), at('pictures.json'), { recursive: true })
    const given = value.endsWith('.json') ? at(value) : value
    const args = ['run', at('pictures'), '--out', at('refused'), '--recipe', 'scratch', option, given]
    const { code, stderr } = await kestrel(args, { env })
    expect(code).toBe(1)
    expect(stderr).toContain(words)
    expect(existsSync(at('refused'))).toBe(false)
  })

  it('a network that does not end with one number per label is refused before anything is read', async () => {
    const file = at('no-end.json')
    const layers = [{ type: 'conv', filters: 4, size: 3 }, { type: 'global-pool' }]
    const input = { width: 32, height: 32, channels: 3 }
    writeFileSync(file, JSON.stringify({ version: 1, name: 'no end', input, layers }))
    const args = ['run', at('pictures'), '--out', at('refused'), '--recipe', 'scratch', '--network', file]
    const { code, stderr } = await kestrel(args, { env })
    expect(code).toBe(1)
    expect(stderr).toContain('does not end with FC')
    expect(existsSync(at('refused'))).toBe(false)
  })
})
