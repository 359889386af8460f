/** How often two models were right about the very same pictures. */
export interface PairedCounts {
  pictures: number
  bothRight: number
  /** Right by the first model alone. */
  onlyFirst: number
  /** Right by the second model alone. */
  onlySecond: number
}

export interface PairedComparison {
  /** Shares right, 0 … 1. */
  firstAccuracy: number
  secondAccuracy: number
  /** Second minus first, −1 … 1. */
  gain: number
  /** 95 % interval of the gain. */
  gainCi95: [number, number]
  /** Chance of a difference at least as large between two models that are equally good, 0 … 1. */
  pValue: number
  /** Whether the second model is better than the first; `unclear` when the difference may well be chance. */
  verdict: 'better' | 'worse' | 'unclear'
}

const Z95 = 1.959963984540054
const SURE_BELOW = 0.05

/**
 * Holds the answers of two models against the truth, picture by picture.
 * @param truth class of each picture
 * @throws RangeError when lengths differ
 */
export function countPairs(
  truth: ArrayLike<number>,
  first: ArrayLike<number>,
  second: ArrayLike<number>,
): PairedCounts {
  if (first.length !== truth.length || second.length !== truth.length)
    throw new RangeError('both models must have answered every picture')
  const counts = { pictures: truth.length, bothRight: 0, onlyFirst: 0, onlySecond: 0 }
  for (let i = 0; i < truth.length; i++) {
    const [a, b] = [first[i] === truth[i], second[i] === truth[i]]
    if (a && b) counts.bothRight++
    else if (a) counts.onlyFirst++
    else if (b) counts.onlySecond++
  }
  return counts
}

/**
 * The exact two-sided test of McNemar (Psychometrika 12, 1947) for two models on the same pictures: were they equally
 * good, each picture that one alone gets right would fall to either like a coin, so that the smaller count is at most
 * k = min(a, b) with probability P(X ≤ k), X ~ Bin(a + b, ½); p = min(1, 2 · P(X ≤ k)). Same as SciPy's
 * `binomtest(k, a + b, 0.5).pvalue`.
 * @returns 0 … 1; 1 when the models never differ
 * @throws RangeError for counts that are no whole numbers ≥ 0
 */
export function mcNemarExact(onlyFirst: number, onlySecond: number): number {
  for (const count of [onlyFirst, onlySecond])
    if (!Number.isInteger(count) || count < 0)
      throw new RangeError(`a count must be a whole number ≥ 0, got ${count}`)
  const n = onlyFirst + onlySecond
  const smaller = Math.min(onlyFirst, onlySecond)
  // In logarithms: ½ to the power of some thousand is no number of 64 bits any more.
  let logChoose = 0
  let sum = 0
  for (let k = 0; k <= smaller; k++) {
    sum += Math.exp(logChoose - n * Math.LN2)
    logChoose += Math.log((n - k) / (k + 1))
  }
  return Math.min(1, 2 * sum)
}

/**
 * 95 % interval of the difference of two shares measured on the same pictures, second minus first: Wald's interval with
 * half a picture added to each of the four cells (Agresti and Min, "Simple improved confidence intervals for comparing
 * matched proportions", Statistics in Medicine 24, 2005).
 * @returns lower and upper bound, −1 … 1
 */
export function pairedDifferenceInterval({
  pictures,
  onlyFirst,
  onlySecond,
}: Pick<PairedCounts, 'pictures' | 'onlyFirst' | 'onlySecond'>): [number, number] {
  const [n, a, b] = [pictures + 2, onlyFirst + 0.5, onlySecond + 0.5]
  const difference = (b - a) / n
  const half = (Z95 * Math.sqrt(a + b - (b - a) ** 2 / n)) / n
  return [Math.max(-1, difference - half), Math.min(1, difference + half)]
}

/**
 * What the counts say, with how sure that is. Answers of a cross-validation come from models that share most of what they
 * learned from, so that p is a little too small (Dietterich, Neural Computation 10, 1998): good enough for advice that
 * the person may leave, not for a publication.
 * @throws RangeError without pictures
 */
export function comparePairs(counts: PairedCounts): PairedComparison {
  const { pictures, bothRight, onlyFirst, onlySecond } = counts
  if (pictures < 1) throw new RangeError('two models cannot be compared on no picture')
  const pValue = mcNemarExact(onlyFirst, onlySecond)
  return {
    firstAccuracy: (bothRight + onlyFirst) / pictures,
    secondAccuracy: (bothRight + onlySecond) / pictures,
    gain: (onlySecond - onlyFirst) / pictures,
    gainCi95: pairedDifferenceInterval(counts),
    pValue,
    verdict: pValue >= SURE_BELOW ? 'unclear' : onlySecond > onlyFirst ? 'better' : 'worse',
  }
}
