import { access, readFile, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { z } from 'zod'
import type { PrepareBackboneResult } from '#shared/contract/trainer.ts'
import { KestrelError } from '#shared/errors/index.ts'
import { jsonOrUndefined } from '#shared/util/json.ts'
import { hashFile } from './hash-file.ts'
import { PREPARED_BY } from './store.ts'
import type { BackboneInfo, BackboneStore } from './store.ts'

/** The trainer's conversion to ONNX. */
export type PrepareBackbone = (
  file: string,
  target: string,
  signal?: AbortSignal,
) => Promise<PrepareBackboneResult>

/** What a source knows of a backbone; the rest is found out by converting it. */
export type Described = Pick<
  BackboneInfo,
  'id' | 'name' | 'words' | 'architecture' | 'origin' | 'licence' | 'featureLength' | 'preprocessing'
>

/**
 * Copies an original into the store and converts it there: the store has all of it or nothing.
 * @throws KestrelError what the trainer says; backbone-damaged when it gives other features than promised
 */
export async function installBackbone(
  store: BackboneStore,
  prepare: PrepareBackbone,
  original: string,
  describe: Describe,
  signal?: AbortSignal,
): Promise<BackboneInfo> {
  const files = [original, ...(await weightFilesOf(original))]
  return await store.put(files, (draft) =>
    convert(
      prepare,
      { file: draft.original, called: basename(draft.original), inPlace: false },
      draft.prepared,
      describe,
      signal,
    ),
  )
}

/**
 * Converts an original that stays where it is; the store has what was made of it.
 * @param called what it was made of, to find it again
 * @throws KestrelError as `installBackbone`
 */
export async function installInPlace(
  store: BackboneStore,
  prepare: PrepareBackbone,
  file: string,
  called: string,
  describe: Describe,
): Promise<BackboneInfo> {
  await weightFilesOf(file)
  return await store.put([], ({ prepared }) =>
    convert(prepare, { file, called, inPlace: true }, prepared, describe),
  )
}

type Describe = (result: PrepareBackboneResult) => Promise<Described> | Described

async function convert(
  prepare: PrepareBackbone,
  { file, called, inPlace }: { file: string; called: string; inPlace: boolean },
  target: string,
  describe: Describe,
  signal?: AbortSignal,
): Promise<BackboneInfo> {
  const result = await prepare(file, target, signal)
  const described = await describe(result)
  if (described.featureLength !== result.featureLength)
    throw new KestrelError(
      'backbone-damaged',
      `This backbone gives ${result.featureLength} features where ${described.featureLength} were promised.`,
      { remedy: 'Choose another one.' },
    )
  return {
    version: 1,
    ...described,
    featureLayer: result.featureLayer,
    parameters: result.parameters,
    original: called,
    inPlace,
    originalBytes: (await stat(file)).size,
    originalSha256: await hashFile(file, 'sha256'),
    preparedBy: PREPARED_BY,
    preparedSha256: result.sha256,
  }
}

const tfjsManifest = z.object({
  weightsManifest: z.array(z.object({ paths: z.array(z.string().regex(/^[A-Za-z0-9._-]+$/)) })),
})

/** The `model.json` that lies beside the ONNX file of an export. */
const besideNetwork = z.object({ kestrel: z.string(), format: z.literal('onnx'), file: z.string() })

/** A TF.js model is a model.json and the files of numbers it names, side by side. */
async function weightFilesOf(original: string): Promise<string[]> {
  if (!original.toLowerCase().endsWith('.json')) return []
  const written = jsonOrUndefined(await readFile(original, 'utf8'))
  const parsed = tfjsManifest.safeParse(written)
  const exported = besideNetwork.safeParse(written)
  if (exported.success)
    throw new KestrelError('backbone-unsupported', 'This file only describes the model beside it.', {
      remedy: `Choose the file ${exported.data.file}, or the folder.`,
    })
  if (!parsed.success)
    throw new KestrelError('backbone-unsupported', 'This file does not describe a TensorFlow.js model.', {
      remedy: 'Choose the model.json of TensorFlow.js layers, with its files of numbers beside it.',
      cause: parsed.error,
    })
  const files = parsed.data.weightsManifest.flatMap(({ paths }) =>
    paths.map((path) => join(dirname(original), path)),
  )
  for (const file of files)
    await access(file).catch((error: unknown) => {
      throw new KestrelError(
        'backbone-damaged',
        `The file “${basename(file)}” that belongs to this model is missing.`,
        {
          remedy: 'Choose the folder that holds model.json and its files of numbers.',
          cause: error,
        },
      )
    })
  return files
}
