import { z } from 'zod'
import { hasExploded, type Breakdown } from './explosion.ts'

/**
 * Watches a training the way a teacher does: looks at the curves and says in words what is wrong and what to do. Pure:
 * the page, the command line and the tests ask the same function.
 */
export interface EpochFigures {
  /** Counted from 1. */
  step: number
  trainLoss: number
  trainAccuracy: number | null
  valLoss: number | null
  valAccuracy: number | null
}

export const verdicts = ['good', 'attention', 'wrong', 'skipped'] as const
export type Verdict = (typeof verdicts)[number]

/** What every training is watched for, by its curve or its fit. */
export const watchedFor = ['finite', 'explosion', 'learning', 'overfitting', 'underfitting'] as const

export const trainingCheckSchema = z.object({
  /** `leakage`: of its pictures; there when there are several of a shot. */
  id: z.enum([...watchedFor, 'leakage']),
  verdict: z.enum(verdicts),
  message: z.string(),
})
export type TrainingCheck = z.infer<typeof trainingCheckSchema>

export interface WatchedTraining {
  curve: readonly EpochFigures[]
  /** Training loss of a network that knows nothing (`guessingLoss`). */
  guessing: number
  /** What stopped it before its time, or null. The epoch that exploded is the last of the curve, where it was finished. */
  broke: Breakdown | null
  /** It broke before there was anything to keep. */
  nothingKept?: boolean
  /** Share right that the most frequent class alone would get. */
  majority: number
  /** Pictures to learn from and to judge by. */
  train: number
  val: number
}

/** After the first epoch a loss this many times that of guessing is a jump that no calm training makes. */
const JUMPED = 3
/** Epochs before anything is said about learning. */
const ENOUGH_EPOCHS = 3
/** Share right on training pictures below which a network has not learned them. */
const LEARNED = 0.85
/** Gap between training and validation that is worth a word: at least so much, and more than chance would give. */
const WIDE_GAP = 0.1

export function checkTraining(training: WatchedTraining): TrainingCheck[] {
  const learns = learning(training)
  return [
    finite(training),
    explosion(training),
    learns,
    overfitting(training),
    underfitting(training, learns.verdict !== 'wrong'),
  ]
}

const percent = (share: number): string => `${Math.round(share * 100)} %`

function finite({ broke, nothingKept }: WatchedTraining): TrainingCheck {
  return broke === 'diverged'
    ? {
        id: 'finite',
        verdict: 'wrong',
        message: `The numbers grew beyond all bounds (not finite) and the training was stopped; ${nothingKept ? 'there were no good weights yet' : 'the last good weights were kept'}. A smaller learning rate helps, a tenth is a good try.`,
      }
    : { id: 'finite', verdict: 'good', message: 'All numbers stayed finite.' }
}

const calmer = 'The learning rate is too high; try a tenth of it, or clip the gradient.'

/** A network that knows nothing does not do worse than guessing for long. */
function explosion({ curve, guessing, broke }: WatchedTraining): TrainingCheck {
  const id = 'explosion'
  const [first] = curve
  const last = curve.at(-1)
  const guesses = `guessing has ${guessing.toPrecision(2)}`
  if (broke === 'exploded')
    return {
      id,
      verdict: 'wrong',
      message:
        last && hasExploded(worse(last), guessing)
          ? `The loss exploded to ${worse(last).toPrecision(3)} in epoch ${last.step} (${guesses}) and the training was stopped. ${calmer}`
          : `The loss exploded and the training was stopped. ${calmer}`,
    }
  if (!first || !last)
    return skipped(id, broke ? 'Numbers that are not finite came first.' : 'No epoch was finished.')
  if (hasExploded(worse(last), guessing))
    return {
      id,
      verdict: 'wrong',
      message: `The loss ended at ${worse(last).toPrecision(3)}, far above guessing (${guesses}). ${last.trainLoss > first.trainLoss ? calmer : 'The learning rate or the first weights are too large.'}`,
    }
  const beginning = Math.max(guessing, first.trainLoss)
  const worst = curve.find(({ trainLoss }, index) => index > 0 && trainLoss > JUMPED * beginning)
  if (worst !== undefined)
    return {
      id,
      verdict: 'wrong',
      message: `The loss jumped to ${worst.trainLoss.toPrecision(3)} in epoch ${worst.step} (${guesses}). ${calmer}`,
    }
  if (hasExploded(first.trainLoss, guessing))
    return {
      id,
      verdict: 'attention',
      message: `The loss of the first epoch was ${first.trainLoss.toPrecision(3)} (${guesses}) and came down again. A smaller learning rate, or smaller first weights, begin more calmly.`,
    }
  const jump = curve.find(
    ({ trainLoss }, index) =>
      index > 0 && trainLoss > 2 * curve[index - 1]!.trainLoss && trainLoss > guessing / 2,
  )
  return jump === undefined
    ? { id, verdict: 'good', message: 'The loss never jumped.' }
    : {
        id,
        verdict: 'attention',
        message: `The loss doubled from one epoch to the next (epoch ${jump.step}) and came down again. A somewhat smaller learning rate is calmer.`,
      }
}

/** The higher loss of an epoch: the update after its last step shows on validation first. */
const worse = ({ trainLoss, valLoss }: EpochFigures): number => Math.max(trainLoss, valLoss ?? 0)

function learning({ curve, guessing, majority, train }: WatchedTraining): TrainingCheck {
  const id = 'learning'
  if (curve.length < ENOUGH_EPOCHS) return skipped(id, `Fewer than ${ENOUGH_EPOCHS} epochs say too little.`)
  const best = Math.min(...curve.map(({ trainLoss }) => trainLoss))
  const right = Math.max(...curve.map(({ trainAccuracy }) => trainAccuracy ?? 0))
  // Two standard errors above always saying the most frequent class.
  const chance = majority + 2 * Math.sqrt((majority * (1 - majority)) / Math.max(1, train))
  if (best > 0.97 * guessing || right <= chance)
    return {
      id,
      verdict: 'wrong',
      message: `It does not learn: ${percent(right)} of the training pictures are right, and always saying the most frequent label gives ${percent(majority)}. Check that the labels are right, then try a learning rate ten times larger or smaller.`,
    }
  return {
    id,
    verdict: 'good',
    message: `It learns: ${percent(right)} of the training pictures were right at best.`,
  }
}

function overfitting({ curve, val }: WatchedTraining): TrainingCheck {
  const id = 'overfitting'
  const judged = curve.filter(({ valLoss, valAccuracy }) => valLoss !== null && valAccuracy !== null)
  if (judged.length < ENOUGH_EPOCHS) return skipped(id, 'There are too few judged epochs to say.')
  const last = judged.at(-1)!
  const best = judged.reduce((a, b) => (b.valLoss! < a.valLoss! ? b : a))
  const gap = (last.trainAccuracy ?? 0) - last.valAccuracy!
  const noise = 2 * Math.sqrt((last.valAccuracy! * (1 - last.valAccuracy!)) / Math.max(1, val))
  const turned = best.step < last.step && last.valLoss! > 1.15 * best.valLoss! + 0.02
  if (gap > Math.max(WIDE_GAP, noise) && turned)
    return {
      id,
      verdict: 'attention',
      message: `It learns the training pictures by heart (overfitting): ${percent(last.trainAccuracy ?? 0)} right there, ${percent(last.valAccuracy!)} on validation, and validation got worse after epoch ${best.step}. Of its epochs the best one counts. More pictures or stronger augmentation help most.`,
    }
  if (gap > Math.max(2 * WIDE_GAP, noise))
    return {
      id,
      verdict: 'attention',
      message: `Training pictures are right more often (${percent(last.trainAccuracy ?? 0)}) than validation pictures (${percent(last.valAccuracy!)}). More pictures or stronger augmentation narrow the gap.`,
    }
  return { id, verdict: 'good', message: 'Training and validation stay together.' }
}

/** @param learns what does not learn gets no better by going on, though its loss still falls */
function underfitting({ curve, majority }: WatchedTraining, learns: boolean): TrainingCheck {
  const id = 'underfitting'
  if (curve.length < ENOUGH_EPOCHS) return skipped(id, 'There are too few epochs to say.')
  const last = curve.at(-1)!
  const before = curve.at(-3)!
  const right = last.trainAccuracy
  if (right === null) return skipped(id, 'The share right on training pictures was not measured.')
  const improving = last.trainLoss < 0.98 * before.trainLoss
  if (learns && right < LEARNED && right > majority && improving)
    return {
      id,
      verdict: 'attention',
      message: `It was still getting better when it ended (${percent(right)} of the training pictures right). More epochs would help.`,
    }
  if (right < LEARNED)
    return {
      id,
      verdict: 'attention',
      message: `It has not learned its own training pictures (${percent(right)} right; underfitting). A larger network, weaker augmentation or a network that already knows pictures helps.`,
    }
  return { id, verdict: 'good', message: 'It has learned its training pictures.' }
}

const skipped = (id: TrainingCheck['id'], message: string): TrainingCheck => ({
  id,
  verdict: 'skipped',
  message,
})
