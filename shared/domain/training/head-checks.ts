import type { TrainingCheck } from './babysitter.ts'

/**
 * The same marks for a linear head on frozen features as for a network that learns by gradients. Most of them mean nothing
 * there: what is made small is convex, so that there is one minimum, no learning rate to choose and no epoch to stop at.
 * They are named all the same, so that nobody has to guess whether something was looked at.
 */
export interface FittedHead {
  /** Whether numbers that are not finite stopped the fit. */
  diverged: boolean
  /** They did before there was anything to keep. */
  nothingKept?: boolean
  /** Share right of the pictures learned from and of those that judged, by the head fitted on the former alone. */
  trainAccuracy: number | null
  valAccuracy: number | null
  /** Pictures that judged. */
  val: number
}

/** Gap between training and validation that is worth a word. One cut of the pictures and no curve: only a wide one. */
const WIDE_GAP = 0.2
/** From here on nobody would call it together. */
const NOTED_GAP = 0.05
/** Fewer validation pictures say nothing about a gap. */
const ENOUGH_PICTURES = 10

export function checkHead(head: FittedHead): TrainingCheck[] {
  return [
    finite(head),
    skipped(
      'explosion',
      'There is no learning rate that could be too high: fitting this classifier is convex, and its loss only falls.',
    ),
    skipped(
      'learning',
      'It cannot get stuck on the way: fitting this classifier is convex, with one minimum and a way down from everywhere.',
    ),
    overfitting(head),
    skipped(
      'underfitting',
      'There are no epochs to have more of, and its penalty has the strength that suits pictures it did not learn from.',
    ),
  ]
}

const percent = (share: number): string => `${Math.round(share * 100)} %`

function finite({ diverged, nothingKept }: FittedHead): TrainingCheck {
  return diverged
    ? {
        id: 'finite',
        verdict: 'wrong',
        message: `The numbers grew beyond all bounds (not finite) and the fit was stopped; ${nothingKept ? 'there was no good model yet' : 'the last good model was kept'}. The backbone may not suit these pictures: try another one.`,
      }
    : { id: 'finite', verdict: 'good', message: 'All numbers stayed finite.' }
}

function overfitting({ trainAccuracy, valAccuracy, val }: FittedHead): TrainingCheck {
  const id = 'overfitting'
  if (trainAccuracy === null || valAccuracy === null)
    return skipped(id, 'It ended before there was a fit on the training pictures alone to compare with.')
  if (val < ENOUGH_PICTURES)
    return skipped(id, `Fewer than ${ENOUGH_PICTURES} validation pictures say too little.`)
  // Two standard errors, with one right and one wrong more so that "all right" is no certainty either.
  const likely = (valAccuracy * val + 1) / (val + 2)
  const noise = 2 * Math.sqrt((likely * (1 - likely)) / val)
  return trainAccuracy - valAccuracy > Math.max(WIDE_GAP, noise)
    ? {
        id,
        verdict: 'attention',
        message: `Training pictures are right far more often (${percent(trainAccuracy)}) than validation pictures (${percent(valAccuracy)}), although the penalty was chosen for the latter (overfitting). More pictures help most.`,
      }
    : {
        id,
        verdict: 'good',
        message:
          trainAccuracy - valAccuracy > NOTED_GAP
            ? `Training pictures are right more often (${percent(trainAccuracy)}) than validation pictures (${percent(valAccuracy)}), within what is usual for a penalty chosen for the latter. More pictures narrow the gap.`
            : `Training and validation stay together (${percent(trainAccuracy)} and ${percent(valAccuracy)} right).`,
      }
}

const skipped = (id: TrainingCheck['id'], message: string): TrainingCheck => ({
  id,
  verdict: 'skipped',
  message,
})
