import { describe, expect, it } from 'vitest'
import { parseCommand } from '../../electron/cli/arguments.ts'
import { UsageError } from '../../electron/cli/reading.ts'
import { commandNames, topics } from '../../electron/cli/help.ts'

const parse = (text: string) => parseCommand(text.split(' ').filter(Boolean))

describe('kestrel run', () => {
  it('has defaults', () => {
    expect(parse('run pictures --out dir')).toEqual({
      name: 'run',
      folder: 'pictures',
      out: 'dir',
      backbone: null,
      recipe: null,
      head: 'softmax',
      seed: 1,
      split: { train: 70, val: 15, test: 15 },
      folds: 0,
      together: 'copies',
      testFolder: null,
      labels: null,
      exports: [],
      changes: {},
      network: null,
      training: null,
      engine: 'onnx',
      json: false,
    })
  })

  it('takes what a training by gradients can be told', () => {
    expect(
      parse(
        'run p --out d --recipe scratch --network my.json --optimizer nesterov --lr 1e-2 --epochs 7 --batch-size 8 --class-weights balanced --augment strong --engine reference --device cpu',
      ),
    ).toMatchObject({
      recipe: 'scratch',
      network: 'my.json',
      engine: 'reference',
      changes: {
        optimiser: { kind: 'nesterov', momentum: 0.9 },
        learningRate: 0.01,
        epochs: 7,
        batchSize: 8,
        classWeights: 'balanced',
        augmentation: 'strong',
      },
    })
    expect(parse('run p --out d --head svm')).toMatchObject({ recipe: 'head', head: 'svm' })
    expect(parse('run p --out d --recipe fine-tune --head svm')).toMatchObject({ head: 'svm' })
    expect(parse('run p --out d --recipe fine-tune --top-blocks 2 --training my.json')).toMatchObject({
      changes: { topBlocks: 2 },
      training: 'my.json',
    })
  })

  it('takes all its options, in any order', () => {
    expect(
      parse(
        'run --json --folds 10 --export onnx,tfjs,onnx --split 80/10/10 pictures --seed 7 --out=dir --backbone b --recipe head --test-folder t --labels path',
      ),
    ).toMatchObject({
      folds: 10,
      exports: ['onnx', 'tfjs'],
      split: { train: 80, val: 10, test: 10 },
      seed: 7,
      backbone: 'b',
      recipe: 'head',
      testFolder: 't',
      labels: 'path',
      json: true,
    })
  })
})

describe('the other commands', () => {
  it('are read', () => {
    expect(parse('predict a.jpg b --model m --csv t.csv --sort-into s')).toEqual({
      name: 'predict',
      paths: ['a.jpg', 'b'],
      model: 'm',
      csv: 't.csv',
      sortInto: 's',
      json: false,
    })
    expect(parse('features f --backbone b --out x.npy')).toMatchObject({ folder: 'f', out: 'x.npy' })
    expect(parse('serve')).toEqual({ name: 'serve', port: 0, project: null, open: false })
    expect(parse('serve --port 8080 --project p --open')).toEqual({
      name: 'serve',
      port: 8080,
      project: 'p',
      open: true,
    })
    expect(parse('resume d --json')).toEqual({ name: 'resume', folder: 'd', keep: false, json: true })
    expect(parse('gradcheck Conv --engine onnx')).toEqual({
      ...{ name: 'gradcheck', only: 'Conv', engine: 'onnx', json: false },
    })
    expect(parse('gradcheck')).toMatchObject({ only: null, engine: 'reference' })
    expect(parse('doctor --json')).toEqual({ name: 'doctor', json: true })
    expect(parse('backbones')).toMatchObject({ action: { kind: 'list' } })
    expect(parse('backbones add net.onnx')).toMatchObject({ action: { kind: 'add', file: 'net.onnx' } })
    expect(parse('backbones get x --json')).toMatchObject({ action: { kind: 'get', id: 'x' }, json: true })
  })

  it('help and version', () => {
    expect(parse('')).toEqual({ name: 'help', topic: null })
    expect(parse('--help')).toEqual({ name: 'help', topic: null })
    expect(parse('help run')).toEqual({ name: 'help', topic: 'run' })
    expect(parse('run --help --nonsense')).toEqual({ name: 'help', topic: 'run' })
    expect(parse('--version')).toEqual({ name: 'version' })
    for (const name of commandNames) expect(topics[name]).toContain(`kestrel ${name}`)
  })
})

describe('wrong usage says one plain line', () => {
  it.each([
    ['fly', 'There is no command "fly".'],
    ['--jso', 'Options come after a command, found --jso.'],
    ['run', 'FOLDER is missing.'],
    ['run a b --out d', 'One FOLDER is enough, found also "b".'],
    ['run a', '--out DIR is missing.'],
    ['run a --out', '--out needs a value.'],
    ['run a --out d --sead 1', 'There is no option --sead.'],
    ['run a --out d --json=yes', '--json takes no value.'],
    ['run a --out --json', '--out needs a value.'],
    ['run a --out d --seed -1', '--seed is a whole number from 0 to 2147483647, not "-1".'],
    [
      'distill --teacher t --pictures a --student tiny --out d --epochs -1',
      '--epochs is a whole number from 1 to 10000, not "-1".',
    ],
    ['serve --port -.5', '--port is a whole number from 0 to 65535, not "-.5".'],
    ['run a --out d --json -1', 'There is no option -1.'],
    ['run a --out d --seed 1.5', '--seed is a whole number from 0 to 2147483647, not "1.5".'],
    ['run a --out d --folds 1', '--folds needs at least 2 (or 0 for none).'],
    [
      'run a --out d --split 70/30',
      '--split is train/val/test like 70/15/15, with something to train on; "70/30" is not.',
    ],
    [
      'run a --out d --split 0/50/50',
      '--split is train/val/test like 70/15/15, with something to train on; "0/50/50" is not.',
    ],
    ['run a --out d --export coreml', '--export is one of onnx, tfjs; "coreml" is not.'],
    ['run a --out d --together twins', '--together is one of shots, copies; "twins" is not.'],
    ['run a --out d --recipe magic', '--recipe is one of head, fine-tune, scratch; "magic" is not.'],
    [
      'run a --out d --recipe scratch --backbone b',
      '--recipe scratch works without a backbone: leave out --backbone.',
    ],
    ['run a --out d --recipe head --lr 1', 'belong to --recipe fine-tune or scratch.'],
    ['run a --out d --epochs 3', 'belong to --recipe fine-tune or scratch.'],
    ['run a --out d --recipe scratch --head svm', '--head belongs to --recipe head or fine-tune'],
    ['run a --out d --head tree', '--head is one of softmax, svm; "tree" is not.'],
    ['run a --out d --recipe head --training f.json', 'belong to --recipe fine-tune or scratch.'],
    ['run a --out d --recipe fine-tune --network lenet-5', '--network belongs to --recipe scratch'],
    ['run a --out d --recipe scratch --lr fast', '--lr is a number from 0.0000001 to 100'],
    ['run a --out d --recipe scratch --lr 1e-300', 'like 0.001 or 1e-3, not "1e-300".'],
    ['run a --out d --recipe scratch --optimizer lion', '--optimizer is one of sgd, momentum,'],
    ['run a --out d --recipe scratch --device moon', '--device is one of cpu; "moon" is not.'],
    ['resume', 'DIR is missing.'],
    ['gradcheck a b', 'One name is enough, found also "b".'],
    ['predict --model m', 'PATH is missing: which pictures or folders?'],
    ['predict a', '--model EXPORT_OR_PROJECT is missing.'],
    ['predict a --model m --json --csv f', '--json and --csv are two ways to answer: choose one.'],
    ['features f --backbone b --out x.txt', '--out must end in .npy.'],
    ['serve here', '"here" is not expected here.'],
    ['serve --port 70000', '--port is a whole number from 0 to 65535, not "70000".'],
    ['backbones drop x', 'backbones is one of list, add, get; "drop" is not.'],
    ['backbones add', 'FILE is missing.'],
    ['help fly', 'There is no command "fly".'],
  ])('kestrel %s', (text, message) => {
    expect(() => parse(text)).toThrow(UsageError)
    expect(() => parse(text)).toThrow(message)
  })
})
