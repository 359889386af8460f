import { createRandom, shuffle, type Random } from './random.ts'

/**
 * In which order an epoch shows its pictures. Depends on seed and epoch alone, so that a training can go on in the middle
 * of any epoch.
 * @returns rows, as many in every epoch
 */
export type EpochOrder = (epoch: number) => Int32Array

/** Always as given: for judging. */
export function givenOrder(rows: readonly number[]): EpochOrder {
  const order = Int32Array.from(rows)
  return () => order
}

/** Every row once, shuffled anew in each epoch. */
export const shuffledOrder =
  (rows: readonly number[], seed: number): EpochOrder =>
  (epoch) =>
    Int32Array.from(shuffle(orderRandom(seed, epoch), rows))

/**
 * Every class equally often, as many pictures as there are rows. Of a large class an epoch shows a part, chosen anew each
 * time; pictures of a small class come several times, but none comes a further time before all of its class did.
 *
 * @param labels class of `rows[i]`
 */
export function balancedOrder(rows: readonly number[], labels: ArrayLike<number>, seed: number): EpochOrder {
  const groups = new Map<number, number[]>()
  rows.forEach((row, i) => {
    const group = groups.get(labels[i]!)
    if (group) group.push(row)
    else groups.set(labels[i]!, [row])
  })
  return (epoch) => {
    const random = orderRandom(seed, epoch)
    // What cannot be divided evenly goes to other classes each time.
    const classes = shuffle(random, [...groups.values()])
    const chosen = classes.flatMap((group, i) =>
      repeated(random, group, Math.floor((rows.length + classes.length - 1 - i) / classes.length)),
    )
    return Int32Array.from(shuffle(random, chosen))
  }
}

/** `count` items in rounds, each round all of them in a new order. */
function repeated<T>(random: Random, items: readonly T[], count: number): T[] {
  const result: T[] = []
  while (result.length < count) result.push(...shuffle(random, items).slice(0, count - result.length))
  return result
}

/**
 * Each row as often as its weight says, as many pictures as there are rows: of n rows one with weight w comes
 * n · w / Σw times, rounded up or down at random so that the mean over epochs is exact (systematic sampling, Madow 1949).
 *
 * @param weights of `rows[i]`, 0 or more
 * @throws RangeError when a weight is negative or not finite, or all are 0
 */
export function weightedOrder(rows: readonly number[], weights: ArrayLike<number>, seed: number): EpochOrder {
  let sum = 0
  for (let i = 0; i < rows.length; i++) {
    if (!(weights[i]! >= 0 && weights[i]! < Infinity))
      throw new RangeError(`a weight must be 0 or more and finite, got ${weights[i]}`)
    sum += weights[i]!
  }
  if (sum === 0 && rows.length > 0) throw new RangeError('at least one weight must be above 0')
  return (epoch) => {
    const random = orderRandom(seed, epoch)
    const places = shuffle(random, [...rows.keys()])
    const chosen: number[] = []
    // A comb of n teeth, one apart and pushed by a random part of that, over the weights laid end to end.
    let tooth = random.float()
    let reached = 0
    for (const place of places) {
      reached += (weights[place]! / sum) * rows.length
      for (; tooth < reached && chosen.length < rows.length; tooth += 1) chosen.push(rows[place]!)
    }
    // Rounding may leave the last tooth just behind the end.
    while (chosen.length < rows.length) chosen.push(rows[places.findLast((place) => weights[place]! > 0)!]!)
    return Int32Array.from(shuffle(random, chosen))
  }
}

const orderRandom = (seed: number, epoch: number): Random => createRandom(seed, `order ${epoch}`)
