import { parseArgs } from 'node:util'
import type { ParseArgsOptionsConfig } from 'node:util'
import { labelRules } from '#shared/contract/projects.ts'
import type { LabelRule } from '#shared/contract/projects.ts'
import { exportFormats, headObjectives, recipes, trainingEngines } from '#shared/contract/trainer.ts'
import type { ExportFormat, HeadObjective, Recipe, TrainingEngine } from '#shared/contract/trainer.ts'
import { augmentationPresets } from '#shared/domain/augmentation/index.ts'
import type { SplitFractions } from '#shared/domain/splits.ts'
import { optimiserConfigSchema, optimiserKinds } from '#shared/domain/training/config.ts'
import { inWords } from '#shared/domain/training/limits.ts'
import { learningRateLimit } from '#shared/domain/training/optimisers.ts'
import type { GradientChanges } from '#shared/domain/training/presets.ts'
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
  /** What differs from the recipe's preset. */
  changes: Omit<GradientChanges, 'network'>
  /** What the head on the backbone makes small. */
  head: HeadObjective
  /** A template's name, or a file with a network written down. */
  network: string | null
  /** A file with any part of the settings of a training by gradients; `changes` win over it. */
  training: string | null
  engine: TrainingEngine
  json: boolean
}
export interface ResumeCommand {
  name: 'resume'
  folder: string
  json: boolean
}
export interface GradcheckCommand {
  name: 'gradcheck'
  /** Only cases whose name contains this. */
  only: string | null
  engine: TrainingEngine
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
  | ResumeCommand
  | GradcheckCommand
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
      head: { type: 'string' },
      seed: { type: 'string' },
      split: { type: 'string' },
      folds: { type: 'string' },
      'test-folder': { type: 'string' },
      labels: { type: 'string' },
      export: { type: 'string' },
      network: { type: 'string' },
      training: { type: 'string' },
      optimizer: { type: 'string' },
      lr: { type: 'string' },
      epochs: { type: 'string' },
      'batch-size': { type: 'string' },
      'class-weights': { type: 'string' },
      augment: { type: 'string' },
      'top-blocks': { type: 'string' },
      engine: { type: 'string' },
      device: { type: 'string' },
      json: { type: 'boolean' },
    })
    const head = values.head === undefined ? null : oneOf(headObjectives, values.head, '--head', wrong)
    // Whoever names a head means to have one.
    const unsaid = head === null ? null : 'head'
    const recipe = values.recipe === undefined ? unsaid : oneOf(recipes, values.recipe, '--recipe', wrong)
    if (recipe === 'scratch' && head !== null)
      throw wrong('--head belongs to --recipe head or fine-tune, where a backbone is used.')
    if (recipe === 'scratch' && values.backbone !== undefined)
      throw wrong('--recipe scratch works without a backbone: leave out --backbone.')
    const network = values.network ?? null
    if (network !== null && recipe !== 'scratch')
      throw wrong('--network belongs to --recipe scratch, where the whole network learns from nothing.')
    const changes = changesOf(values, wrong)
    const training = values.training ?? null
    if ((training !== null || Object.keys(changes).length > 0) && (recipe === null || recipe === 'head'))
      throw wrong(
        '--training, --optimizer, --lr, --epochs, --batch-size, --class-weights, --augment and --top-blocks belong to --recipe fine-tune or scratch.',
      )
    if (values.device !== undefined) oneOf(['cpu'], values.device, '--device', wrong)
    return {
      name: 'run',
      folder: only(positionals, 'FOLDER', wrong),
      out: required(values.out, '--out DIR', wrong),
      backbone: values.backbone ?? null,
      recipe,
      head: head ?? 'softmax',
      seed: wholeNumber(values.seed ?? '1', '--seed', 0, 2 ** 31 - 1, wrong),
      split: splitOf(values.split ?? '70/15/15', wrong),
      folds: foldsOf(values.folds, wrong),
      testFolder: values['test-folder'] ?? null,
      labels: values.labels === undefined ? null : oneOf(labelRules, values.labels, '--labels', wrong),
      exports: exportsOf(values.export, wrong),
      ...{ changes, network, training },
      engine: values.engine === undefined ? 'onnx' : oneOf(trainingEngines, values.engine, '--engine', wrong),
      json: values.json ?? false,
    }
  },
  resume(argv) {
    const { values, positionals, wrong } = read('resume', argv, { json: { type: 'boolean' } })
    return { name: 'resume', folder: only(positionals, 'DIR', wrong), json: values.json ?? false }
  },
  gradcheck(argv) {
    const { values, positionals, wrong } = read('gradcheck', argv, {
      engine: { type: 'string' },
      json: { type: 'boolean' },
    })
    const [first, extra] = positionals
    if (extra !== undefined) throw wrong(`One name is enough, found also "${extra}".`)
    return {
      name: 'gradcheck',
      only: first ?? null,
      engine:
        values.engine === undefined ? 'reference' : oneOf(trainingEngines, values.engine, '--engine', wrong),
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

interface ChangeValues {
  optimizer?: string | undefined
  lr?: string | undefined
  epochs?: string | undefined
  'batch-size'?: string | undefined
  'class-weights'?: string | undefined
  augment?: string | undefined
  'top-blocks'?: string | undefined
}

function changesOf(values: ChangeValues, wrong: Wrong): RunCommand['changes'] {
  const { optimizer, lr, epochs, augment } = values
  const [batch, weights, blocks] = [values['batch-size'], values['class-weights'], values['top-blocks']]
  return {
    ...(optimizer !== undefined && {
      optimiser: optimiserConfigSchema.parse({
        kind: oneOf(optimiserKinds, optimizer, '--optimizer', wrong),
      }),
    }),
    ...(lr !== undefined && { learningRate: rateOf(lr, wrong) }),
    ...(epochs !== undefined && { epochs: wholeNumber(epochs, '--epochs', 1, 10_000, wrong) }),
    ...(batch !== undefined && { batchSize: wholeNumber(batch, '--batch-size', 1, 1024, wrong) }),
    ...(weights !== undefined && {
      classWeights: oneOf(['none', 'balanced'] as const, weights, '--class-weights', wrong),
    }),
    ...(augment !== undefined && { augmentation: oneOf(augmentationPresets, augment, '--augment', wrong) }),
    ...(blocks !== undefined && { topBlocks: wholeNumber(blocks, '--top-blocks', 1, 1000, wrong) }),
  }
}

function rateOf(text: string, wrong: Wrong): number {
  const value = Number(text)
  const { min, max } = learningRateLimit
  if (text.trim() === '' || !(value >= min && value <= max))
    throw wrong(`--lr is a number from ${inWords(min)} to ${max}, like 0.001 or 1e-3, not "${text}".`)
  return value
}

function exportsOf(text: string | undefined, wrong: Wrong): ExportFormat[] {
  if (text === undefined) return []
  return [...new Set(text.split(',').map((format) => oneOf(exportFormats, format.trim(), '--export', wrong)))]
}
