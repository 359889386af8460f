import { copyFile, mkdir, readdir, rm, stat, writeFile } from 'node:fs/promises'
import { basename, extname, join } from 'node:path'
import type { ExportRequest } from '#shared/contract/trainer.ts'
import { KestrelError } from '#shared/errors/index.ts'
import { resourcesFolder } from '#shared/util/app-folders.ts'
import { resizeFile } from '#imaging/prepare.ts'
import { tensorFromResized } from '#shared/domain/preprocessing/index.ts'
import { OnnxSession } from '../engines/onnx/session.ts'
import { float32 } from '../graph/tensor.ts'
import { writeOnnx } from '../graph/onnx/index.ts'
import { writeTfjsModel } from '../graph/tfjs/index.ts'
import { withPreprocessing } from '../models/classifier.ts'
import { aboutFile } from './about.ts'
import type { About, TrainedModel } from './about.ts'

const json = (value: unknown): string => `${JSON.stringify(value, null, 2)}\n`

/** Programs that go with each format, as they lie in `resources/export`. */
const snippets: Record<ExportRequest['format'], string[]> = {
  onnx: ['decode.mjs', 'onnx/predict.mjs', 'onnx/predict.py', 'onnx/requirements.txt'],
  tfjs: [
    'decode.mjs',
    'tfjs/predict.mjs',
    'tfjs/classifier.js',
    'tfjs/preprocess.js',
    'tfjs/index.html',
    'tfjs/serve.mjs',
  ],
}

/** What `npm install` in the exported folder brings; the versions this app proves its exports with. */
const packages: Record<ExportRequest['format'], Record<string, string>> = {
  onnx: { 'onnxruntime-node': '^1.30.0', sharp: '^0.35.5' },
  tfjs: {
    '@tensorflow/tfjs': '^4.22.0',
    '@tensorflow/tfjs-backend-cpu': '^4.22.0',
    '@tensorflow/tfjs-backend-wasm': '^4.22.0',
    '@tensorflow/tfjs-converter': '^4.22.0',
    '@tensorflow/tfjs-core': '^4.22.0',
    sharp: '^0.35.5',
  },
}

/**
 * Writes everything but the model card, which waits for the proof.
 * @returns paths of the sample pictures within the folder
 */
export async function writePackage(
  request: ExportRequest,
  model: TrainedModel,
  about: About,
): Promise<string[]> {
  const { targetDir, format } = request
  await mkdir(targetDir, { recursive: true })
  if (format === 'onnx') {
    const graph = withPreprocessing(model.graph, {
      preprocessing: model.preprocessing,
      classes: model.classes,
      threshold: request.threshold,
      kestrelVersion: request.card.kestrelVersion,
    })
    await writeFile(join(targetDir, about.file), writeOnnx(graph))
  } else {
    const { json: topology, shards } = writeTfjsModel(model.graph, model.preprocessing, {
      labels: model.classes,
      threshold: request.threshold,
      kestrel: request.card.kestrelVersion,
    })
    await writeFile(join(targetDir, about.file), JSON.stringify(topology))
    for (const [name, bytes] of shards) await writeFile(join(targetDir, name), bytes)
  }
  await writeFile(join(targetDir, aboutFile[format]), json(about))
  await writeFile(
    join(targetDir, 'labels.txt'),
    `${about.labels.map((label) => label.replace(/\s+/g, ' ')).join('\n')}\n`,
  )
  await writeFile(
    join(targetDir, 'package.json'),
    json({
      name: 'kestrel-classifier',
      private: true,
      type: 'module',
      ...(format === 'tfjs' ? { scripts: { start: 'node serve.mjs' } } : {}),
      dependencies: packages[format],
    }),
  )
  for (const snippet of snippets[format]) {
    await copyFile(join(resourcesFolder(), 'export', snippet), join(targetDir, basename(snippet)))
  }
  return writeSamples(request, model)
}

/** Copies the sample pictures and writes what the app itself answers for them. */
async function writeSamples(request: ExportRequest, model: TrainedModel): Promise<string[]> {
  const written: string[] = []
  const folder = join(request.targetDir, 'samples')
  await mkdir(folder, { recursive: true })
  const { width, height } = model.preprocessing.size
  const taken = new Set<string>()
  const expected: unknown[] = []
  const session = await OnnxSession.open(model.modelPath)
  try {
    for (const sample of request.samples) {
      const resized = await readSample(sample.path, model)
      if (resized === null) continue
      const file = sampleName(sample.name, taken)
      await copyFile(sample.path, join(folder, file))
      written.push(`samples/${file}`)
      const pixels = tensorFromResized(resized, model.preprocessing)
      const input = session.inputs[0]?.name ?? 'input'
      const output = session.outputs[0]?.name ?? 'probabilities'
      const result = await session.run({ [input]: float32([1, 3, height, width], pixels) })
      const probabilities = Array.from(result[output]?.data as Float32Array)
      const best = probabilities.indexOf(Math.max(...probabilities))
      expected.push({
        file,
        trueLabel: sample.label,
        label: model.classes[best],
        probability: probabilities[best],
        probabilities: Object.fromEntries(model.classes.map((name, index) => [name, probabilities[index]])),
      })
    }
  } finally {
    await session.dispose()
  }
  await writeFile(join(folder, 'expected.json'), json(expected))
  return written
}

/** Null for a picture that was moved or damaged since it was chosen: the export is worth more than that sample. */
async function readSample(path: string, model: TrainedModel): Promise<Uint8Array | null> {
  try {
    return await resizeFile(path, model.preprocessing)
  } catch (error) {
    if (error instanceof KestrelError) return null
    throw error
  }
}

/** A plain file name that is not taken yet: names come from people's folders. */
function sampleName(name: string, taken: Set<string>): string {
  const plain = basename(name.replaceAll('\\', '/'))
    .replace(/[<>:"|?*\p{Cc}]/gu, '_')
    .replace(/^\.+/, '')
  const ending = extname(plain)
  const stem = plain.slice(0, plain.length - ending.length) || 'picture'
  let free = `${stem}${ending}`
  for (let count = 2; taken.has(free.toLowerCase()) || free === 'expected.json'; count++) {
    free = `${stem}-${count}${ending}`
  }
  taken.add(free.toLowerCase())
  return free
}

/** All files of a folder with their sizes, by path within it. */
export async function listFiles(folder: string): Promise<{ files: string[]; bytes: number }> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  const files: string[] = []
  let bytes = 0
  for (const entry of entries) {
    if (!entry.isFile()) continue
    const path = join(entry.parentPath, entry.name)
    bytes += (await stat(path)).size
    files.push(path.slice(folder.length + 1).replaceAll('\\', '/'))
  }
  return { files: files.sort(), bytes }
}

/** Empties the folder that was to hold the export; it was empty before. */
export async function removeContents(folder: string): Promise<void> {
  for (const name of await readdir(folder)) await rm(join(folder, name), { recursive: true, force: true })
}
