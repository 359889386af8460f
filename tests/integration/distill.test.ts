import { createHash } from 'node:crypto'
import { existsSync, readFileSync, readdirSync, statSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { z } from 'zod'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { prepareBackbone } from '#trainer/models/backbone.ts'
import { isReserved } from '../../electron/cli/commands/distill.ts'
import { copySample, kestrel, sampleFolder } from '../helpers/cli.ts'
import type { CliOutcome } from '../helpers/cli.ts'
import { bestSize } from '#trainer/distill/input-size.ts'
import { tinyFeatureLength } from '../helpers/tiny-backbone.ts'
import { tinyBackboneFolder } from '../helpers/training-studio.ts'
import { withContents } from '../helpers/folders.ts'

let folder = ''
let env: Record<string, string> = {}
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'kestrel-distill-'))
  const backbones = await tinyBackboneFolder(join(folder, 'backbones'))
  env = { KESTREL_HOME: join(folder, 'home'), KESTREL_BACKBONES: backbones }
  copySample(join(folder, 'few'), ['leaf', 'shell'], 12)
})
afterAll(() => rm(folder, withContents))

const at = (...names: string[]): string => join(folder, ...names)
const toyTeacher = 'tiny'
const distill = (out: string, pictures: string[], ...more: string[]): string[] => [
  ...['distill', '--teacher', toyTeacher, ...pictures, '--student', 'tiny', '--size', '64'],
  ...['--out', at(out), ...more],
]
const reportSchema = z.object({
  sha256: z.string(),
  agreement: z.number().nullable(),
  bytes: z.int(),
  featureLength: z.int(),
  epochs: z.int(),
  sizes: z.array(z.object({ size: z.int(), agreement: z.number() })),
  preprocessing: z.object({ size: z.object({ width: z.int(), height: z.int() }) }),
  pictures: z.object({ used: z.int(), skipped: z.int(), reserved: z.int() }),
})
const reportOf = (out: string) => reportSchema.parse(JSON.parse(readFileSync(at(out, 'result.json'), 'utf8')))
const done = (outcome: CliOutcome): CliOutcome => {
  expect(outcome.stderr + outcome.stdout).toContain('Training …')
  expect(outcome.code, outcome.stderr).toBe(0)
  return outcome
}

describe('kestrel distill', () => {
  it('makes a backbone that does as well on the sample as its toy teacher', async () => {
    const { stdout } = done(
      await kestrel(
        distill('student', ['--pictures', sampleFolder], '--views', '4', '--epochs', '10', '--json'),
        { env },
      ),
    )
    const report = reportSchema.parse(JSON.parse(stdout))
    expect(report).toEqual(reportOf('student'))
    expect(report).toMatchObject({ featureLength: 512, epochs: 10, pictures: { used: 224, skipped: 0 } })
    expect(statSync(at('student', 'backbone.onnx')).size).toBe(report.bytes)
    expect(report.agreement).toBeGreaterThan(0.8)
    // Whole pictures, shown larger than it has learned at: what agrees best is what it is written for.
    expect(report.sizes.map(({ size }) => size)).toEqual([64, 96])
    const size = bestSize(report.sizes)!
    expect(report.preprocessing.size).toEqual({ width: size, height: size })
    expect(bestSize([])).toBeNull()
    const tried = (...agreements: number[]) =>
      agreements.map((agreement, i) => ({ size: 64 + 32 * i, agreement }))
    expect(
      [
        [0.6, 0.65, 0.5],
        [0.65, 0.651, 0.64],
        [0.7, 0.6],
      ].map((each) => bestSize(tried(...each))),
    ).toEqual([96, 64, 64])
    expect(readFileSync(at('student', 'card.md'), 'utf8')).toContain(report.sha256)

    const added = await kestrel(['backbones', 'add', at('student', 'backbone.onnx'), '--json'], { env })
    expect(added.code, added.stderr).toBe(0)
    // What the file says of itself is enough.
    expect(added.stdout).not.toContain('could not be told')
    const prepared = await prepareBackbone(at('student', 'backbone.onnx'), at('again.onnx'))
    expect(prepared.preprocessing).toMatchObject({ ...report.preprocessing, divisor: [127.5, 127.5, 127.5] })
    const accuracies: Record<string, number> = {}
    for (const backbone of ['own-backbone', toyTeacher]) {
      const out = at(`probe ${backbone}`)
      const run = await kestrel(
        ['run', sampleFolder, '--out', out, '--backbone', backbone, '--folds', '5', '--json'],
        { env },
      )
      expect(run.code, run.stderr).toBe(0)
      const result = z
        .object({ folds: z.object({ pooled: z.object({ accuracy: z.number() }) }) })
        .parse(JSON.parse(run.stdout))
      accuracies[backbone] = result.folds.pooled.accuracy
    }
    expect(accuracies['own-backbone']).toBeGreaterThan(accuracies[toyTeacher]! - 0.03)
  })

  it('gives the same backbone again, and after being killed in the middle', async () => {
    const args = (out: string) => distill(out, ['--pictures', at('few')], '--views', '3', '--epochs', '4')
    done(await kestrel(args('first'), { env }))
    let killed = false
    const cut = await kestrel(args('cut'), {
      env,
      onOutput({ stderr }, kill) {
        if (killed || !stderr.includes('Epoch 2 of 4')) return
        killed = true
        kill('SIGKILL')
      },
    })
    expect(cut.code).toBeNull()
    expect(existsSync(at('cut', 'backbone.onnx'))).toBe(false)
    done(await kestrel(args('cut'), { env }))
    expect(reportOf('cut').sha256).toBe(reportOf('first').sha256)
  })

  it('goes on from a student that was made before, at a larger size', async () => {
    done(await kestrel(distill('early', ['--pictures', at('few')], '--views', '3', '--epochs', '6'), { env }))
    const args = (out: string, ...more: string[]) => [
      ...['distill', '--teacher', toyTeacher, '--pictures', at('few'), '--student', 'tiny', '--size', '96'],
      ...['--views', '3', '--epochs', '1', '--out', at(out), ...more],
    ]
    const lossOf = async (...more: string[]): Promise<number> =>
      Number(
        /Epoch 1 of 1: loss ([\d.]+)/.exec(done(await kestrel(args('later', ...more), { env })).stderr)![1],
      )
    const fresh = await lossOf()
    expect(await lossOf('--begin', at('early'))).toBeLessThan(0.8 * fresh)
    expect(readFileSync(at('later', 'card.md'), 'utf8')).toContain('--begin early')

    const none = await kestrel(args('none', '--begin', at('few')), { env })
    expect(none.code).toBe(1)
    expect(none.stderr).toContain('There is no student.onnx in')
    const other = await kestrel([...args('other', '--begin', at('early')), '--student', 'small'], { env })
    expect(other.code).toBe(1)
    expect(other.stderr).toContain('is another network than this one')
    expect(other.stderr).not.toContain('Computing features')
  })

  it('never shows the student the pictures that a probe is tested on, wherever else they lie', async () => {
    const hashes = ['leaf', 'shell'].flatMap((label) =>
      readdirSync(at('few', label)).map((name) =>
        createHash('sha256')
          .update(readFileSync(at('few', label, name)))
          .digest('hex'),
      ),
    )
    const reserved = hashes.filter((sha256) => /^[012]/.test(sha256)).length
    expect(reserved).toBeGreaterThan(1)
    for (const folders of [
      ['--probe', at('few')],
      ['--pictures', at('few'), '--probe', at('few')],
    ]) {
      const { stderr } = await kestrel(
        distill('probed', folders, '--views', '1', '--epochs', '1', '--json'),
        {
          env,
        },
      )
      expect(stderr).toContain('Epoch 1 of 1')
      expect(stderr).toContain(`${reserved} pictures are reserved by the --probe folders and are left out.`)
      expect(reportOf('probed').pictures).toEqual(
        expect.objectContaining({ used: hashes.length - reserved, skipped: 0, reserved }),
      )
    }
    expect(isReserved('2f')).toBe(true)
    expect(isReserved('3f')).toBe(false)
  })

  it('is taught by a finished model as well, of a project or exported', async () => {
    const run = await kestrel(
      ['run', at('few'), '--out', at('project'), '--backbone', toyTeacher, '--export', 'onnx'],
      { env },
    )
    expect(run.code, run.stderr).toBe(0)
    const { exports } = z
      .object({ exports: z.array(z.object({ path: z.string() })) })
      .parse(JSON.parse(readFileSync(at('project', 'result.json'), 'utf8')))
    for (const [index, teacher] of [at('project'), exports[0]!.path].entries()) {
      const args = ['distill', '--teacher', teacher, '--pictures', at('few'), '--student', 'tiny']
      const out = `taught ${index}`
      done(
        await kestrel([...args, '--size', '64', '--views', '2', '--epochs', '2', '--out', at(out)], { env }),
      )
      const { network } = z
        .object({ network: z.object({ layers: z.array(z.object({ units: z.int().optional() })) }) })
        .parse(JSON.parse(readFileSync(at(out, 'result.json'), 'utf8')))
      // As many numbers as the toy backbone gives, not one per label.
      expect(network.layers.at(-1)!.units).toBe(tinyFeatureLength)
    }
    const wrong = await kestrel(
      ['distill', '--teacher', at('few'), '--pictures', at('few'), '--student', 'tiny', '--out', at('wrong')],
      { env },
    )
    expect(wrong.code).toBe(1)
    expect(wrong.stderr).toContain('holds no model that Kestrel can use')
  })

  it('says what is missing before anything is computed', async () => {
    const none = await kestrel(['distill', '--teacher', 'x', '--student', 'tiny', '--out', at('none')], {
      env,
    })
    expect(none.code).toBe(2)
    expect(none.stderr).toContain('--pictures FOLDER is missing')
    const unknown = await kestrel(
      ['distill', '--teacher', 'nobody', '--pictures', at('few'), '--student', 'tiny', '--out', at('none')],
      { env },
    )
    expect(unknown.code).toBe(1)
    expect(unknown.stderr).toContain('There is no backbone "nobody"')
    expect(existsSync(at('none'))).toBe(false)
  })
})
