/** What one run says about one picture; classes by name, because two runs may number them differently. */
export interface RunAnswer {
  pictureId: number
  predicted: string
}

export interface FlipInput {
  before: readonly RunAnswer[]
  after: readonly RunAnswer[]
  /** The label each picture has now; null when it has none. */
  truth: (pictureId: number) => string | null
}

/** `fixed`: wrong before, right now. `broken`: right before, wrong now. `changed`: another answer, both wrong. */
export type FlipKind = 'fixed' | 'broken' | 'changed'

export interface AnswerFlip {
  pictureId: number
  before: string
  after: string
  kind: FlipKind
}

export interface Flips {
  /** Pictures both runs have answered. */
  compared: number
  fixed: number
  broken: number
  changed: number
  /** Broken ones first, then fixed, then changed; within a kind as in `after`. */
  flips: AnswerFlip[]
}

const kinds: readonly FlipKind[] = ['broken', 'fixed', 'changed']

/**
 * Which pictures got another answer from the second of two runs. Both are held against the label the picture has
 * *now*: after a label was mended, the old run's agreement with the old label would be a false "right".
 */
export function compareAnswers({ before, after, truth }: FlipInput): Flips {
  const earlier = new Map(before.map(({ pictureId, predicted }) => [pictureId, predicted]))
  const flips: AnswerFlip[] = []
  let compared = 0
  for (const { pictureId, predicted } of after) {
    const old = earlier.get(pictureId)
    if (old === undefined) continue
    compared++
    if (old === predicted) continue
    const label = truth(pictureId)
    const kind: FlipKind = predicted === label ? 'fixed' : old === label ? 'broken' : 'changed'
    flips.push({ pictureId, before: old, after: predicted, kind })
  }
  const count = (kind: FlipKind): number => flips.filter((flip) => flip.kind === kind).length
  return {
    compared,
    fixed: count('fixed'),
    broken: count('broken'),
    changed: count('changed'),
    flips: flips.sort((a, b) => kinds.indexOf(a.kind) - kinds.indexOf(b.kind)),
  }
}
