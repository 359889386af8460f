import { z } from 'zod'
import { KestrelError } from '../../errors/index.ts'
import { knownInstead } from '../../util/nearest-name.ts'
import { gradientChangesSchema, type GradientChanges } from './changes.ts'
import { fineTunePlan, planGradients, scratchPlan, type PlanFor } from './presets.ts'

/** Characters; every setting there is, with a network written down, takes a fraction of this. */
const maxText = 500_000

type Recipe = PlanFor['recipe']

/**
 * Reads what a person wrote down about a training: JSON with any part of its settings. What is left out stays as the preset
 * of the recipe has it, also inside an optimiser, a schedule or a loss, whose kind then need not be said.
 * @throws KestrelError `bad-request` with a sentence for each mistake: its place, and what may stand there
 */
export function readTrainingFile(text: string, recipe: Recipe): GradientChanges {
  if (text.length > maxText)
    throw refused(['This file is too large for the settings of a training.'], undefined)
  const parsed = gradientChangesSchema.safeParse(completed(parseJson(text), recipe), {
    error: inWords,
    reportInput: true,
  })
  if (!parsed.success)
    throw refused(
      parsed.error.issues.flatMap((issue) => sentences(issue)),
      parsed.error,
    )
  requirePlan(recipe, parsed.data)
  return parsed.data
}

/**
 * Whether settings go together and with the recipe, as far as that can be said before the labels are known.
 * @throws KestrelError `bad-request`
 */
export function requirePlan(recipe: Recipe, changes: GradientChanges): void {
  const { classWeights } = changes
  planGradients(
    { recipe, pictures: 2, classes: Array.isArray(classWeights) ? classWeights.length : 2 },
    changes,
  )
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    throw new KestrelError('bad-request', 'The file of the training is not JSON.', {
      remedy: `Check commas and brackets${error instanceof Error ? ` (${error.message})` : ''}.`,
      cause: error,
    })
  }
}

/** With what goes without saying: the preset's kind of optimiser, schedule and loss; the version of an augmentation. */
function completed(written: unknown, recipe: Recipe): unknown {
  if (!isObject(written)) return written
  const { fitting } = recipe === 'scratch' ? scratchPlan(1000, 2) : fineTunePlan(1000)
  const all: Record<string, unknown> = { ...written }
  for (const name of ['optimiser', 'schedule', 'loss'] as const)
    if (isObject(all[name])) all[name] = { kind: fitting[name].kind, ...all[name] }
  if (isObject(all['augmentation'])) all['augmentation'] = { version: 1, ...all['augmentation'] }
  return all
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** What zod would say in its own words; settings with words of their own keep those. */
const inWords: z.core.$ZodErrorMap = (issue) => {
  switch (issue.code) {
    case 'unrecognized_keys': {
      const known = issue.inst instanceof z.ZodObject ? Object.keys(issue.inst.shape) : []
      return issue.keys
        .map((name) => `there is no setting "${name.slice(0, 100)}"; ${knownInstead(name, known)}`)
        .join(' Also ')
    }
    case 'invalid_value':
      return `must be ${issue.values.length > 1 ? 'one of ' : ''}${issue.values.map((value) => JSON.stringify(value)).join(', ')}`
    case 'invalid_type':
      return issue.input === undefined ? 'is missing' : `must be ${article(issue.expected)}`
    case 'too_small':
      return `must be at least ${issue.minimum}`
    case 'too_big':
      return `must be at most ${issue.maximum}`
    default:
      return undefined
  }
}

const kinds: Record<string, string> = {
  object: 'a group of settings in { }',
  array: 'a list in [ ]',
  boolean: 'true or false',
  int: 'a whole number',
  string: 'a text in quotes',
}
const article = (type: string): string => kinds[type] ?? `a ${type}`

/** A sentence for a mistake; where something may be written in several ways, for those in the way that was meant. */
function sentences(issue: z.core.$ZodIssue, place: readonly PropertyKey[] = []): string[] {
  const path = [...place, ...issue.path]
  if (issue.code === 'invalid_union' && issue.message === 'Invalid input' && issue.errors.length > 0) {
    // A way that fails inside fits on the outside.
    const meant = issue.errors.find((ways) => ways.every((each) => each.path.length > 0)) ?? issue.errors[0]!
    return meant.flatMap((each) => sentences(each, path))
  }
  const where = path.map(String).join('.')
  const said = where === '' ? capital(issue.message) : `"${where}": ${issue.message}`
  return [/[.?]$/.test(said) ? said : `${said}.`]
}

const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1)

const refused = (all: readonly string[], cause: unknown): KestrelError =>
  new KestrelError('bad-request', ['The file of the training cannot be used.', ...new Set(all)].join(' '), {
    kept: 'Nothing was imported or trained.',
    remedy: 'Correct the file and start again.',
    cause,
  })
