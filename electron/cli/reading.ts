import { parseArgs } from 'node:util'
import type { ParseArgsOptionsConfig } from 'node:util'
import type { CommandName } from './help.ts'

/** Wrong usage: exit code 2, one line and where to read more. */
export class UsageError extends Error {
  readonly command: CommandName | null

  constructor(command: CommandName | null, message: string) {
    super(message)
    this.name = 'UsageError'
    this.command = command
  }
}

export type Wrong = (message: string) => UsageError

/** `--epochs -1` as `--epochs=-1`: a number is a value, and its own check says what is allowed. */
const withNumbers = (argv: readonly string[], options: ParseArgsOptionsConfig): string[] =>
  argv.reduce<string[]>((words, word) => {
    const before = words.at(-1)
    const takesValue = before?.startsWith('--') && options[before.slice(2)]?.type === 'string'
    return takesValue && /^-\.?\d/.test(word)
      ? [...words.slice(0, -1), `${before}=${word}`]
      : [...words, word]
  }, [])

/** parseArgs, with its complaints turned into one plain line. */
export function read<T extends ParseArgsOptionsConfig>(command: CommandName, argv: string[], options: T) {
  const wrong: Wrong = (message) => new UsageError(command, message)
  const args = withNumbers(argv, options)
  const parse = () => parseArgs({ args, options, strict: true, allowPositionals: true })
  try {
    const { values, positionals } = parse()
    return { values, positionals, wrong }
  } catch (error) {
    const code = error instanceof TypeError && 'code' in error ? error.code : undefined
    if (typeof code !== 'string' || !code.startsWith('ERR_PARSE_ARGS') || !(error instanceof Error))
      throw error
    const option = /'(-[^'\s]*)/.exec(error.message)?.[1] ?? ''
    throw wrong(
      code === 'ERR_PARSE_ARGS_UNKNOWN_OPTION'
        ? `There is no option ${option}.`
        : options[option.replace(/^-+/, '').split(',')[0] ?? '']?.type === 'boolean'
          ? `${option} takes no value.`
          : `${option.replace(/,$/, '')} needs a value.`,
    )
  }
}

export function required(value: string | undefined, what: string, wrong: Wrong): string {
  if (value === undefined || value === '') throw wrong(`${what} is missing.`)
  return value
}

export function only(positionals: readonly string[], what: string, wrong: Wrong): string {
  const [value, extra] = positionals
  if (value === undefined || value === '') throw wrong(`${what} is missing.`)
  if (extra !== undefined) throw wrong(`One ${what} is enough, found also "${extra}".`)
  return value
}

export function none(positionals: readonly string[], wrong: Wrong): void {
  if (positionals[0] !== undefined) throw wrong(`"${positionals[0]}" is not expected here.`)
}

export function oneOf<T extends string>(allowed: readonly T[], value: string, what: string, wrong: Wrong): T {
  const found = allowed.find((each) => each === value)
  if (found === undefined) throw wrong(`${what} is one of ${allowed.join(', ')}; "${value}" is not.`)
  return found
}

export function wholeNumber(text: string, what: string, low: number, high: number, wrong: Wrong): number {
  const value = /^\d+$/.test(text) ? Number(text) : NaN
  if (!(value >= low && value <= high))
    throw wrong(`${what} is a whole number from ${low} to ${high}, not "${text}".`)
  return value
}
