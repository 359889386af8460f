import { z } from 'zod'
import { metricsSchema, sharedShotsSchema } from '#shared/contract/training.ts'
import {
  exportFormats,
  foldsLeftOutSchema,
  keptSchema,
  recipes,
  trainMetricSchema,
} from '#shared/contract/trainer.ts'
import type { Kept } from '#shared/contract/trainer.ts'
import { trainingCheckSchema } from '#shared/domain/training/babysitter.ts'
import { wireErrorSchema } from '#shared/errors/index.ts'
import type { Metrics } from '#shared/contract/training.ts'
import { meanAndDeviation } from '#shared/domain/metrics.ts'

const seconds = z.number().min(0)

const fileNoteSchema = z.object({ file: z.string(), code: z.string(), message: z.string() })

export const resultFile = 'result.json'

/** `result.json`: what one `kestrel run` did and found. Other programs read it, so fields are only ever added. */
export const runResultSchema = z.object({
  /** Version of Kestrel. */
  kestrel: z.string(),
  /** Id of the training in the project. */
  run: z.string(),
  seed: z.int(),
  engine: z.string(),
  /** Null with the recipe `scratch`. */
  backbone: z.string().nullable(),
  recipe: z.enum(recipes),
  classes: z.array(z.string()),
  images: z.object({
    /** All that decode, duplicates among them. */
    read: z.int(),
    duplicates: z.int(),
    skipped: z.array(fileNoteSchema),
    /** Copies whose folder says another label or side than the place that counts. */
    conflicts: z.array(fileNoteSchema),
  }),
  split: z.object({ train: z.int(), val: z.int(), test: z.int() }),
  /** Shots that there are several pictures of: each is on one side and in one fold, but for those that lie across. */
  sharedShots: sharedShotsSchema.optional(),
  timings: z.object({
    import_s: seconds,
    features_s: seconds,
    train_s: seconds,
    evaluate_s: seconds,
    export_s: seconds,
    total_s: seconds,
  }),
  /** Null where the split has no such pictures. */
  metrics: z.object({ val: metricsSchema.nullable(), test: metricsSchema.nullable() }),
  /** Over training + validation, each picture by a model that did not learn from it. */
  folds: z
    .object({
      /** Folds that were answered: fewer than asked for where the pictures do not go round, or some were left out. */
      k: z.int(),
      asked: z.int(),
      /** Of each of them. */
      accuracy: z.array(z.number()),
      mean: z.number(),
      sd: z.number(),
      pooled: metricsSchema,
    })
    .optional(),
  /** Folds that could not be trained; mean and deviation are those of the others. */
  foldsLeftOut: foldsLeftOutSchema.optional(),
  /** What was reached after each step of the fit (`head`) or each epoch. */
  curves: z.array(trainMetricSchema),
  /** What was noticed while it trained; see `checkTraining` and `checkHead`. */
  checks: z.array(trainingCheckSchema),
  /** `fine-tune`: how it did against the frozen head on the validation pictures, and which became the model. */
  kept: keptSchema.optional(),
  exports: z.array(
    z.object({
      format: z.enum(exportFormats),
      path: z.string(),
      bytes: z.int(),
      proof: z.object({ images: z.int(), same_answer: z.int(), max_abs_diff: z.number() }),
    }),
  ),
  /** The training ended early with the last good weights kept. */
  stopped: z.object({ reason: z.string(), message: z.string() }).optional(),
  /** The training failed: there is no model and there are no figures. */
  error: wireErrorSchema.omit({ checks: true }).optional(),
})
export type RunResult = z.infer<typeof runResultSchema>

/**
 * Accuracy of each fold that has pictures, and of all together: a fold without any is no fold that got everything wrong.
 * @param asked how many folds were wanted; @param fold fold of each picture; @param right whether its answer is right
 */
export function foldFigures(
  asked: number,
  fold: ArrayLike<number>,
  right: readonly boolean[],
  pooled: Metrics,
): NonNullable<RunResult['folds']> {
  const sums = new Map<number, { right: number; of: number }>()
  right.forEach((isRight, i) => {
    const sum = sums.get(fold[i]!) ?? { right: 0, of: 0 }
    sums.set(fold[i]!, { right: sum.right + Number(isRight), of: sum.of + 1 })
  })
  const accuracy = [...sums].sort(([a], [b]) => a - b).map(([, sum]) => sum.right / sum.of)
  return { k: accuracy.length, asked, accuracy, ...meanAndDeviation(accuracy), pooled }
}

const percent = (share: number): string => `${(100 * share).toFixed(1)} %`

/** The result in a few lines for a person. */
export function describeResult(result: RunResult, projectFolder: string): string {
  const { images, split, sharedShots, metrics, folds, timings } = result
  const lines = [
    `${images.read} pictures of ${result.classes.length} labels: ${split.train} to learn from, ${split.val} to tune on, ${split.test} to test.`,
  ]
  if (images.duplicates === 1) lines.push('1 of them is an exact copy and was used once.')
  if (images.duplicates > 1) lines.push(`${images.duplicates} of them are exact copies and were used once.`)
  if (sharedShots && sharedShots.groups > 0)
    lines.push(
      `${sharedShots.pictures} of them show ${sharedShots.groups === 1 ? 'one shot' : `${sharedShots.groups} shots`} several times (near-duplicates)${sharedShots.across.groups === 0 ? '; what belongs together was kept together' : ''}.`,
    )
  if (images.conflicts.length > 0)
    lines.push('Copies that lie in two places which contradict each other:', ...listed(images.conflicts))
  lines.push(...skippedInWords(images.skipped))
  if (metrics.test && split.test > 0) {
    const [low, high] = metrics.test.accuracy_ci95
    lines.push(
      `Test: ${percent(metrics.test.accuracy)} right (95 % interval ${percent(low)} to ${percent(high)}), macro F1 ${metrics.test.macro_f1.toFixed(3)}.`,
    )
  }
  if (folds) {
    const made = folds.k === 1 ? '1 fold' : `${folds.k} folds`
    lines.push(
      `${folds.k === folds.asked ? made : `${made} of ${folds.asked} asked for`}: ${percent(folds.pooled.accuracy)} of their pictures right (mean ${percent(folds.mean)}, deviation ${percent(folds.sd)}).`,
    )
  }
  if (result.foldsLeftOut) lines.push(result.foldsLeftOut.message)
  if (result.kept) lines.push(keptInWords(result.kept, result.stopped !== undefined))
  for (const { verdict, message } of result.checks)
    if (verdict === 'attention' || verdict === 'wrong') lines.push(message)
  for (const { format, path, proof } of result.exports)
    lines.push(`${format}: ${path} (${proof.same_answer} of ${proof.images} same answer as the app)`)
  // What was asked for is said by the command itself, with how to go on.
  if (result.stopped && result.stopped.reason !== 'asked')
    lines.push(`The training ended early: ${result.stopped.message}`)
  lines.push(`${timings.total_s.toFixed(1)} s in all. The project is ${projectFolder}.`)
  return lines.join('\n')
}

/** Files that could not be read, the first few by name; nothing where there are none. @param rest where the others are */
export const skippedInWords = (skipped: RunResult['images']['skipped'], rest = allInResult): string[] =>
  skipped.length === 0
    ? []
    : [
        skipped.length === 1 ? '1 file could not be read:' : `${skipped.length} files could not be read:`,
        ...listed(skipped, rest),
      ]

/** Which of two networks is the model, with figures where somebody judged. @param stopped why is said elsewhere */
function keptInWords({ tuned, tunedAccuracy, headAccuracy }: Kept, stopped: boolean): string {
  const right = (share: number): string => `${percent(share)} of the validation pictures right`
  if (tuned)
    return tunedAccuracy === null || headAccuracy === null
      ? 'The adapted network is the model. No validation pictures compared it with the frozen one.'
      : `The adapted network is the model: ${right(tunedAccuracy)}, frozen ${percent(headAccuracy)}.`
  if (headAccuracy === null)
    return stopped
      ? 'The frozen network stays the model.'
      : 'The frozen network stays the model: adapted, it got clearly fewer of its training pictures right.'
  const adapted = tunedAccuracy === null ? '' : `, adapted ${percent(tunedAccuracy)}`
  return `The frozen network stays the model: ${right(headAccuracy)}${adapted}.`
}

const allInResult = `all of them are in ${resultFile}`

/** The first few, by name. */
const listed = (notes: readonly { file: string; message: string }[], rest = allInResult): string[] => [
  ...notes.slice(0, 5).map(({ file, message }) => `  ${file}: ${message}`),
  ...(notes.length > 5 ? [`  … ${rest}.`] : []),
]
