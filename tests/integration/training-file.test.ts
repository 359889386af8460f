import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { z } from 'zod'
import { trainConfigSchema } from '#shared/contract/training.ts'
import { augmentationSchema } from '#shared/domain/augmentation/index.ts'
import { fittingConfigSchema } from '#shared/domain/training/config.ts'
import { runResultSchema } from '../../electron/cli/result.ts'
import { copySample, kestrel } from '../helpers/cli.ts'

let folder = ''
const at = (name: string): string => join(folder, name)
const network = ['--recipe', 'scratch', '--network', 'lenet-5', '--json']

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'kestrel-training-file-'))
  copySample(at('pictures'), ['leaf', 'shell'], 12)
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

async function run(project: string, more: readonly string[]) {
  const args = ['run', at('pictures'), '--out', at(project), ...network, ...more]
  return await kestrel(args, { env: { KESTREL_HOME: at('home') } })
}

const trainedSchema = z.object({
  fitting: fittingConfigSchema,
  augmentation: augmentationSchema,
  epochs: z.int(),
})
const passportSchema = z.object({ config: trainConfigSchema })

/** What a run left in its folder. */
function left(project: string) {
  const runs = join(at(project), 'runs')
  const own = join(runs, readdirSync(runs)[0]!)
  const json = (name: string): unknown => JSON.parse(readFileSync(join(own, name), 'utf8'))
  return {
    trained: trainedSchema.parse(json('training.json')),
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
    const { trained, passport } = left('own')
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
