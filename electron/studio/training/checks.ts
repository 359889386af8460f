import type { TrainingOptions } from '#shared/contract/training.ts'
import { wilsonInterval } from '#shared/domain/metrics.ts'
import type { TrainingCheck } from '#shared/domain/training/babysitter.ts'
import type { TrainingPlan } from './plan.ts'

export interface CheckInput {
  plan: Pick<TrainingPlan, 'classes' | 'counts' | 'perClass' | 'sharedShots'>
  unlabelled: number
  /** Whether a backbone can be used. */
  hasBackbone: boolean
}

const FEW = 20
const STRONG_IMBALANCE = 5
const SMALL_TEST = 40

/** Names for a sentence: “a”, “b” and 3 more. */
function named(names: readonly string[]): string {
  const shown = names.slice(0, 3).map((name) => `“${name}”`)
  const rest = names.length - shown.length
  if (rest > 0) return `${shown.join(', ')} and ${rest} more`
  return shown.length < 2 ? shown.join('') : `${shown.slice(0, -1).join(', ')} and ${shown.at(-1)}`
}

const pictures = (count: number): string => (count === 1 ? '1 picture' : `${count} pictures`)

/** Whether shots that there are several pictures of lie on several sides; nothing to say where there are no such shots. */
export function checkShots({ sharedShots }: Pick<TrainingPlan, 'sharedShots'>): TrainingCheck[] {
  const { groups, pictures: together, across } = sharedShots
  if (groups === 0) return []
  if (across.groups === 0)
    return [
      {
        id: 'leakage',
        verdict: 'good',
        message: `${pictures(together)} show ${groups === 1 ? 'one shot' : `${groups} shots`} several times (nearly the same picture again). They stay on one side and in one fold, so that nothing is judged that was as good as learned.`,
      },
    ]
  const { test, val } = across
  const judged = [
    ...(test > 0 ? [`${pictures(test)} of the test`] : []),
    ...(val > 0 ? [`${pictures(val)} of the validation`] : []),
  ].join(' and ')
  const many = test + val > 1
  return [
    {
      id: 'leakage',
      verdict: 'attention',
      message: `${judged} ${many ? 'are' : 'is'} nearly the same as pictures that are learned from (near-duplicates), so the result looks better than it is. ${many ? 'Their sides were given by folders or an earlier training, or they were divided as single files.' : 'Its side was given by folders or an earlier training, or it was divided as a single file.'} Move them to one folder or exclude them; where no folders gave the sides, another seed divides anew.`,
    },
  ]
}

/** Why a training cannot start, and what is worth knowing before it does. In plain words, with the next step. */
export function checkPlan({
  plan,
  unlabelled,
  hasBackbone,
}: CheckInput): Pick<TrainingOptions, 'blockers' | 'warnings'> {
  const { classes, counts, perClass } = plan
  const blockers: TrainingOptions['blockers'] = []
  const warnings: TrainingOptions['warnings'] = []
  const total = counts.train + counts.val + counts.test
  const ofClass = perClass.map(({ train, val, test }) => train + val + test)
  const which = (test: (index: number) => boolean): string[] =>
    classes.filter((_, index) => test(index)).map(({ name }) => name)

  if (total === 0)
    blockers.push({
      code: 'too-few-pictures',
      words:
        unlabelled > 0
          ? `None of the ${pictures(unlabelled)} has a label yet. Give them labels first.`
          : 'There are no pictures yet. Drop a folder of pictures on the window.',
    })
  else if (classes.length < 2)
    blockers.push({
      code: 'too-few-classes',
      words: `All pictures have the label “${classes[0]?.name}”. A model needs at least two kinds to tell apart: add pictures of a second one.`,
    })
  else if (counts.train < 2 || perClass.filter(({ train }) => train > 0).length < 2)
    blockers.push({
      code: 'too-few-pictures',
      words: 'Too few pictures are left to learn from. Add more, or give a larger part to the training.',
    })
  if (blockers.length > 0) return { blockers, warnings }

  if (!hasBackbone)
    warnings.push({
      code: 'no-backbone',
      words:
        'No backbone (a network that already knows how to see) is on this computer. A small network learns from the pixels instead: it works, and gets more wrong. Download one in Settings for much better results.',
    })
  const untrained = which((index) => perClass[index]!.train === 0)
  if (untrained.length > 0)
    warnings.push({
      code: 'no-training-pictures',
      words: `${named(untrained)} has no pictures to learn from and will never be recognised. Add some.`,
    })
  const untested = which((index) => perClass[index]!.test === 0 && perClass[index]!.train > 0)
  if (counts.test > 0 && untested.length > 0)
    warnings.push({
      code: 'untested-class',
      words: `${named(untested)} has too few pictures to be tested. Three is the least; more is better.`,
    })
  const few = which((index) => ofClass[index]! < FEW && perClass[index]!.train > 0)
  if (few.length > 0)
    warnings.push({
      code: 'few-pictures',
      words: `${named(few)}: fewer than ${FEW} pictures. A model can learn from that, but its results will waver.`,
    })
  const largest = Math.max(...ofClass)
  const smallest = Math.min(...ofClass)
  if (largest >= STRONG_IMBALANCE * smallest && largest >= FEW)
    warnings.push({
      code: 'imbalance',
      words: `“${classes[ofClass.indexOf(largest)]?.name}” has ${pictures(largest)}, “${classes[ofClass.indexOf(smallest)]?.name}” only ${smallest}. Rare classes are recognised less well (imbalance): more pictures of them help.`,
    })
  if (counts.test === 0)
    warnings.push({
      code: 'no-test',
      words:
        'No pictures are kept aside for the test: nobody will know how good the model is on new pictures.',
    })
  else if (counts.test < SMALL_TEST) {
    const [low, high] = wilsonInterval(Math.round(counts.test * 0.9), counts.test)
    warnings.push({
      code: 'small-test',
      words: `The test has only ${pictures(counts.test)}. Its result is a rough one: 90 % could mean anything from ${Math.round(low * 100)} % to ${Math.round(high * 100)} %.`,
    })
  }
  for (const { verdict, message } of checkShots(plan))
    if (verdict === 'attention') warnings.push({ code: 'leakage', words: message })
  if (unlabelled > 0)
    warnings.push({
      code: 'unlabelled',
      words: `${pictures(unlabelled)} without a label ${unlabelled === 1 ? 'takes' : 'take'} no part.`,
    })
  return { blockers, warnings }
}
