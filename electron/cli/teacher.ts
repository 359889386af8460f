import { existsSync } from 'node:fs'
import { mkdir, readFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import type { PreparedBackbone } from '#shared/contract/trainer.ts'
import { preprocessingSchema } from '#shared/domain/preprocessing/index.ts'
import { KestrelError } from '#shared/errors/index.ts'
import type { CliContext } from './context.ts'
import { findModel } from './model.ts'
import { makeReady } from './studio.ts'
import type { CliStudio } from './studio.ts'

/** What a student learns to see with: a backbone, or a finished model without its classifier. */
export interface Teacher extends PreparedBackbone {
  name: string
  licence: string
}

/**
 * @param word id of a backbone, or the folder of a project or of an ONNX export
 * @param out folder that a finished model without its classifier is written to
 * @throws KestrelError backbone-unknown, model-unreadable, backbone-unsupported; as a download
 */
export async function teacherFor(
  word: string,
  { studio, context, out }: { studio: CliStudio; context: CliContext; out: string },
): Promise<Teacher> {
  const backbones = await studio.backbones.list()
  if (backbones.some(({ id }) => id === word) || !existsSync(resolve(word))) {
    await makeReady(word, studio, context)
    return await studio.backbones.ensure(word)
  }
  const { folder, format, name, licence } = await findModel(word, studio)
  if (format !== 'onnx')
    throw new KestrelError(
      'model-unreadable',
      `“${word}” is an export for TensorFlow.js, which keeps no layers.`,
      {
        kept: 'Nothing was changed.',
        remedy: 'Name an export of it as ONNX, or its project.',
      },
    )
  await mkdir(out, { recursive: true })
  const onnxPath = join(out, 'teacher.onnx')
  const prepared = await studio.pool.quick<'prepare-backbone'>({
    kind: 'prepare-backbone',
    file: join(folder, 'model.onnx'),
    target: onnxPath,
  })
  const preprocessing = await preprocessingBeside(folder).catch(() => prepared.preprocessing)
  if (preprocessing === null)
    throw new KestrelError('model-unreadable', `How “${word}” wants its pictures is not known.`, {
      remedy: 'Name the folder of a project, or of an export as ONNX.',
    })
  const { sha256, featureLength } = prepared
  return { ...{ id: name, name, licence, sha256, onnxPath, featureLength, preprocessing } }
}

/** Runs keep it in a file of its own, exports inside the model. */
const preprocessingBeside = async (folder: string) =>
  preprocessingSchema.parse(JSON.parse(await readFile(join(folder, 'preprocessing.json'), 'utf8')))
