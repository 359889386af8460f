import { labelRules } from '#shared/contract/projects.ts'
import { keptTogether } from '#shared/contract/training.ts'
import { exportFormats, headObjectives, recipes, trainingEngines } from '#shared/contract/trainer.ts'
import type { ExportFormat } from '#shared/contract/trainer.ts'
import { augmentationPresets } from '#shared/domain/augmentation/index.ts'
import { studentIds, studentSize } from '#shared/domain/distillation/students.ts'
import type { SplitFractions } from '#shared/domain/splits.ts'
import { optimiserConfigSchema, optimiserKinds } from '#shared/domain/training/config.ts'
import { inWords } from '#shared/domain/training/limits.ts'
import { learningRateLimit } from '#shared/domain/training/optimisers.ts'
import type { Command, RunCommand } from './command.ts'
import { commandNames } from './help.ts'
import type { CommandName } from './help.ts'
import { none, oneOf, only, read, required, UsageError, wholeNumber } from './reading.ts'
import type { Wrong } from './reading.ts'

const isCommandName = (word: string): word is CommandName => commandNames.some((name) => name === word)

const asksForWords = new Set(['--help', '-h', 'help', '--version', '-v'])

/** @param argv what follows the program's name. @throws UsageError */
export function parseCommand(argv: readonly string[]): Command {
  const [before, after = '--help'] = argv
  // No command's option yet, and no less clear for it.
  const [first, ...rest] = before === '--json' && asksForWords.has(after) ? argv.slice(1) : argv
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
      together: { type: 'string' },
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
      together: oneOf(keptTogether, values.together ?? 'copies', '--together', wrong),
      labels: values.labels === undefined ? null : oneOf(labelRules, values.labels, '--labels', wrong),
      exports: exportsOf(values.export, wrong),
      ...{ changes, network, training },
      engine: values.engine === undefined ? 'onnx' : oneOf(trainingEngines, values.engine, '--engine', wrong),
      json: values.json ?? false,
    }
  },
  resume(argv) {
    const { values, positionals, wrong } = read('resume', argv, {
      keep: { type: 'boolean' },
      json: { type: 'boolean' },
    })
    const folder = only(positionals, 'DIR', wrong)
    return { name: 'resume', folder, keep: values.keep ?? false, json: values.json ?? false }
  },
  distill(argv) {
    const { values, positionals, wrong } = read('distill', argv, {
      teacher: { type: 'string' },
      pictures: { type: 'string', multiple: true },
      probe: { type: 'string', multiple: true },
      student: { type: 'string' },
      begin: { type: 'string' },
      size: { type: 'string' },
      views: { type: 'string' },
      epochs: { type: 'string' },
      seed: { type: 'string' },
      out: { type: 'string' },
      engine: { type: 'string' },
      json: { type: 'boolean' },
    })
    // `--pictures A B C`: the first belongs to the option, the others follow.
    const pictures = [...(values.pictures ?? []), ...positionals]
    const probes = values.probe ?? []
    if (pictures.length + probes.length === 0) throw wrong('--pictures FOLDER is missing.')
    const size = wholeNumber(values.size ?? String(studentSize), '--size', 64, 320, wrong)
    if (size % 32 !== 0) throw wrong(`--size is a multiple of 32, not ${size}.`)
    return {
      name: 'distill',
      teacher: required(values.teacher, '--teacher ID', wrong),
      ...{ pictures, probes, size },
      begin: values.begin ?? null,
      student: oneOf(studentIds, required(values.student, '--student SIZE', wrong), '--student', wrong),
      out: required(values.out, '--out DIR', wrong),
      views: wholeNumber(values.views ?? '6', '--views', 1, 100, wrong),
      epochs: wholeNumber(values.epochs ?? '12', '--epochs', 1, 10_000, wrong),
      seed: wholeNumber(values.seed ?? '1', '--seed', 0, 2 ** 31 - 1, wrong),
      engine: values.engine === undefined ? 'onnx' : oneOf(trainingEngines, values.engine, '--engine', wrong),
      json: values.json ?? false,
    }
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
