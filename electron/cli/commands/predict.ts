import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, isAbsolute, relative, resolve } from 'node:path'
import type { PredictPartial } from '#shared/contract/trainer.ts'
import { KestrelError } from '#shared/errors/index.ts'
import { toCsv } from '#shared/util/csv.ts'
import { sortInto } from '#studio/predictions/sort-into.ts'
import type { FoundFile } from '#studio/sources/walk.ts'
import type { PredictCommand } from '../command.ts'
import type { CliContext } from '../context.ts'
import { findModel } from '../model.ts'
import type { Model } from '../model.ts'
import { findPictures } from '../pictures.ts'
import { withStudio } from '../studio.ts'

export type PictureAnswer =
  | {
      file: string
      label: string
      confidence: number
      /** Below the model's threshold: the honest answer is "not sure". */
      unsure: boolean
      probabilities: Record<string, number>
      milliseconds: number
    }
  | { file: string; error: { code: string; message: string } }

/** What a model says about pictures: on the screen, as JSON, as a table, sorted into folders. */
export async function predict(command: PredictCommand, context: CliContext): Promise<void> {
  const { terminal, signal } = context
  if (command.sortInto !== null) refuseOwnFolder(command.paths, command.sortInto)
  await withStudio(context, async (studio) => {
    const model = await findModel(command.model, studio)
    const files = await findPictures(command.paths, signal)
    const answers: (PictureAnswer | undefined)[] = files.map(() => undefined)
    const began = performance.now()
    let interrupted: { cause: unknown } | null = null
    try {
      await studio.pool.quick<'predict'>(
        {
          kind: 'predict',
          modelDir: model.folder,
          images: files.map(({ path }, id) => ({ id, path })),
        },
        {
          signal,
          onPartial: (partial) => (answers[partial.id] = answerOf(files[partial.id]!, partial, model)),
          onProgress: ({ done, total, rate }) =>
            terminal.progress({
              stage: 'predicting',
              done,
              total,
              rate,
              etaSeconds: rate === null || rate <= 0 ? null : (total - done) / rate,
            }),
        },
      )
    } catch (error) {
      if (!signal.aborted) throw error
      // What has been answered is kept and written; then the command ends as interrupted.
      interrupted = { cause: error }
    }
    const done = answers.filter((answer) => answer !== undefined)
    const seconds = (performance.now() - began) / 1000
    if (command.csv !== null) await writeTable(command.csv, done, model, terminal.print)
    const sorted =
      command.sortInto === null
        ? null
        : await sortInto(
            resolve(command.sortInto),
            answers.flatMap((answer, id) => {
              const { path, relative } = files[id]!
              return answer === undefined || 'error' in answer
                ? []
                : [{ path, name: relative, folder: answer.unsure ? 'not sure' : answer.label }]
            }),
            {
              signal,
              update: ({ stage = '', done = 0, total = null }) =>
                terminal.progress({ stage, done, total, rate: null, etaSeconds: null }),
            },
          )
    if (interrupted) throw interrupted.cause
    if (command.csv === null) for (const answer of done) terminal.print(lineOf(answer))
    if (sorted) terminal.say(`${sorted.copied} pictures copied into ${resolve(command.sortInto ?? '')}.`)
    terminal.answer({
      kestrel: context.version,
      model: model.folder,
      classes: model.classes,
      threshold: model.threshold,
      seconds,
      pictures: done,
      ...(sorted ? { sorted } : {}),
    })
    if (done.length > 0 && done.every((answer) => 'error' in answer))
      throw new KestrelError('file-unreadable', 'None of these pictures could be read.', {
        remedy: 'The reason stands behind each file.',
      })
  })
}

/** Copies among the pictures would be asked themselves the next time. @throws KestrelError `bad-request` */
function refuseOwnFolder(paths: readonly string[], target: string): void {
  const inside = paths.some((path) => {
    const way = relative(resolve(path), resolve(target))
    return !way.startsWith('..') && !isAbsolute(way)
  })
  if (inside)
    throw new KestrelError(
      'bad-request',
      'The folder for the sorted copies lies among the pictures themselves.',
      {
        kept: 'Nothing was copied.',
        remedy: 'Choose a folder outside of them.',
      },
    )
}

function answerOf(file: FoundFile, partial: PredictPartial, model: Model): PictureAnswer {
  const { probabilities, error } = partial
  if (!probabilities)
    return {
      file: file.relative,
      error: {
        code: error?.code ?? 'file-unreadable',
        message: error?.message ?? 'This file cannot be read.',
      },
    }
  let best = 0
  probabilities.forEach((value, c) => {
    if (value > probabilities[best]!) best = c
  })
  const confidence = probabilities[best]!
  return {
    file: file.relative,
    label: model.classes[best]!,
    confidence,
    unsure: confidence < model.threshold,
    probabilities: Object.fromEntries(model.classes.map((name, c) => [name, probabilities[c]!])),
    milliseconds: partial.milliseconds,
  }
}

const percent = (share: number): string => `${(100 * share).toFixed(1)} %`
const lineOf = (answer: PictureAnswer): string =>
  'error' in answer
    ? `${answer.file}: ${answer.error.message}`
    : `${answer.file}: ${answer.unsure ? 'not sure, maybe ' : ''}${answer.label} (${percent(answer.confidence)})`

async function writeTable(
  target: string,
  answers: readonly PictureAnswer[],
  { classes }: Model,
  print: (text: string) => void,
): Promise<void> {
  const text = toCsv([
    ['file', 'label', 'confidence', 'unsure', 'error', ...classes],
    ...answers.map((answer) =>
      'error' in answer
        ? [answer.file, null, null, null, answer.error.message, ...classes.map(() => null)]
        : [
            answer.file,
            answer.label,
            answer.confidence,
            answer.unsure ? 'yes' : 'no',
            null,
            ...classes.map((name) => answer.probabilities[name] ?? null),
          ],
    ),
  ])
  if (target === '-') return print(text.trimEnd())
  // The answers may have taken an hour: a folder that is not there yet must not lose them.
  await mkdir(dirname(resolve(target)), { recursive: true })
  await writeFile(resolve(target), text)
}
