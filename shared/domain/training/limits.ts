import { z } from 'zod'

/**
 * What a setting may be: the page draws its field from this, the schema refuses by it, and both say the same words.
 */
export interface Limit {
  /** As a sentence begins: "The learning rate". */
  name: string
  min: number
  max: number
  default: number
  /** Only whole numbers. */
  whole?: boolean
}

/** A number inside its limits. What is refused is said in one sentence that a person can act on. */
export function limited(limit: Limit): z.ZodNumber {
  const { name, min, max } = limit
  const words = {
    error: (issue: { input?: unknown }) =>
      `${name} must be ${limit.whole ? 'a whole number' : 'a number'} from ${inWords(min)} to ${inWords(max)}${found(issue.input)}.`,
  }
  const number = z.number(words).min(min, words).max(max, words)
  return limit.whole ? number.int(words) : number
}

/** The same, taking the limit's default when it is left out. */
export const limitedOr = (limit: Limit): z.ZodDefault<z.ZodNumber> => limited(limit).default(limit.default)

const found = (input: unknown): string => (typeof input === 'number' ? `, not ${inWords(input)}` : '')

/** As many digits behind the point as can be written without an exponent. */
const DIGITS = 20

/**
 * No exponents: 0.0000001 and not 1e-7, which looks like a typing error to who has never seen one. Numbers so small that
 * nothing would be left of them keep theirs.
 */
export const inWords = (value: number): string =>
  Number.isFinite(value) && Math.abs(value) >= 10 ** -DIGITS && Math.abs(value) < 1e-6
    ? value.toFixed(DIGITS).replace(/0+$/, '')
    : String(value)

type OfKind = z.ZodObject<{ kind: z.ZodLiteral<string> }>

/** One of several objects, told apart by `kind`. */
export function kindOf<const T extends readonly [OfKind, ...OfKind[]]>(
  name: string,
  options: T,
): z.ZodDiscriminatedUnion<T, 'kind'> {
  const kinds = options.map((option) => option.shape.kind.value).join(', ')
  return z.discriminatedUnion('kind', options, { error: () => `${name} must be one of: ${kinds}.` })
}

/** What a choice is called: the plain word first, the field's term after it, and what it does in a sentence. */
export interface Words {
  plain: string
  term: string
  meaning: string
}
