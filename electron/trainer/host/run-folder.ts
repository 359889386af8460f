import { existsSync } from 'node:fs'
import { readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { exportFormats } from '#shared/contract/trainer.ts'
import type { ExportFormat, TrainRequest } from '#shared/contract/trainer.ts'
import { preprocessingSchema, type Preprocessing } from '#shared/domain/preprocessing/definition.ts'
import { KestrelError } from '#shared/errors/index.ts'
import type { Engine } from '../engines/engine.ts'
import { engineReport } from '../engines/report.ts'

/** Files of a finished run, beside those of its recipe. */
export const runFiles = {
  model: 'model.onnx',
  labels: 'labels.json',
  preprocessing: 'preprocessing.json',
  passport: 'training.json',
} as const

/** Written by exports beside the model: `aboutFile` of export/about.ts. TensorFlow.js calls its own `model.json`. */
const exportFiles = { onnx: 'model.json', tfjs: 'classifier.json' } as const

const labelsSchema = z.array(z.string()).min(2)

/**
 * Everything about how a model came to be that the studio does not know by itself. Written beside and renamed, so that a
 * full disk leaves a finished model that already lies there whole.
 * @param engine that the numbers of the model were computed on.
 */
export async function writeRunFolder(
  request: TrainRequest,
  preprocessing: Preprocessing,
  model: Uint8Array,
  engine: Pick<Engine, 'id' | 'device'>,
  details: Readonly<Record<string, unknown>>,
): Promise<void> {
  const { versions, cores } = await engineReport()
  const counts = { train: 0, val: 0, test: 0 }
  for (const { split } of request.images) counts[split] += 1
  const passport = {
    version: 1,
    recipe: request.recipe,
    seed: request.seed,
    folds: request.folds,
    pictures: counts,
    backbone: request.backbone && { id: request.backbone.id, sha256: request.backbone.sha256 },
    /** Of the head, or of the one a fine-tuning began with. */
    objective: request.backbone && (request.objective ?? 'softmax'),
    engine: engine.id,
    device: engine.device,
    cores,
    versions,
    ...details,
  }
  const json = (value: unknown): string => `${JSON.stringify(value, null, 2)}\n`
  const files: [string, string | Uint8Array][] = [
    [runFiles.labels, json(request.classes)],
    [runFiles.preprocessing, json(preprocessing)],
    [runFiles.passport, json(passport)],
    [runFiles.model, model],
  ]
  const beside = files.map(([name]) => join(request.runDir, `${name}.part`))
  try {
    for (const [index, [, content]] of files.entries()) await writeFile(beside[index]!, content)
    for (const [index, [name]] of files.entries()) await rename(beside[index]!, join(request.runDir, name))
  } finally {
    for (const file of beside) await rm(file, { force: true })
  }
}

export interface RunModel {
  modelPath: string
  classes: string[]
  preprocessing: Preprocessing
}

/** What an export says about itself, as far as a prediction needs it. */
const exportedSchema = z.object({
  format: z.enum(exportFormats),
  file: z.string().regex(/^[^/\\]+$/),
  labels: labelsSchema,
  preprocessing: preprocessingSchema,
})

/**
 * Reads what is needed to work with the network of a run folder or an ONNX export.
 * @throws KestrelError `model-unreadable` when a file is missing or does not say what it should.
 */
export async function readRunFolder(folder: string): Promise<RunModel> {
  const { format, ...model } = await readModelFolder(folder)
  if (format !== 'onnx') throw unreadable()
  return model
}

/**
 * The same to predict with: the folder of a TensorFlow.js export, too.
 * @throws KestrelError `model-unreadable`
 */
export async function readModelFolder(folder: string): Promise<RunModel & { format: ExportFormat }> {
  const parsed = async (file: string): Promise<unknown> =>
    JSON.parse(await readFile(join(folder, file), 'utf8'))
  try {
    // A TensorFlow.js export has both files.
    for (const wanted of ['tfjs', 'onnx'] as const) {
      if (!existsSync(join(folder, exportFiles[wanted]))) continue
      const { format, file, labels, preprocessing } = exportedSchema.parse(await parsed(exportFiles[wanted]))
      return { modelPath: join(folder, file), classes: labels, preprocessing, format }
    }
    const classes = labelsSchema.parse(await parsed(runFiles.labels))
    const preprocessing = preprocessingSchema.parse(await parsed(runFiles.preprocessing))
    return { modelPath: join(folder, runFiles.model), classes, preprocessing, format: 'onnx' }
  } catch (error) {
    throw unreadable(error)
  }
}

const unreadable = (cause?: unknown): KestrelError =>
  new KestrelError('model-unreadable', 'This folder does not hold a model that Kestrel can use.', {
    remedy: 'Choose the folder of a project, or of an export as ONNX.',
    cause,
  })
