import { readFileSync, writeFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { z } from 'zod'
import { readNpy } from '#shared/util/npy.ts'
import { runResultSchema } from '../../electron/cli/result.ts'
import { readOnnx, writeOnnx } from '../../electron/trainer/graph/onnx/index.ts'
import { copySample, kestrel } from '../helpers/cli.ts'
import { largestDifference } from '../helpers/graphs.ts'
import { tinyNetwork } from '../helpers/tiny-backbone.ts'
import { tinyBackboneFolder } from '../helpers/training-studio.ts'
import { withContents } from '../helpers/folders.ts'

let folder = ''
let env: Record<string, string> = {}
const at = (name: string): string => join(folder, name)

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'kestrel-own-export-'))
  env = { KESTREL_HOME: at('home'), KESTREL_BACKBONES: await tinyBackboneFolder(at('backbones')) }
  copySample(at('first'), ['feather', 'leaf', 'shell'], 12)
  copySample(at('second'), ['mushroom', 'shell'], 12)
})
afterAll(() => rm(folder, withContents))

async function said(...args: string[]): Promise<unknown> {
  const { code, stdout, stderr } = await kestrel([...args, '--json'], { env })
  if (code !== 0) throw new Error(`${stderr}\n${stdout}`)
  return JSON.parse(stdout)
}

const run = async (pictures: string, out: string, ...more: string[]) =>
  runResultSchema.parse(await said('run', at(pictures), '--out', at(out), '--seed', '4', ...more))

const addedSchema = z.object({
  backbone: z.object({ id: z.string(), inputSize: z.int(), featureLength: z.int(), words: z.string() }),
})

/** Takes the ONNX export of a run in as a backbone: the folder that was written, as a person has it. */
async function addExport({ exports }: z.infer<typeof runResultSchema>) {
  const folderOfExport = exports.find(({ format }) => format === 'onnx')!.path
  return addedSchema.parse(await said('backbones', 'add', folderOfExport)).backbone
}

async function featuresBy(backbone: string): Promise<Float32Array> {
  const out = at(`${backbone}.npy`)
  await said('features', at('second'), '--backbone', backbone, '--out', out)
  return readNpy(readFileSync(out)).data as Float32Array
}

/** A second project on what was taken in, frozen and adapted, and out again. */
async function expectUsable(backbone: string, out: string): Promise<void> {
  for (const recipe of [
    ['--recipe', 'head', '--folds', '3'],
    ['--recipe', 'fine-tune', '--epochs', '2', '--top-blocks', '1'],
  ]) {
    const result = await run(
      ...(['second', `${out}-${recipe[1]}`, '--backbone', backbone, ...recipe] as const),
      ...['--export', 'onnx,tfjs'],
    )
    expect(result).toMatchObject({ backbone, recipe: recipe[1], classes: ['mushroom', 'shell'] })
    expect(result.exports.map(({ format, proof }) => [format, proof.images - proof.same_answer])).toEqual([
      ['onnx', 0],
      ['tfjs', 0],
    ])
  }
}

// Trainings and proofs, on a machine that may be busy with other tests.
describe('a model that was exported from one project', { timeout: 600_000 }, () => {
  it('is the backbone of another: the same features, frozen and adapted, and exported again', async () => {
    const first = await run('first', 'first-project', '--backbone', 'tiny', '--export', 'onnx')
    const backbone = await addExport(first)
    expect(backbone).toMatchObject({ id: 'own-model', inputSize: 32, featureLength: 24 })
    expect(backbone.words).toContain('feather, leaf and shell')
    expect(largestDifference(await featuresBy('own-model'), await featuresBy('tiny'))).toBeLessThan(1e-6)
    await expectUsable(backbone.id, 'second-project')
  })

  it('is so with a support vector machine on top, too', async () => {
    const more = ['--backbone', 'tiny', '--head', 'svm', '--export', 'onnx']
    const backbone = await addExport(await run('first', 'svm-project', ...more))
    expect(largestDifference(await featuresBy(backbone.id), await featuresBy('tiny'))).toBeLessThan(1e-6)
  })

  it('is so when the whole network was learned from the pixels', async () => {
    const more = ['--recipe', 'scratch', '--network', 'lenet-5', '--epochs', '1', '--export', 'onnx']
    const backbone = await addExport(await run('first', 'scratch-project', ...more))
    expect(backbone).toMatchObject({ inputSize: 64, featureLength: 84 })
    await expectUsable(backbone.id, 'on-scratch')
  })
})

it('a network that the runtime cannot run is refused while it is added, and leaves nothing behind', async () => {
  const network = readOnnx(tinyNetwork())
  // An operator of a later set than the file says.
  const nodes = network.nodes.map((node) => (node.op === 'Relu' ? { ...node, op: 'Gelu' } : node))
  const file = at('later.onnx')
  writeFileSync(file, writeOnnx({ ...network, nodes }))
  const { code, stdout } = await kestrel(['backbones', 'add', file, '--json'], { env })
  expect(code).toBe(1)
  expect(JSON.parse(stdout)).toMatchObject({
    error: {
      code: 'backbone-unsupported',
      message: expect.stringMatching(/ONNX Runtime cannot run it.*Gelu/),
      remedy: expect.stringContaining('Save it again'),
    },
  })
  const known = z
    .object({ backbones: z.array(z.object({ id: z.string() })) })
    .parse(await said('backbones', 'list'))
  expect(known.backbones.map(({ id }) => id)).not.toContain('own-later')
})
