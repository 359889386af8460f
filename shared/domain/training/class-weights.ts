import { z } from 'zod'
import { KestrelError } from '../../errors/index.ts'
import { knownInstead } from '../../util/nearest-name.ts'
import { limited, type Limit } from './limits.ts'

/** How much the pictures of each class count in the loss. */
export const classWeightLimit: Limit = { name: 'The weight of a class', min: 0, max: 1e6, default: 1 }

export const classWeightsSchema = z.union(
  [
    z.enum(['none', 'balanced']),
    /** One for each class, in their order. */
    z.array(limited(classWeightLimit)).min(2),
  ],
  {
    error:
      'The class weights must be "none", "balanced" or a list with a number from 0 to 1000000 for each class.',
  },
)
export type ClassWeights = z.infer<typeof classWeightsSchema>

/**
 * Weights as a person writes them, as a training takes them.
 * @param given by label: labels that are not named weigh 1
 * @param labels names of the classes in their order; left out while they are not known yet: weights by label are then
 *   taken as they are
 * @throws KestrelError `bad-request` when they do not fit the classes, or no class would count
 */
export function weightsByClass(
  given: ClassWeights | Readonly<Record<string, number>>,
  classes: number,
  labels?: readonly string[],
): ClassWeights {
  if (typeof given === 'string') return given
  const weights = Array.isArray(given) ? (given as number[]) : byLabel(given, labels)
  if (weights === null) return 'none'
  if (weights.length !== classes)
    throw refused(
      `There are ${weights.length} class weights for ${classes} labels${labels ? ` (${labels.join(', ')})` : ''}.`,
    )
  if (weights.every((weight) => weight === 0))
    throw refused('All class weights are 0: no picture would count.')
  return weights
}

function byLabel(
  given: Readonly<Record<string, number>>,
  labels: readonly string[] | undefined,
): number[] | null {
  if (labels === undefined) return null
  for (const name of Object.keys(given))
    if (!labels.includes(name))
      throw refused(`A class weight is given for "${name}", which is no label: ${knownInstead(name, labels)}`)
  return labels.map((name) => (Object.hasOwn(given, name) ? given[name]! : classWeightLimit.default))
}

const refused = (message: string): KestrelError =>
  new KestrelError('bad-request', message.endsWith('.') || message.endsWith('?') ? message : `${message}.`, {
    kept: 'The pictures and labels are kept.',
    remedy: 'Correct the class weights and start again.',
  })

/**
 * Weight of each class in the loss. `balanced`: n ÷ (classes · nₖ), as scikit-learn's `compute_class_weight` does it (King &
 * Zeng 2001); empty classes take no part and get 0.
 * @param counts training pictures of each class.
 * @throws RangeError when there are not as many weights as classes.
 */
export function classWeightsOf(weights: ClassWeights, counts: readonly number[]): number[] {
  if (weights === 'none') return counts.map(() => 1)
  if (weights === 'balanced') {
    const total = counts.reduce((a, b) => a + b, 0)
    const filled = counts.filter((count) => count > 0).length
    return counts.map((count) => (count === 0 ? 0 : total / (filled * count)))
  }
  if (weights.length !== counts.length)
    throw new RangeError(`${weights.length} class weights were given for ${counts.length} classes.`)
  return [...weights]
}

/**
 * Weight of each row of a batch in the loss: Σₖ target · class weight. A row that is mixed from two pictures weighs what
 * its parts do.
 * @param targets [rows, classes]
 * @returns [rows]
 */
export function rowWeightsOf(targets: Float32Array, weights: readonly number[]): Float32Array {
  const classes = weights.length
  const result = new Float32Array(targets.length / classes)
  for (let row = 0; row < result.length; row++) {
    let weight = 0
    for (let k = 0; k < classes; k++) weight += targets[row * classes + k]! * weights[k]!
    result[row] = weight
  }
  return result
}
