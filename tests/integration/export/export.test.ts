import { execFileSync, spawnSync } from 'node:child_process'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { preprocessFile } from '#imaging/prepare.ts'
import type { ExportFormat, ExportRequest, ExportResult } from '#shared/contract/trainer.ts'
import { createRandom } from '#shared/domain/random.ts'
import type { Preprocessing } from '#shared/domain/preprocessing/index.ts'
import { OnnxSession } from '../../../electron/trainer/engines/onnx/session.ts'
import { exportModel } from '../../../electron/trainer/export/index.ts'
import { float32 } from '../../../electron/trainer/graph/tensor.ts'
import { StopSignal, type RequestContext } from '../../../electron/trainer/host/context.ts'
import { backboneOf } from '../../../electron/trainer/models/backbone.ts'
import { composeBatchClassifier } from '../../../electron/trainer/models/classifier.ts'
import { readModel } from '../../../electron/trainer/models/source.ts'
import { describeWithShared, sharedPath } from '../../helpers/shared.ts'
import { withContents } from '../../helpers/folders.ts'

const classes = ['daisy', 'dandelion', 'roses', 'sunflowers', 'tulips']
const backboneId = 'mobilenet_v1_0.25_128'

interface Expected {
  file: string
  label: string
  probability: number
  probabilities: Record<string, number>
}
interface Answer extends Expected {
  sure: boolean
}

function contextOf(stop = new StopSignal()): RequestContext {
  return { stop, progress: () => undefined, metric: () => undefined, partial: () => undefined }
}

/** Python with what predict.py needs, in a folder of its own; undefined when this machine cannot have it. */
function pythonWithPackages(folder: string): string | undefined {
  const base = ['python3', 'python'].find((name) => spawnSync(name, ['--version']).status === 0)
  if (base === undefined) return undefined
  const venv = join(folder, 'venv')
  if (spawnSync(base, ['-m', 'venv', venv]).status !== 0) return undefined
  const python = join(venv, process.platform === 'win32' ? 'Scripts/python.exe' : 'bin/python')
  const packages = ['-m', 'pip', 'install', '--quiet', 'onnxruntime', 'pillow', 'numpy']
  return spawnSync(python, packages, { timeout: 240_000 }).status === 0 ? python : undefined
}

describeWithShared('exports', [`backbones/${backboneId}/model.h5`, 'data/flowers5'], () => {
  let folder: string
  let runDir: string
  let preprocessing: Preprocessing
  let pictures: { path: string; name: string; label: string }[]
  let own: Float32Array

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'kestrel-export-'))
    runDir = join(folder, 'run')
    mkdirSync(runDir)
    const backbone = backboneOf(await readModel(sharedPath(`backbones/${backboneId}/model.h5`)))
    if (backbone.preprocessing === null) throw new Error('known architecture')
    preprocessing = backbone.preprocessing
    const features = backbone.featureLength
    const random = createRandom(11)
    const head = {
      weights: Float64Array.from({ length: classes.length * features }, () => random.normal(0, 0.15)),
      bias: new Float64Array(classes.length),
      featureMean: Float64Array.from({ length: features }, () => random.float()),
      featureScale: Float64Array.from({ length: features }, () => 0.5 + random.float()),
    }
    const model = composeBatchClassifier({ trunk: backbone.graph, head, preprocessing, classes })
    writeFileSync(join(runDir, 'model.onnx'), model)
    writeFileSync(join(runDir, 'labels.json'), JSON.stringify(classes))
    writeFileSync(join(runDir, 'preprocessing.json'), JSON.stringify(preprocessing))

    // Some of every class; flowers5 holds pictures with colour profiles (Adobe RGB, Generic RGB) too.
    pictures = classes.flatMap((label) =>
      readdirSync(sharedPath(`data/flowers5/${label}`))
        .sort()
        .slice(0, 8)
        .map((name) => ({ path: sharedPath(`data/flowers5/${label}/${name}`), name, label })),
    )
    const session = await OnnxSession.open(model)
    own = new Float32Array(pictures.length * classes.length)
    const { width, height } = preprocessing.size
    for (const [row, { path }] of pictures.entries()) {
      const input = float32([1, 3, height, width], await preprocessFile(path, preprocessing))
      const { probabilities } = await session.run({ input })
      own.set(probabilities!.data as Float32Array, row * classes.length)
    }
    await session.dispose()
  })
  afterAll(() => rmSync(folder, withContents))

  function requestFor(format: ExportFormat, targetDir: string): ExportRequest {
    return {
      kind: 'export',
      format,
      modelDir: runDir,
      targetDir,
      card: {
        name: 'Five flowers',
        kestrelVersion: '0.1.0',
        createdAt: '2026-01-02T03:04:05.000Z',
        backbone: backboneId,
        backboneLicence: 'Apache-2.0',
        recipe: 'head',
        seed: 5,
        pictures: { train: 100, val: 20, test: 40 },
        testAccuracy: 0.85,
        testAccuracyCi95: [0.71, 0.93],
        macroF1: 0.84,
        perClass: classes.map((label) => ({ label, precision: 0.8, recall: 0.9, f1: 0.85, support: 8 })),
      },
      threshold: 0.4,
      samples: pictures.filter((_, index) => index % 4 === 0),
      proofImages: pictures.map(({ path }) => ({ path })),
      proofProbabilities: own,
    }
  }

  const exported = new Map<ExportFormat, Promise<{ result: ExportResult; target: string }>>()
  function exportOnce(format: ExportFormat): Promise<{ result: ExportResult; target: string }> {
    const target = join(folder, format)
    const begun =
      exported.get(format) ??
      exportModel(requestFor(format, target), contextOf()).then((result) => ({ result, target }))
    exported.set(format, begun)
    return begun
  }

  const expectedOf = (target: string): Expected[] =>
    JSON.parse(readFileSync(join(target, 'samples/expected.json'), 'utf8')) as Expected[]

  function expectSameAnswers(answers: Answer[], expected: Expected[], tolerance: number): void {
    expect(answers).toHaveLength(expected.length)
    for (const [index, answer] of answers.entries()) {
      const wanted = expected[index]!
      expect(answer.label).toBe(wanted.label)
      expect(answer.sure).toBe(answer.probability >= 0.4)
      for (const label of classes) {
        expect(Math.abs(answer.probabilities[label]! - wanted.probabilities[label]!)).toBeLessThan(tolerance)
      }
    }
  }

  test.each(['onnx', 'tfjs'] as const)('%s answers like the app, from the original files', async (format) => {
    const { result, target } = await exportOnce(format)
    expect(result.proof).toMatchObject({
      images: pictures.length,
      same_answer: pictures.length,
      passed: true,
    })
    expect(result.proof.max_abs_diff_same_tensor).toBeLessThan(1e-4)
    expect(result.proof.max_abs_diff).toBeLessThan(1e-4)
    console.info(`${format}: ${JSON.stringify(result.proof)}, ${result.bytes} bytes`)
    expect(result.files).toEqual(
      expect.arrayContaining(['README.md', 'labels.txt', 'predict.mjs', 'samples/expected.json']),
    )
    for (const file of result.files) expect(existsSync(join(target, file)), file).toBe(true)
    expect(readFileSync(join(target, 'labels.txt'), 'utf8')).toBe(`${classes.join('\n')}\n`)
    expect(expectedOf(target)).toHaveLength(10)
    const card = readFileSync(join(target, 'README.md'), 'utf8')
    for (const words of [
      'Five flowers',
      '85.0 %',
      '71.0 %',
      'Apache-2.0',
      '128 x 128',
      'not sure',
      '40 of 40',
    ]) {
      expect(card).toContain(words)
    }
  })

  test('weights for the browser come in files of 4 MB at the most', async () => {
    const { target } = await exportOnce('tfjs')
    const shards = readdirSync(target).filter((name) => name.endsWith('.bin'))
    expect(shards.length).toBeGreaterThan(0)
    for (const name of shards)
      expect(readFileSync(join(target, name)).length).toBeLessThanOrEqual(4 * 2 ** 20)
  })

  test('predict.py gives the expected answers for the samples', async (context) => {
    const { target } = await exportOnce('onnx')
    const python = pythonWithPackages(folder)
    if (python === undefined) {
      console.error(
        '\n!!! NOT TESTED: predict.py needs Python 3 with pip able to install onnxruntime, pillow and numpy\n',
      )
      context.skip()
      return
    }
    const expected = expectedOf(target)
    const files = expected.map(({ file }) => join(target, 'samples', file))
    const printed = execFileSync(python, [join(target, 'predict.py'), '--json', ...files], {
      encoding: 'utf8',
    })
    expectSameAnswers(JSON.parse(printed) as Answer[], expected, 5e-3)
    const plain = execFileSync(python, [join(target, 'predict.py'), files[0]!], { encoding: 'utf8' })
    // Pixels are the same to the last bit, but for pictures with a colour profile, where rounding differs.
    const answers = JSON.parse(printed) as Answer[]
    const plainPictures = answers.flatMap((answer, index) =>
      readFileSync(files[index]!).includes('ICC_PROFILE') ? [] : [[answer, expected[index]!] as const],
    )
    expect(plainPictures.length).toBeGreaterThan(4)
    for (const [answer, wanted] of plainPictures) {
      expect(Math.abs(answer.probability - wanted.probability), wanted.file).toBeLessThan(1e-4)
    }
    const [, label, probability] = plain.trimEnd().split('\t')
    expect(label).toContain(expected[0]!.label)
    expect(Math.abs(Number(probability) - expected[0]!.probability)).toBeLessThan(1e-3)
  }, 300_000)

  test.each(['onnx', 'tfjs'] as const)('%s: predict.mjs runs as a program of its own', async (format) => {
    const { target } = await exportOnce(format)
    // As after `npm install`, without fetching anything.
    const modules = join(target, 'node_modules')
    if (!existsSync(modules))
      symlinkSync(join(import.meta.dirname, '../../../node_modules'), modules, 'junction')
    try {
      const expected = expectedOf(target)
      const files = expected.map(({ file }) => join(target, 'samples', file))
      const run = spawnSync(process.execPath, [join(target, 'predict.mjs'), '--json', ...files], {
        encoding: 'utf8',
      })
      expect(run.stderr).not.toContain('Error')
      expect(run.status).toBe(0)
      expectSameAnswers(JSON.parse(run.stdout) as Answer[], expected, 1e-4)
      const usage = spawnSync(process.execPath, [join(target, 'predict.mjs')], { encoding: 'utf8' })
      expect(usage.status).toBe(2)
    } finally {
      rmSync(modules, { force: true })
    }
  })

  test('an export that answers otherwise is not offered and leaves nothing behind', async () => {
    const target = join(folder, 'refused')
    const request = requestFor('onnx', target)
    // Answers of another model: the classes turned by one.
    const turned = own.map((_, index) => {
      const row = Math.floor(index / classes.length)
      return own[row * classes.length + ((index + 1) % classes.length)]!
    })
    const attempt = exportModel({ ...request, proofProbabilities: turned }, contextOf())
    await expect(attempt).rejects.toMatchObject({ code: 'export-proof-failed' })
    expect(readdirSync(target)).toEqual([])
  })

  test('a stop ends the proof and leaves nothing behind', async () => {
    const target = join(folder, 'stopped')
    const stop = new StopSignal()
    const context = contextOf(stop)
    context.progress = (stage) => {
      if (stage === 'proving') stop.ask(false)
    }
    await expect(exportModel(requestFor('tfjs', target), context)).rejects.toMatchObject({ code: 'stopped' })
    expect(readdirSync(target)).toEqual([])
  })
})
