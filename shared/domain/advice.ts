import { classFigures, wilsonInterval } from './metrics.ts'

export interface AdviceInput {
  /** Names in the order of the class numbers. */
  classes: readonly string[]
  /** Rows true, columns predicted. */
  confusion: readonly (readonly number[])[]
  /** Training pictures of each class. */
  training: readonly number[]
}

export interface Advice {
  classIndex: number
  /** How many more pictures are suggested. */
  pictures: number
  words: string
}

/** A class whose recall may well be this good, by what the pictures can tell, is not worth the person's time. */
const GOOD_RECALL = 0.95
const MIN_SUGGESTED = 10
const MAX_SUGGESTED = 200

/**
 * Which class more pictures would help most: the one whose recall is lowest, cautiously counted (upper Wilson bound, so
 * that two mistakes among three pictures do not outweigh thirty among a hundred). As many again as it has, because
 * errors fall about with the square root of the pictures; at least up to the middle of the other classes.
 * @returns null when every class is recognised well, or nothing is known.
 */
export function adviseMorePictures({ classes, confusion, training }: AdviceInput): Advice | null {
  const figures = classFigures(confusion)
  const candidates = figures
    .map(({ recall, support }, classIndex) => ({
      classIndex,
      recall,
      support,
      bound: wilsonInterval(Math.round(recall * support), support)[1],
    }))
    .filter(({ support, bound }) => support > 0 && bound < GOOD_RECALL)
    .sort((a, b) => a.bound - b.bound || a.recall - b.recall || a.classIndex - b.classIndex)
  const worst = candidates[0]
  if (!worst) return null
  const has = training[worst.classIndex] ?? 0
  const middle = [...training].sort((a, b) => a - b)[Math.floor(training.length / 2)] ?? 0
  const wanted = Math.max(has, middle - has, MIN_SUGGESTED)
  const pictures = Math.min(
    MAX_SUGGESTED,
    wanted < 50 ? Math.ceil(wanted / 5) * 5 : Math.ceil(wanted / 10) * 10,
  )
  const right = Math.round(worst.recall * 10)
  const share = right === 0 ? 'hardly any' : `about ${right} of 10`
  return {
    classIndex: worst.classIndex,
    pictures,
    words: `“${classes[worst.classIndex]}” is recognised in ${share} pictures. About ${pictures} more pictures of it should help most.`,
  }
}
