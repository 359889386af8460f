import { spawn, type ChildProcess } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { chromium, type Browser } from 'playwright-core'
import sharp from 'sharp'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { preprocessFile } from '#imaging/prepare.ts'
import type { Preprocessing } from '#shared/domain/preprocessing/index.ts'
import { createRandom } from '#shared/domain/random.ts'
import { appRoot } from '#shared/util/app-folders.ts'
import { findBrowser } from '../../../scripts/lib/browser.ts'
import { OnnxSession } from '../../../electron/trainer/engines/onnx/session.ts'
import { exportModel } from '../../../electron/trainer/export/index.ts'
import { GraphBuilder } from '../../../electron/trainer/graph/builder.ts'
import { float32 } from '../../../electron/trainer/graph/tensor.ts'
import { int, ints } from '../../../electron/trainer/graph/types.ts'
import type { Graph } from '../../../electron/trainer/graph/types.ts'
import { StopSignal } from '../../../electron/trainer/host/context.ts'
import { composeBatchClassifier } from '../../../electron/trainer/models/classifier.ts'
import { withContents } from '../../helpers/folders.ts'

const classes = ['warm', 'cold', 'in between']
const preprocessing: Preprocessing = {
  version: 1,
  size: { width: 24, height: 20 },
  fit: 'stretch',
  filter: 'pillow-bilinear',
  background: [255, 255, 255],
  channelOrder: 'BGR',
  mean: [120, 110, 100],
  divisor: [60, 60, 60],
  jpegScaledDecode: false,
}
const random = createRandom(17)
const noise = (count: number, scale: number): Float32Array =>
  Float32Array.from({ length: count }, () => random.normal(0, scale))

function trunk(): Graph {
  const builder = new GraphBuilder('trunk')
  const input = builder.input({ name: 'input', type: 'float32', shape: ['batch', 3, 20, 24] })
  const kernel = builder.constant('kernel', float32([8, 3, 3, 3], noise(216, 0.4)))
  const conv = builder.node('Conv', [input, kernel], { pads: ints([0, 0, 1, 1]), strides: ints([2, 2]) })
  const pooled = builder.node('GlobalAveragePool', [builder.node('Relu', [conv])])
  const features = builder.node('Flatten', [pooled], { axis: int(1) })
  builder.output(features, { name: 'features', type: 'float32', shape: ['batch', 8] })
  return builder.build()
}

const browserPath = findBrowser()
// Comes along with an optional package.
const tensorflow = join(appRoot, 'node_modules/@tensorflow/tfjs/dist/tf.min.js')
const missing = [
  ...(browserPath === null ? ['Chromium, Chrome or Edge'] : []),
  ...(existsSync(tensorflow) ? [] : ['the package @tensorflow/tfjs']),
]
if (missing.length > 0) {
  console.error(`\n!!! NOT TESTED: the page of TensorFlow.js exports needs ${missing.join(' and ')}\n`)
}

describe.skipIf(missing.length > 0)('the page of a TensorFlow.js export', () => {
  let folder: string
  let server: ChildProcess
  let address: string
  let browser: Browser

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'kestrel-page-'))
    const runDir = join(folder, 'run')
    mkdirSync(runDir)
    const head = {
      weights: noise(24, 3),
      bias: new Float32Array(3),
      featureMean: new Float32Array(8),
      featureScale: new Float32Array(8).fill(1),
    }
    const model = composeBatchClassifier({ trunk: trunk(), head, preprocessing, classes })
    writeFileSync(join(runDir, 'model.onnx'), model)
    writeFileSync(join(runDir, 'labels.json'), JSON.stringify(classes))
    writeFileSync(join(runDir, 'preprocessing.json'), JSON.stringify(preprocessing))

    const session = await OnnxSession.open(model)
    const pictures: string[] = []
    const answers: number[] = []
    for (const [width, height, channels] of [
      [61, 47, 3],
      [24, 20, 3],
      [50, 80, 4],
      [9, 9, 1],
    ] as const) {
      const path = join(folder, `${width}x${height}.png`)
      const data = Uint8Array.from({ length: width * height * channels }, () => random.below(256))
      await sharp(data, { raw: { width, height, channels } }).png().toFile(path)
      const input = float32([1, 3, 20, 24], await preprocessFile(path, preprocessing))
      const { probabilities } = await session.run({ input })
      pictures.push(path)
      answers.push(...(probabilities!.data as Float32Array))
    }
    await session.dispose()

    const target = join(folder, 'export')
    const { proof } = await exportModel(
      {
        kind: 'export',
        format: 'tfjs',
        modelDir: runDir,
        targetDir: target,
        card: {
          name: 'Noise',
          kestrelVersion: '0.0.0',
          createdAt: '2026-01-02T03:04:05.000Z',
          backbone: 'none',
          backboneLicence: null,
          recipe: 'scratch',
          seed: 1,
          pictures: { train: 3, val: 1, test: 0 },
          testAccuracy: null,
          testAccuracyCi95: null,
          macroF1: null,
          perClass: [],
        },
        threshold: 0,
        samples: pictures.slice(0, 2).map((path) => ({ path, name: 'same name.png', label: 'warm' })),
        proofImages: pictures.map((path) => ({ path })),
        proofProbabilities: Float32Array.from(answers),
      },
      {
        stop: new StopSignal(),
        progress: () => undefined,
        metric: () => undefined,
        partial: () => undefined,
      },
    )
    expect(proof).toMatchObject({ images: 4, same_answer: 4, passed: true })
    symlinkSync(join(appRoot, 'node_modules'), join(target, 'node_modules'), 'junction')
    server = spawn(process.execPath, [join(target, 'serve.mjs'), '0'], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    address = await new Promise<string>((resolve, reject) => {
      server.stdout?.once('data', (line: Buffer) => resolve(/http:\S+/.exec(line.toString())?.[0] ?? ''))
      server.once('exit', () => reject(new Error('the server ended')))
    })
    browser = await chromium.launch({ executablePath: browserPath ?? '', args: ['--no-sandbox'] })
  }, 120_000)

  afterAll(async () => {
    await browser?.close()
    server?.kill()
    rmSync(join(folder, 'export/node_modules'), { force: true })
    rmSync(folder, withContents)
  })

  test('answers as the app does, and asks nobody else for anything', async () => {
    const page = await browser.newPage()
    const asked: string[] = []
    const complaints: string[] = []
    page.on('request', (request) => asked.push(request.url()))
    page.on('pageerror', (error) => complaints.push(error.message))
    await page.goto(address)
    const answer = page.locator('#answer')
    await page.getByText('Ready. Tells apart: warm, cold, in between.').waitFor()
    const samples = z
      .array(z.object({ file: z.string(), label: z.string(), probability: z.number() }))
      .parse(JSON.parse(readFileSync(join(folder, 'export/samples/expected.json'), 'utf8')))
    // Two samples of the same name lie side by side.
    expect(samples.map(({ file }) => file)).toEqual(['same name.png', 'same name-2.png'])
    for (const { file, label, probability } of samples) {
      await page.setInputFiles('#file', join(folder, 'export/samples', file))
      await page
        .locator('#bars tr')
        .first()
        .getByText(`${(probability * 100).toFixed(1)} %`)
        .waitFor()
      expect(await answer.textContent()).toBe(label)
    }
    expect(complaints).toEqual([])
    expect(asked.filter((url) => !url.startsWith(address) && !url.startsWith('blob:'))).toEqual([])
  })

  test('serves nothing outside its folder', async () => {
    for (const path of ['/..%2frun%2fmodel.onnx', '/%2e%2e/run/model.onnx', '/none']) {
      expect((await fetch(`${address}${path}`)).status).toBe(404)
    }
  })
})
