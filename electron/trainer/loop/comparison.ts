import type { Kept, TrainRequest, TrainResult } from '#shared/contract/trainer.ts'
import type { FitOutcome, Judgement } from './fit.ts'
import { MOST_PROBED } from './gradient-fit.ts'

type Pictures = Pick<TrainRequest, 'images'>
type Answers = Pick<TrainResult, 'val'>

/** How the adapted network and the frozen one did on the validation pictures, and which of them becomes the model. */
export function comparison(
  request: Pictures,
  head: Answers,
  { best, before }: Pick<FitOutcome, 'best' | 'before'>,
): Kept {
  const frozen = frozenOn(request, head)
  if (frozen === null) {
    const train = request.images.filter(({ split }) => split === 'train').length
    const worse = best !== null && before !== null && isClearlyWorse(best, before, train)
    // Nobody judges, and the person asked for fine-tuning: it is only refused what is worse even on what it learned from.
    return { tuned: !worse, headAccuracy: null, tunedAccuracy: null }
  }
  const tunedAccuracy = best?.accuracy ?? 0
  const tuned =
    best !== null &&
    (tunedAccuracy > frozen.accuracy || (tunedAccuracy === frozen.accuracy && best.loss < frozen.loss))
  return { tuned, headAccuracy: frozen.accuracy, tunedAccuracy }
}

/** The same where adapting the network came to nothing. */
export const frozenStays = (request: Pictures, head: Answers): Kept => ({
  tuned: false,
  headAccuracy: frozenOn(request, head)?.accuracy ?? null,
  tunedAccuracy: null,
})

/** How the frozen network with its head did on the validation pictures; null where there are none. Ties count as wrong. */
function frozenOn({ images }: Pictures, { val }: Answers): Judgement | null {
  if (val.ids.length === 0) return null
  const labelOf = new Map(images.map(({ id, label }) => [id, label]))
  const classes = val.probabilities.length / val.ids.length
  let [right, loss] = [0, 0]
  val.ids.forEach((id, i) => {
    const of = val.probabilities.subarray(i * classes, (i + 1) * classes)
    const label = labelOf.get(id)!
    if (of.every((other, k) => k === label || other < of[label]!)) right += 1
    loss -= Math.log(Math.max(of[label]!, 1e-30))
  })
  return { loss: loss / val.ids.length, accuracy: right / val.ids.length }
}

/** Gap between two shares right that is worth a word, however many pictures there are. */
const WIDE = 0.05

/** Fewer training pictures right, by more than chance would give (two standard errors). @param train how many there are */
function isClearlyWorse(tuned: Judgement, frozen: Judgement, train: number): boolean {
  const spread = [tuned, frozen].reduce((sum, { accuracy }) => sum + accuracy * (1 - accuracy), 0)
  const chance = 2 * Math.sqrt(spread / Math.max(1, Math.min(train, MOST_PROBED)))
  return frozen.accuracy - tuned.accuracy > Math.max(WIDE, chance)
}
