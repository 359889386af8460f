import { parseArgs } from 'node:util'
import type { ParseArgsOptionsConfig } from 'node:util'
import { labelRules } from '#shared/contract/projects.ts'
import type { LabelRule } from '#shared/contract/projects.ts'
import { exportFormats, recipes } from '#shared/contract/trainer.ts'
import type { ExportFormat, Recipe } from '#shared/contract/trainer.ts'
import type { SplitFractions } from '#shared/domain/splits.ts'
import { commandNames } from './help.ts'
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

export interface RunCommand {
  name: 'run'
  folder: string
  out: string
  backbone: string | null
  /** Null: `head` when a backbone is there, else `scratch`. */
  recipe: Recipe | null
  seed: number
  split: SplitFractions
  /** 0: no folds. */
  folds: number
  testFolder: string | null
  /** Null: what fits the folders best. */
  labels: LabelRule | null
  exports: ExportFormat[]
  json: boolean
}
export interface PredictCommand {
  name: 'predict'
  paths: string[]
  model: string
  csv: string | null
  sortInto: string | null
  json: boolean
}
export interface FeaturesCommand {
  name: 'features'
  folder: string
  backbone: string
  out: string
  json: boolean
}
export interface ServeCommand {
  name: 'serve'
  /** 0: any free one. */
  port: number
  project: string | null
  /** Also open the address in the default browser. */
  open: boolean
}
export interface DoctorCommand {
  name: 'doctor'
  json: boolean
}
export interface BackbonesCommand {
  name: 'backbones'
  action: { kind: 'list' } | { kind: 'add'; file: string } | { kind: 'get'; id: string }
  json: boolean
}
export interface HelpCommand {
  name: 'help'
  topic: CommandName | null
}
export type Command =
  | RunCommand
  | PredictCommand
  | FeaturesCommand
  | ServeCommand
  | DoctorCommand
  | BackbonesCommand
  | HelpCommand
  | { name: 'version' }

const isCommandName = (word: string): word is CommandName => commandNames.some((name) => name === word)

/** @param argv what follows the program's name. @throws UsageError */
export function parseCommand(argv: readonly string[]): Command {
  const [first, ...rest] = argv
  if (first === undefined || first === '--help' || first === '-h') return { name: 'help', topic: null }
  if (first === '--version' || first === '-v') return { name: 'version' }
  if (first === 'help') {
    const topic = rest[0]
    if (topic === undefined) return { name: 'help', topic: null }
    if (isCommandName(topic)) return { name: 'help', topic }
    throw new UsageError(null, `There is no command "${topic}".`)
  }
  if (!isCommandName(first))
    throw new UsageError(
      null,
      first.startsWith('-')
        ? `Options come after a command, found ${first}.`
        : `There is no command "${first}".`,
    )
  if (rest.includes('--help') || rest.includes('-h')) return { name: 'help', topic: first }
  return parsers[first](rest)
}

const parsers: Record<CommandName, (argv: string[]) => Command> = {
  run(argv) {
    const { values, positionals, wrong } = read('run', argv, {
      out: { type: 'string' },
      backbone: { type: 'string' },
      recipe: { type: 'string' },
      seed: { type: 'string' },
      split: { type: 'string' },
      folds: { type: 'string' },
      'test-folder': { type: 'string' },
      labels: { type: 'string' },
      export: { type: 'string' },
      json: { type: 'boolean' },
    })
    const recipe =
      values.recipe === undefined ? null : oneOf(recipes, values.recipe, '--recipe', wrong)
    if (recipe === 'scratch' && values.backbone !== undefined)
      throw wrong('--recipe scratch works without a backbone: leave out --backbone.')
    return {
      name: 'run',
      folder: only(positionals, 'FOLDER', wrong),
      out: required(values.out, '--out DIR', wrong),
      backbone: values.backbone ?? null,
      recipe,
      seed: wholeNumber(values.seed ?? '1', '--seed', 0, 2 ** 31 - 1, wrong),
      split: splitOf(values.split ?? '70/15/15', wrong),
      folds: foldsOf(values.folds, wrong),
      testFolder: values['test-folder'] ?? null,
      labels: values.labels === undefined ? null : oneOf(labelRules, values.labels, '--labels', wrong),
      exports: exportsOf(values.export, wrong),
      json: values.json ?? false,
    }
  },
  predict(argv) {
    const { values, positionals, wrong } = read('predict', argv, {
      model: { type: 'string' },
      csv: { type: 'string' },
      'sort-into': { type: 'string' },
      json: { type: 'boolean' },
    })
    if (positionals.length === 0) throw wrong('PATH is missing: which pictures or folders?')
    if (values.json && values.csv !== undefined)
      throw wrong('--json and --csv are two ways to answer: choose one.')
    return {
      name: 'predict',
      paths: positionals,
      model: required(values.model, '--model EXPORT_OR_PROJECT', wrong),
      csv: values.csv ?? null,
      sortInto: values['sort-into'] ?? null,
      json: values.json ?? false,
    }
  },
  features(argv) {
    const { values, positionals, wrong } = read('features', argv, {
      backbone: { type: 'string' },
      out: { type: 'string' },
      json: { type: 'boolean' },
    })
    const out = required(values.out, '--out F.npy', wrong)
    if (!out.endsWith('.npy')) throw wrong('--out must end in .npy.')
    return {
      name: 'features',
      folder: only(positionals, 'FOLDER', wrong),
      backbone: required(values.backbone, '--backbone ID', wrong),
      out,
      json: values.json ?? false,
    }
  },
  serve(argv) {
    const { values, positionals, wrong } = read('serve', argv, {
      port: { type: 'string' },
      project: { type: 'string' },
      open: { type: 'boolean' },
    })
    none(positionals, wrong)
    return {
      name: 'serve',
      port: values.port === undefined ? 0 : wholeNumber(values.port, '--port', 0, 65_535, wrong),
      project: values.project ?? null,
      open: values.open ?? false,
    }
  },
  doctor(argv) {
    const { values, positionals, wrong } = read('doctor', argv, { json: { type: 'boolean' } })
    none(positionals, wrong)
    return { name: 'doctor', json: values.json ?? false }
  },
  backbones(argv) {
    const { values, positionals, wrong } = read('backbones', argv, { json: { type: 'boolean' } })
    const json = values.json ?? false
    const [verb = 'list', ...rest] = positionals
    switch (oneOf(['list', 'add', 'get'], verb, 'backbones', wrong)) {
      case 'list':
        none(rest, wrong)
        return { name: 'backbones', action: { kind: 'list' }, json }
      case 'add':
        return { name: 'backbones', action: { kind: 'add', file: only(rest, 'FILE', wrong) }, json }
      case 'get':
        return { name: 'backbones', action: { kind: 'get', id: only(rest, 'ID', wrong) }, json }
    }
  },
}

type Wrong = (message: string) => UsageError

/** parseArgs, with its complaints turned into one plain line. */
function read<T extends ParseArgsOptionsConfig>(command: CommandName, argv: string[], options: T) {
  const wrong: Wrong = (message) => new UsageError(command, message)
  const parse = () => parseArgs({ args: argv, options, strict: true, allowPositionals: true })
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

function required(value: string | undefined, what: string, wrong: Wrong): string {
  if (value === undefined || value === '') throw wrong(`${what} is missing.`)
  return value
}

function only(positionals: readonly string[], what: string, wrong: Wrong): string {
  const [value, extra] = positionals
  if (value === undefined || value === '') throw wrong(`${what} is missing.`)
  if (extra !== undefined) throw wrong(`One ${what} is enough, found also "${extra}".`)
  return value
}

function none(positionals: readonly string[], wrong: Wrong): void {
  if (positionals[0] !== undefined) throw wrong(`"${positionals[0]}" is not expected here.`)
}

function oneOf<T extends string>(allowed: readonly T[], value: string, what: string, wrong: Wrong): T {
  const found = allowed.find((each) => each === value)
  if (found === undefined) throw wrong(`${what} is one of ${allowed.join(', ')}; "${value}" is not.`)
  return found
}

function wholeNumber(text: string, what: string, low: number, high: number, wrong: Wrong): number {
  const value = /^\d+$/.test(text) ? Number(text) : NaN
  if (!(value >= low && value <= high))
    throw wrong(`${what} is a whole number from ${low} to ${high}, not "${text}".`)
  return value
}

function foldsOf(text: string | undefined, wrong: Wrong): number {
  if (text === undefined) return 0
  const folds = wholeNumber(text, '--folds', 0, 50, wrong)
  if (folds === 1) throw wrong('--folds needs at least 2 (or 0 for none).')
  return folds
}

function splitOf(text: string, wrong: Wrong): SplitFractions {
  const parts = text.split('/').map((part) => (/^\d+(\.\d+)?$/.test(part) ? Number(part) : NaN))
  const [train = NaN, val = NaN, test = NaN] = parts
  if (parts.length !== 3 || !(train > 0) || !(val >= 0) || !(test >= 0))
    throw wrong(`--split is train/val/test like 70/15/15, with something to train on; "${text}" is not.`)
  return { train, val, test }
}

function exportsOf(text: string | undefined, wrong: Wrong): ExportFormat[] {
  if (text === undefined) return []
  return [...new Set(text.split(',').map((format) => oneOf(exportFormats, format.trim(), '--export', wrong)))]
}
