import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { z } from 'zod'
import { trainConfigSchema } from '#shared/contract/training.ts'
import { augmentationSchema } from '#shared/domain/augmentation/index.ts'
import { fittingConfigSchema } from '#shared/domain/training/config.ts'
import { gradientPlanSchema } from '#shared/domain/training/presets.ts'
import { runResultSchema } from '../../electron/cli/result.ts'
import { copySample, kestrel } from '../helpers/cli.ts'
import { tinyBackboneFolder } from '../helpers/training-studio.ts'
import { withContents } from '../helpers/folders.ts'

let folder = ''
const at = (name: string): string => join(folder, name)
const scratch = ['--recipe', 'scratch', '--network', 'lenet-5']

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'kestrel-training-file-'))
  copySample(at('pictures'), ['leaf', 'shell'], 12)
  await tinyBackboneFolder(at('backbones'))
})
afterAll(() => rmSync(folder, withContents))

async function run(project: string, more: readonly string[], recipe = scratch) {
  const args = ['run', at('pictures'), '--out', at(project), '--json', ...recipe, ...more]
  return await kestrel(args, { env: { KESTREL_HOME: at('home'), KESTREL_BACKBONES: at('backbones') } })
}

const trainedSchema = z.object({
  fitting: fittingConfigSchema,
  augmentation: augmentationSchema,
  epochs: z.int(),
})
const passportSchema = z.object({ config: trainConfigSchema, gradients: gradientPlanSchema })

/** What a run left in its folder. */
function left(project: string) {
  const runs = join(at(project), 'runs')
  const own = join(runs, readdirSync(runs)[0]!)
  const json = (name: string): unknown => JSON.parse(readFileSync(join(own, name), 'utf8'))
  return {
    trained: () => trainedSchema.parse(json('training.json')),
    passport: passportSchema.parse(json('passport.json')),
  }
}

describe('kestrel run --training', { timeout: 240_000 }, () => {
  const file = {
    schedule: { kind: 'one-cycle', up: 0.5 },
    loss: { labelSmoothing: 0.1 },
    classWeights: { shell: 3 },
    regularisation: {
      ...{ mixup: 0.4, cutmix: 1, l2: 1e-3, averageDecay: 0.9 },
      // No improvement is ever large enough: it must end after the second epoch.
      earlyStopping: { patience: 1, minDelta: 10 },
    },
    augmentation: { flipVertical: { probability: 0.5 } },
    learningRate: 0.5,
    epochs: 9,
  }

  it('brings everything to the engine, keeps it with the run, and lets options win', async () => {
    writeFileSync(at('training.json'), JSON.stringify(file))
    const own = await run('own', ['--training', at('training.json'), '--lr', '0.002'])
    expect(own).toMatchObject({ code: 0 })
    const { passport } = left('own')
    const trained = left('own').trained()
    expect(trained).toMatchObject({
      fitting: {
        optimiser: { kind: 'adamw' },
        learningRate: 0.002,
        schedule: { kind: 'one-cycle', up: 0.5, startDivisor: 25 },
        loss: { kind: 'cross-entropy', labelSmoothing: 0.1 },
        classWeights: [1, 3],
        regularisation: { ...file.regularisation, weightDecay: 0.02 },
        epochs: 9,
      },
      augmentation: { flipVertical: { probability: 0.5 } },
    })
    expect(trained.augmentation.rotate).toBeUndefined()
    expect(passport.config.changes).toMatchObject({ ...file, learningRate: 0.002, network: 'lenet-5' })

    const plain = await run('plain', ['--epochs', '2'])
    expect(plain.code).toBe(0)
    const [changed, preset] = [own, plain].map(({ stdout }) => runResultSchema.parse(JSON.parse(stdout)))
    expect(changed!.curves).toHaveLength(2)
    expect(changed!.stopped).toBeUndefined()
    expect(preset!.curves).toHaveLength(2)
    expect(Math.abs(changed!.curves[0]!.trainLoss - preset!.curves[0]!.trainLoss)).toBeGreaterThan(0.01)
  })

  it('sets the pace of the blocks against that of the head when a backbone is adapted', async () => {
    const tune = ['--recipe', 'fine-tune', '--top-blocks', '1', '--epochs', '2']
    const curveWith = async (name: string, groupRates: object) => {
      writeFileSync(at(`${name}.json`), JSON.stringify({ groupRates, learningRate: 0.01 }))
      const { code, stdout } = await run(name, ['--training', at(`${name}.json`)], tune)
      expect(code).toBe(0)
      expect(left(name).passport.gradients).toMatchObject({ topBlocks: 1, fitting: { groupRates } })
      return runResultSchema.parse(JSON.parse(stdout)).curves.map(({ trainLoss }) => trainLoss)
    }
    const blocks = await curveWith('blocks', { head: 0 })
    const head = await curveWith('head', { base: 0, head: 1 })
    expect(blocks).toHaveLength(2)
    expect(Math.abs(blocks[1]! - head[1]!)).toBeGreaterThan(1e-5)
  })

  it('refuses what cannot be done before a picture is imported', async () => {
    writeFileSync(at('wrong.json'), JSON.stringify({ regularisation: { mixpu: 0.2 }, epochs: 0 }))
    const { code, stdout } = await run('wrong', ['--training', at('wrong.json')])
    expect(code).toBe(1)
    expect(JSON.parse(stdout)).toMatchObject({
      error: {
        code: 'bad-request',
        message: expect.stringContaining('did you mean "mixup"? "epochs": The number of epochs') as string,
      },
    })
    expect(existsSync(at('wrong'))).toBe(false)
  })

  it('says which label is not there once the labels are known', async () => {
    writeFileSync(at('labels.json'), JSON.stringify({ classWeights: { leef: 2 } }))
    const { code, stdout } = await run('labels', ['--training', at('labels.json')])
    expect(code).toBe(1)
    expect(stdout).toContain('did you mean \\"leaf\\"?')
  })
})
