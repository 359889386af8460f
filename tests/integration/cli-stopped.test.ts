import { existsSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { z } from 'zod'
import { runResultSchema } from '../../electron/cli/result.ts'
import type { RunResult } from '../../electron/cli/result.ts'
import { readOnnx } from '../../electron/trainer/graph/onnx/index.ts'
import { copySample, kestrel, signalled } from '../helpers/cli.ts'
import type { CliOutcome } from '../helpers/cli.ts'
import { tinyBackboneFolder } from '../helpers/training-studio.ts'
import { withContents } from '../helpers/folders.ts'

let folder = ''
let env: Record<string, string> = {}
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'kestrel-cli-stopped-'))
  const backbones = await tinyBackboneFolder(join(folder, 'backbones'))
  env = { KESTREL_HOME: join(folder, 'home'), KESTREL_BACKBONES: backbones }
  copySample(join(folder, 'pictures'), ['leaf', 'shell'], 16)
})
afterAll(() => rm(folder, withContents))

const at = (...names: string[]): string => join(folder, ...names)
const run = (out: string, ...more: string[]): string[] => [
  ...['run', at('pictures'), '--out', at(out), '--json'],
  ...more,
]
/** Long enough to be stopped in the middle, whatever the machine. */
const EPOCHS = 120
const scratch = (out: string, ...more: string[]): string[] =>
  run(out, '--recipe', 'scratch', '--network', 'lenet-5', '--epochs', `${EPOCHS}`, ...more)
const fineTune = (out: string, ...more: string[]): string[] =>
  run(out, ...['--recipe', 'fine-tune', '--top-blocks', '1', '--lr', '0.01', '--epochs', '100'], ...more)

const resume = (out: string): Promise<CliOutcome> => kestrel(['resume', at(out), '--json'], { env })
const stop = (args: string[], due: (said: string) => boolean): Promise<CliOutcome> =>
  signalled(args, 'SIGINT', due, env)
const resultOf = (out: string): RunResult =>
  runResultSchema.parse(JSON.parse(readFileSync(at(out, 'result.json'), 'utf8')))

/** What the newest training has written of its state. */
function stateFiles(out: string): string[] {
  const all = at(out, 'cache', 'checkpoints')
  if (!existsSync(all)) return []
  return readdirSync(all, { recursive: true, encoding: 'utf8' }).map((name) => join(all, name))
}
const onceThereIs = (out: string, file: string) => (): boolean =>
  stateFiles(out).some((each) => each.endsWith(file))

/** The last finished epoch of a state that was written; -1 before there is one. */
function epochOf(out: string, file: string): number {
  const found = stateFiles(out).find((each) => each.endsWith(file))
  if (found === undefined) return -1
  const [header = ''] = readFileSync(found, 'utf8').split('\n', 1)
  return stateSchema.parse(JSON.parse(header)).progress.epoch
}
const stateSchema = z.object({ progress: z.object({ epoch: z.int() }) })

/** Waits until the state is another one, and keeps which. */
function untilItChanges(out: string): { due: () => boolean; seen: { epoch: number } } {
  const seen = { epoch: -1 }
  const before = epochOf(out, 'scratch.checkpoint')
  const due = (): boolean => {
    seen.epoch = epochOf(out, 'scratch.checkpoint')
    return seen.epoch !== -1 && seen.epoch !== before
  }
  return { due, seen }
}

/** All numbers of the model that a training has left. */
function numbersOf(out: string): Map<string, number[]> {
  const { initialisers } = readOnnx(readFileSync(at(out, 'runs', resultOf(out).run, 'model.onnx')))
  return new Map([...initialisers].map(([name, { data }]) => [name, Array.from(data, Number)]))
}

/** Curves, figures and every number of the model. */
function expectSameEnd(out: string, whole: string): void {
  const [{ curves, ...found }, { curves: wanted, ...other }] = [resultOf(out), resultOf(whole)]
  expect(found.stopped).toBeUndefined()
  expect(curves.map(({ step }) => step)).toEqual(wanted.map(({ step }) => step))
  curves.forEach(({ trainLoss, valLoss }, i) => {
    expect(Math.abs(trainLoss - wanted[i]!.trainLoss)).toBeLessThan(1e-6)
    if (valLoss !== null) expect(Math.abs(valLoss - wanted[i]!.valLoss!)).toBeLessThan(1e-6)
  })
  expect(found.metrics.test!.confusion).toEqual(other.metrics.test!.confusion)
  expect(found.folds?.pooled.confusion).toEqual(other.folds?.pooled.confusion)
  expect(found.kept?.tuned).toEqual(other.kept?.tuned)
  const [numbers, wantedNumbers] = [numbersOf(out), numbersOf(whole)]
  expect([...numbers.keys()]).toEqual([...wantedNumbers.keys()])
  for (const [name, values] of numbers)
    values.forEach((value, i) => expect(Math.abs(value - wantedNumbers.get(name)![i]!)).toBeLessThan(1e-6))
}

const saidSchema = z.object({
  pictures: z.array(z.object({ probabilities: z.record(z.string(), z.number()) })),
})

/** What the model of the newest training that has one makes of a picture. */
async function whatItSays(out: string): Promise<unknown> {
  const { code, stdout } = await kestrel(
    ['predict', at('pictures', 'leaf', '01.jpg'), '--model', at(out), '--json'],
    { env },
  )
  expect(code).toBe(0)
  return saidSchema.parse(JSON.parse(stdout))
}

describe('a training that breaks before it has learned anything', () => {
  it.each(['lenet-5', 'small-cnn'])(
    'leaves a result that says so, with what was noticed: %s',
    async (network) => {
      const out = `broken-${network}`
      const settings = ['--optimizer', 'sgd', '--lr', '100', '--batch-size', '4']
      const args = run(out, '--recipe', 'scratch', '--network', network, ...settings)
      const { code, stdout, stderr } = await kestrel(args, { env })
      expect(code, stderr).toBe(1)
      const result = resultOf(out)
      expect(result).toMatchObject({
        ...{ recipe: 'scratch', backbone: null, classes: ['leaf', 'shell'], exports: [] },
        metrics: { val: null, test: null },
        error: { code: 'training-diverged', message: expect.stringMatching(/^The training /) },
        stopped: { reason: 'diverged', message: result.error!.message },
      })
      expect(result.images.read).toBe(32)
      expect(result.checks.filter(({ verdict }) => verdict === 'wrong').map(({ id }) => id)).toEqual([
        expect.stringMatching(/^(?:finite|explosion)$/),
      ])
      expect(result.checks.map(({ message }) => message).join()).not.toContain('were kept')
      expect(JSON.parse(stdout)).toEqual(JSON.parse(readFileSync(at(out, 'result.json'), 'utf8')))
      expect(stderr).toContain(result.error!.message)
      // It is no result that would be finished.
      const again = await resume(out)
      expect(again.code).toBe(1)
      expect(again.stderr).toContain('The training left nothing to go on from.')
    },
  )
})

describe('a training from scratch stopped by Ctrl+C', () => {
  beforeAll(async () => {
    expect((await kestrel(scratch('whole'), { env })).code).toBe(0)
  })

  it('goes on where it stopped and ends where the uninterrupted one ends', async () => {
    const args = scratch('stopped', '--export', 'onnx')
    const stopped = await stop(args, onceThereIs('stopped', 'scratch.checkpoint'))
    expect(stopped.code).toBe(130)
    const first = resultOf('stopped')
    expect(first).toMatchObject({ stopped: { reason: 'asked' }, exports: [] })
    expect(first.curves.length).toBeGreaterThan(0)
    expect(first.curves.length).toBeLessThan(EPOCHS)
    const words = `Stopped after epoch ${first.curves.length} of ${EPOCHS}: the best model so far is kept.`
    expect(first.stopped!.message).toBe(words)
    expect(stopped.stderr).toContain(words)
    expect(stopped.stderr).toContain('exporting it as onnx was left out')
    expect(stopped.stderr).toContain(`"kestrel resume ${at('stopped')}" goes on.`)
    expect(runResultSchema.parse(JSON.parse(stopped.stdout))).toEqual(first)

    expect((await resume('stopped')).code).toBe(0)
    expectSameEnd('stopped', 'whole')
    expect(resultOf('stopped').exports).toMatchObject([{ format: 'onnx', proof: { images: 32 } }])
    expect(stateFiles('stopped')).toEqual([])

    const again = await resume('stopped')
    expect(again.code).toBe(1)
    expect(again.stderr).toContain('nothing is left to be done')
  })

  it('stopped, killed and stopped again, what was kept stays usable until it is finished', async () => {
    const out = 'often'
    await stop(scratch(out), () => epochOf(out, 'scratch.checkpoint') >= 5)
    const kept = readFileSync(at(out, 'result.json'), 'utf8')
    const before = runResultSchema.parse(JSON.parse(kept))
    const said = await whatItSays(out)

    const more = untilItChanges(out)
    const killed = await signalled(['resume', at(out)], 'SIGKILL', more.due, env)
    expect(killed.code).toBe(null)
    // Not from the beginning: the first state it has written is one further.
    expect(more.seen.epoch).toBeGreaterThan(before.curves.length)
    expect(readFileSync(at(out, 'result.json'), 'utf8')).toBe(kept)
    expect(await whatItSays(out)).toEqual(said)

    const evenMore = untilItChanges(out)
    const again = await stop(['resume', at(out)], evenMore.due)
    expect(again.code).toBe(130)
    expect(again.stderr).toMatch(/Stopped after epoch \d+ of 120: the best model so far is kept\./)
    const after = resultOf(out)
    expect(evenMore.seen.epoch).toBeGreaterThan(more.seen.epoch)
    expect(after.curves.length).toBeGreaterThanOrEqual(evenMore.seen.epoch)
    expect(after.curves.slice(0, before.curves.length)).toEqual(before.curves)

    expect((await resume(out)).code).toBe(0)
    expectSameEnd(out, 'whole')
  })

  it('stopped again before it has begun to go on, says that the earlier model is there', async () => {
    const out = 'at-once'
    await stop(scratch(out), onceThereIs(out, 'scratch.checkpoint'))
    const kept = readFileSync(at(out, 'result.json'), 'utf8')
    const said = await whatItSays(out)
    const again = await stop(['resume', at(out), '--json'], (heard) => heard.includes('Reading pictures …'))
    expect(again.code).toBe(130)
    expect(again.stderr).toContain(`"kestrel resume ${at(out)}" goes on`)
    if (again.stderr.includes('Stopped after epoch')) expect(resultOf(out).stopped).toBeDefined()
    else {
      expect(again.stderr).toContain('The model from before')
      expect(readFileSync(at(out, 'result.json'), 'utf8')).toBe(kept)
      expect(await whatItSays(out)).toEqual(said)
    }
    expect((await resume(out)).code).toBe(0)
    expectSameEnd(out, 'whole')
  })

  it('begins again where its state was deleted with the cache', async () => {
    const out = 'no-cache'
    await stop(scratch(out), onceThereIs(out, 'scratch.checkpoint'))
    rmSync(at(out, 'cache'), { recursive: true })
    const resumed = await resume(out)
    expect(resumed.code).toBe(0)
    expect(resumed.stderr).toContain('the training begins again')
    expectSameEnd(out, 'whole')
  })

  it('with --keep its model is taken as it is', async () => {
    const out = 'as-it-is'
    await stop(scratch(out, '--export', 'onnx'), onceThereIs(out, 'scratch.checkpoint'))
    const { curves, run: id } = resultOf(out)
    const kept = await kestrel(['resume', at(out), '--keep', '--json'], { env })
    expect(kept.code).toBe(0)
    expect(resultOf(out)).toMatchObject({ run: id, curves, stopped: { reason: 'asked' } })
    expect(resultOf(out).exports).toMatchObject([{ format: 'onnx', proof: { images: 32, same_answer: 32 } }])
    expect((await resume(out)).code).toBe(0)
    expectSameEnd(out, 'whole')
  })

  it('during the import, it goes on with the pictures', async () => {
    const out = 'importing'
    const stopped = await stop(scratch(out), (said) => said.includes('Reading pictures …'))
    expect(stopped.code).toBe(130)
    expect((await resume(out)).code).toBe(0)
    expectSameEnd(out, 'whole')
  })
})

describe('what has come to its end is final', () => {
  it.each([
    ['early stopping', { regularisation: { earlyStopping: { patience: 1 } } }, 'is finished'],
    [
      'an explosion',
      {
        ...{ optimiser: { kind: 'momentum' }, learningRate: 20 },
        schedule: { kind: 'cosine', warmup: 0.9, warmupFrom: 0 },
      },
      'The training exploded',
    ],
  ])('%s', async (name, settings, words) => {
    const out = name.replaceAll(' ', '-')
    writeFileSync(at(`${out}.json`), JSON.stringify(settings))
    const ended = await kestrel(scratch(out, '--training', at(`${out}.json`)), { env })
    expect(ended.code).toBe(0)
    expect(resultOf(out).curves.length).toBeLessThan(EPOCHS)
    expect(stateFiles(out)).toEqual([])
    const before = readFileSync(at(out, 'result.json'), 'utf8')
    const resumed = await resume(out)
    expect(resumed.code).toBe(1)
    expect(resumed.stderr).toContain('nothing is left to be done')
    expect(resumed.stderr).toContain(words)
    expect(readFileSync(at(out, 'result.json'), 'utf8')).toBe(before)
  })
})

describe('folds stopped by Ctrl+C', () => {
  const folds = (out: string): string[] =>
    run(out, ...['--recipe', 'scratch', '--network', 'lenet-5', '--epochs', '30', '--folds', '3'])

  it('finished ones are kept, the rest goes on', async () => {
    expect((await kestrel(folds('folds-whole'), { env })).code).toBe(0)
    const out = 'folds'
    const stopped = await stop(folds(out), onceThereIs(out, join('fold-1', 'scratch.checkpoint')))
    expect(stopped.code).toBe(130)
    expect(stopped.stderr).toContain('The model is finished; checking it on all pictures was left out.')
    expect(stopped.stderr).toContain(`"kestrel resume ${at(out)}" goes on.`)
    expect(resultOf(out).folds).toBeUndefined()
    expect(stateFiles(out).some((file) => file.endsWith('fold-0.json'))).toBe(true)
    expect((await resume(out)).code).toBe(0)
    expect(resultOf(out).folds).toMatchObject({ k: 3, asked: 3 })
    expectSameEnd(out, 'folds-whole')
  })
})

describe('a fine-tuning stopped by Ctrl+C', () => {
  beforeAll(async () => {
    expect((await kestrel(fineTune('tuned-whole'), { env })).code).toBe(0)
    expect(resultOf('tuned-whole').kept?.tuned).toBe(true)
  })

  it.each([
    [
      'in the first round',
      'selection.checkpoint',
      /Stopped after epoch \d+ of 100: the best model so far is kept/,
    ],
    ['in the second round', 'final.checkpoint', /Stopped in the second round/],
  ])('%s', async (name, file, words) => {
    const out = `tuned ${name}`
    const stopped = await stop(fineTune(out), onceThereIs(out, file))
    expect(stopped.code).toBe(130)
    expect(stopped.stderr).toMatch(words)
    expect(resultOf(out)).toMatchObject({ stopped: { reason: 'asked' } })
    await whatItSays(out)
    expect((await resume(out)).code).toBe(0)
    expectSameEnd(out, 'tuned-whole')
  })

  it('while the head is fitted, before the network is adapted', async () => {
    const out = 'tuned-head'
    const stopped = await stop(fineTune(out), (said) => said.includes('Training …'))
    expect(stopped.code).toBe(130)
    expect(stopped.stderr).toContain(`"kestrel resume ${at(out)}" goes on`)
    expect((await resume(out)).code).toBe(0)
    expectSameEnd(out, 'tuned-whole')
  })

  it('while the features are computed', async () => {
    const out = 'tuned-features'
    const stopped = await stop(fineTune(out), (said) => said.includes('Computing features …'))
    expect(stopped.code).toBe(130)
    expect((await resume(out)).code).toBe(0)
    expectSameEnd(out, 'tuned-whole')
  })
})
