import { mkdirSync, mkdtempSync, readFileSync, readdirSync, renameSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { z } from 'zod'
import { runResultSchema } from '../../electron/cli/result.ts'
import type { RunResult } from '../../electron/cli/result.ts'
import { kestrel } from '../helpers/cli.ts'
import { drawPictures } from '../helpers/drawn-pictures.ts'
import { tinyBackboneFolder } from '../helpers/training-studio.ts'
import { withContents } from '../helpers/folders.ts'

const labels = ['berry', 'box', 'lemon']
let folder = ''
let env: Record<string, string> = {}
const at = (name: string): string => join(folder, name)

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'kestrel-svm-'))
  env = { KESTREL_HOME: at('home'), KESTREL_BACKBONES: await tinyBackboneFolder(at('backbones')) }
  for (const { path, label } of await drawPictures(at('drawn'), { classes: 3, count: 24, seed: 3 })) {
    const into = join(at('pictures'), labels[label]!)
    mkdirSync(into, { recursive: true })
    renameSync(path, join(into, basename(path)))
  }
})
afterAll(() => rmSync(folder, withContents))

const trainedSchema = z.object({ recipe: z.string(), objective: z.string().nullable() })
const passportSchema = z.object({
  config: z.object({ objective: z.string() }),
  warmStartFrom: z.string().nullable(),
  run: z.object({ number: z.int() }),
})

async function run(project: string, ...more: string[]): Promise<RunResult> {
  const args = ['run', at('pictures'), '--out', at(project), '--json', ...more]
  const { code, stdout, stderr } = await kestrel(args, { env })
  expect({ code, stderr: code === 0 ? '' : stderr }).toEqual({ code: 0, stderr: '' })
  return runResultSchema.parse(JSON.parse(stdout))
}

/** What the newest run of a project left. */
function newest(project: string) {
  const name = readdirSync(join(at(project), 'runs'))
    .sort()
    .at(-1)!
  const json = (file: string): unknown =>
    JSON.parse(readFileSync(join(at(project), 'runs', name, file), 'utf8'))
  return {
    name,
    trained: trainedSchema.parse(json('training.json')),
    passport: passportSchema.parse(json('passport.json')),
  }
}

describe('kestrel run --head svm', { timeout: 240_000 }, () => {
  it('fits, checks on folds and exports a head that answers like the app', async () => {
    const svm = await run('project', '--head', 'svm', '--folds', '4', '--export', 'onnx,tfjs')
    expect(svm.recipe).toBe('head')
    expect(svm.metrics.test!.accuracy).toBeGreaterThan(0.6)
    expect(svm.folds).toMatchObject({ k: 4 })
    expect(svm.folds!.pooled.accuracy).toBeGreaterThan(0.6)
    expect(svm.checks.map(({ id, verdict }) => [id, verdict])).toEqual([
      ['finite', 'good'],
      ['explosion', 'skipped'],
      ['learning', 'skipped'],
      ['overfitting', svm.split.val < 10 ? 'skipped' : 'good'],
      ['underfitting', 'skipped'],
    ])
    for (const { proof } of svm.exports) {
      expect(proof.same_answer).toBe(proof.images)
      expect(proof.max_abs_diff).toBeLessThan(0.01)
    }
    const first = newest('project')
    expect(first.trained).toMatchObject({ recipe: 'head', objective: 'svm' })
    expect(first.passport).toMatchObject({ config: { objective: 'svm' }, warmStartFrom: null })
    const card = readFileSync(join(svm.exports[0]!.path, 'README.md'), 'utf8')
    expect(card).toContain('a linear support vector machine for each label is trained on its features')
    expect(card).toContain('Its probabilities are a ranking')

    // Another objective starts cold and answers with other probabilities; the same one starts where it ended.
    const softmax = await run('project', '--recipe', 'head', '--folds', '4')
    const second = newest('project')
    expect(second.trained.objective).toBe('softmax')
    expect(second.passport.warmStartFrom).toBeNull()
    expect(softmax.metrics.test!.log_loss).not.toBeCloseTo(svm.metrics.test!.log_loss, 3)
    expect(softmax.folds!.pooled.log_loss).not.toBeCloseTo(svm.folds!.pooled.log_loss, 3)

    const again = await run('project', '--head', 'svm', '--folds', '4')
    expect(newest('project').passport.warmStartFrom).toBe(first.name)
    expect(again.curves.length).toBeLessThan(svm.curves.length)
    expect(again.metrics.test!.accuracy).toBeCloseTo(svm.metrics.test!.accuracy, 1)
  })

  it('is what a fine-tuning begins with', async () => {
    const more = [
      '--recipe',
      'fine-tune',
      '--head',
      'svm',
      '--epochs',
      '1',
      '--lr',
      '1e-7',
      '--top-blocks',
      '1',
    ]
    const result = await run('tuned', ...more, '--export', 'onnx')
    expect(newest('tuned').trained).toMatchObject({ objective: 'svm' })
    // A step of nothing answers like the head it began with.
    expect(result.kept!.tunedAccuracy).toBe(result.kept!.headAccuracy)
    expect(result.exports[0]!.proof).toMatchObject({ same_answer: result.exports[0]!.proof.images })
    const card = readFileSync(join(result.exports[0]!.path, 'README.md'), 'utf8')
    expect(card).toContain('a linear support vector machine for each label')
    expect(card.includes('are a ranking')).toBe(!result.kept!.tuned)
  })
})
