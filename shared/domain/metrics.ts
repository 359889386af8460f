import type { Metrics } from '../contract/training.ts'

/**
 * Figures of a classifier. Definitions follow scikit-learn (sklearn.metrics 1.9), whose numbers are the golden values of
 * the tests. Classes are numbered 0 … classes - 1; probabilities lie row by row, `probabilities[i * classes + c]`.
 */

/** Standard normal quantile for two-sided 95 %. */
const Z95 = 1.959963984540054
/** Probabilities come as 32-bit numbers; scikit-learn clips to the machine epsilon of that type. */
const FLOAT32_EPSILON = 2 ** -23

/** Index of the largest probability of each picture; the first one when several are equal. Shape [pictures]. */
export function predictedClasses(probabilities: ArrayLike<number>, classes: number): Int32Array {
  const pictures = pictureCount(probabilities, classes)
  const predicted = new Int32Array(pictures)
  for (let i = 0; i < pictures; i++) {
    let best = 0
    for (let c = 1; c < classes; c++)
      if (probabilities[i * classes + c]! > probabilities[i * classes + best]!) best = c
    predicted[i] = best
  }
  return predicted
}

/**
 * Rows true, columns predicted.
 * @throws RangeError for a class outside 0 … classes - 1 or lists of different length.
 */
export function confusionMatrix(
  labels: ArrayLike<number>,
  predicted: ArrayLike<number>,
  classes: number,
): number[][] {
  sameLength(labels.length, predicted.length)
  const matrix = Array.from({ length: classes }, () => new Array<number>(classes).fill(0))
  for (let i = 0; i < labels.length; i++) {
    const row = matrix[classAt(labels, i, classes)]!
    row[classAt(predicted, i, classes)]!++
  }
  return matrix
}

/** Share of the diagonal, 0 … 1; 0 when there is no picture. */
export function accuracy(confusion: readonly (readonly number[])[]): number {
  let right = 0
  let all = 0
  confusion.forEach((row, truth) => {
    right += row[truth]!
    for (const count of row) all += count
  })
  return all === 0 ? 0 : right / all
}

/**
 * Wilson score interval of a share (Wilson 1927), as `binomtest(…).proportion_ci(method="wilson")` in SciPy.
 * @param z width in standard errors; the default gives 95 %.
 * @returns lower and upper bound, 0 … 1; [0, 1] when nothing was tried.
 */
export function wilsonInterval(right: number, of: number, z = Z95): [number, number] {
  if (of === 0) return [0, 1]
  const share = right / of
  const square = (z * z) / of
  const centre = (share + square / 2) / (1 + square)
  const half = (z / (1 + square)) * Math.sqrt((share * (1 - share)) / of + square / (4 * of))
  // At the ends the bound is exactly 0 or 1; rounding must not push it to 0.9999….
  return [right === 0 ? 0 : Math.max(0, centre - half), right === of ? 1 : Math.min(1, centre + half)]
}

export interface ClassFigures {
  /** Right among those called this class; 0 when none was (zero_division=0). */
  precision: number
  /** Right among those of this class; 0 when there is none. */
  recall: number
  f1: number
  /** Pictures that are of this class. */
  support: number
}

export function classFigures(confusion: readonly (readonly number[])[]): ClassFigures[] {
  return confusion.map((row, c) => {
    const right = row[c]!
    const support = row.reduce((sum, count) => sum + count, 0)
    const called = confusion.reduce((sum, each) => sum + each[c]!, 0)
    return {
      precision: called === 0 ? 0 : right / called,
      recall: support === 0 ? 0 : right / support,
      f1: support + called === 0 ? 0 : (2 * right) / (support + called),
      support,
    }
  })
}

/**
 * Mean F1 over the classes that occur, as truth or as answer: `f1_score(average="macro", zero_division=0)`.
 * A class that neither is true nor was predicted says nothing and does not pull the mean down.
 */
export function macroF1(confusion: readonly (readonly number[])[]): number {
  const occurring = classFigures(confusion).filter(
    (figures, c) => figures.support > 0 || confusion.some((row) => row[c]! > 0),
  )
  return occurring.length === 0 ? 0 : occurring.reduce((sum, { f1 }) => sum + f1, 0) / occurring.length
}

/** Mean negative log of the true class's probability, in nats, clipped as `sklearn.metrics.log_loss` clips float32. */
export function logLoss(
  labels: ArrayLike<number>,
  probabilities: ArrayLike<number>,
  classes: number,
): number {
  sameLength(labels.length, pictureCount(probabilities, classes))
  let sum = 0
  for (let i = 0; i < labels.length; i++) {
    const probability = probabilities[i * classes + classAt(labels, i, classes)]!
    sum -= Math.log(Math.min(1 - FLOAT32_EPSILON, Math.max(FLOAT32_EPSILON, probability)))
  }
  return labels.length === 0 ? 0 : sum / labels.length
}

/** Share of pictures whose true class is among the `k` most probable; the lower index goes first among equals. */
export function topKAccuracy(
  labels: ArrayLike<number>,
  probabilities: ArrayLike<number>,
  classes: number,
  k: number,
): number {
  sameLength(labels.length, pictureCount(probabilities, classes))
  let hits = 0
  for (let i = 0; i < labels.length; i++) {
    const truth = classAt(labels, i, classes)
    const own = probabilities[i * classes + truth]!
    let before = 0
    for (let c = 0; c < classes; c++) {
      const other = probabilities[i * classes + c]!
      if (other > own || (other === own && c < truth)) before++
    }
    if (before < k) hits++
  }
  return labels.length === 0 ? 0 : hits / labels.length
}

export interface MetricsInput {
  /** Names in the order of the class numbers. */
  classes: readonly string[]
  /** True class of each picture. Shape [pictures]. */
  labels: ArrayLike<number>
  /** Shape [pictures, classes]. */
  probabilities: ArrayLike<number>
}

/** All figures of one part of the data, as `result.json`, the page and the model card show them. */
export function computeMetrics({ classes, labels, probabilities }: MetricsInput): Metrics {
  const confusion = confusionMatrix(labels, predictedClasses(probabilities, classes.length), classes.length)
  const right = confusion.reduce((sum, row, truth) => sum + row[truth]!, 0)
  return {
    accuracy: accuracy(confusion),
    accuracy_ci95: wilsonInterval(right, labels.length),
    macro_f1: macroF1(confusion),
    log_loss: logLoss(labels, probabilities, classes.length),
    top5: topKAccuracy(labels, probabilities, classes.length, 5),
    per_class: classFigures(confusion).map((figures, c) => ({ label: classes[c]!, ...figures })),
    confusion,
  }
}

/** Mean and sample standard deviation (divisor n - 1; 0 for a single value). */
export function meanAndDeviation(values: readonly number[]): { mean: number; sd: number } {
  if (values.length === 0) return { mean: 0, sd: 0 }
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0)
  return { mean, sd: values.length < 2 ? 0 : Math.sqrt(squares / (values.length - 1)) }
}

function pictureCount(probabilities: ArrayLike<number>, classes: number): number {
  const pictures = probabilities.length / classes
  if (!Number.isInteger(pictures))
    throw new RangeError(`${probabilities.length} probabilities do not divide into rows of ${classes}`)
  return pictures
}

function classAt(list: ArrayLike<number>, index: number, classes: number): number {
  const value = list[index]!
  if (!Number.isInteger(value) || value < 0 || value >= classes)
    throw new RangeError(`class ${value} of picture ${index} is outside 0 … ${classes - 1}`)
  return value
}

function sameLength(labels: number, others: number): void {
  if (labels !== others) throw new RangeError(`${labels} labels for ${others} predictions`)
}
