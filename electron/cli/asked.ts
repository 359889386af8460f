import { join } from 'node:path'
import { z } from 'zod'
import { labelRules } from '#shared/contract/projects.ts'
import { exportFormats } from '#shared/contract/trainer.ts'
import { trainConfigSchema } from '#shared/contract/training.ts'
import { KestrelError } from '#shared/errors/index.ts'
import { jsonOrUndefined } from '#shared/util/json.ts'
import { writeFileWhole } from '#shared/util/write-file-whole.ts'
import { readTextIfThere } from '#studio/files.ts'
import { resultFile } from './result.ts'

const askedFile = 'run.json'

/** What a person asked of `kestrel run`, written down in its folder: `kestrel resume` does what is left of it. */
const askedSchema = z.object({
  /** Absolute, as `testFolder`. */
  folder: z.string(),
  testFolder: z.string().nullable(),
  labels: z.enum(labelRules).nullable(),
  exports: z.array(z.enum(exportFormats)),
  config: trainConfigSchema,
  /** The training that was begun for it; null while the pictures are brought in. */
  run: z.string().nullable(),
})
export type Asked = z.infer<typeof askedSchema>

export const writeAsked = (out: string, asked: Asked): Promise<void> =>
  writeFileWhole(join(out, askedFile), `${JSON.stringify(asked, null, 2)}\n`)

/** @throws KestrelError not-found */
export async function readAsked(out: string): Promise<Asked> {
  const text = await readTextIfThere(join(out, askedFile))
  if (text === undefined)
    throw new KestrelError('not-found', `${out} was not made by "kestrel run".`, {
      remedy: 'Give the folder that was given as --out.',
    })
  const asked = askedSchema.safeParse(jsonOrUndefined(text))
  if (asked.success) return asked.data
  throw new KestrelError('not-found', `${askedFile} in ${out} does not say what was asked for.`, {
    kept: 'Nothing was changed.',
    remedy: 'Train anew with "kestrel run".',
    cause: asked.error,
  })
}

/** What tells whose figures they are; the rest is left unread. */
const writtenSchema = z.object({
  run: z.string(),
  exports: z.array(z.object({ format: z.enum(exportFormats) })),
  /** Of a training that failed, and may have gone on since. */
  error: z.unknown().optional(),
})

/** Whether the figures of the training that was begun, and all exports that were asked for, are there. */
export async function isFinished(out: string, { exports, run }: Asked): Promise<boolean> {
  const text = await readTextIfThere(join(out, resultFile))
  const written = writtenSchema.safeParse(text === undefined ? undefined : jsonOrUndefined(text))
  if (!written.success || written.data.run !== run || written.data.error !== undefined) return false
  const made = new Set(written.data.exports.map(({ format }) => format))
  return exports.every((format) => made.has(format))
}
