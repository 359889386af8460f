import { describe, expect, test } from 'vitest'
import {
  describeNetwork,
  requireRoom,
  networkSpecSchema,
  requireSound,
  templateIds,
  templateNetwork,
  withClasses,
  type NetworkSpec,
  type NetworkSpecInput,
} from '#shared/domain/network/index.ts'
import { networkLimits } from '#shared/domain/network/spec.ts'
import { planGradients } from '#shared/domain/training/presets.ts'

const network = (layers: NetworkSpecInput['layers'], size = 64): NetworkSpec =>
  networkSpecSchema.parse({ version: 1, name: 'net', input: { width: size, height: size }, layers })

const lines = (spec: NetworkSpec): unknown[] =>
  describeNetwork(spec).rows.map(({ path, name, shape, parameters, statistics }) => [
    path.join('.'),
    name,
    shape.join('×'),
    parameters,
    statistics,
  ])

describe('what a network looks like', () => {
  test('LeNet-5 has the sizes and the numbers of the paper', () => {
    // LeCun et al. 1998, section II.B: C1 156, C3 (fully connected to all maps) 2,416, C5 48,120, F6 10,164 parameters.
    expect(lines(templateNetwork('lenet-5', { size: 32, classes: 10, channels: 1 }))).toEqual([
      ['0', 'CONV 5×5, 6 filters', '6×28×28', 156, 0],
      ['1', 'TANH', '6×28×28', 0, 0],
      ['2', 'AVERAGE POOL 2×2', '6×14×14', 0, 0],
      ['3', 'CONV 5×5, 16 filters', '16×10×10', 2416, 0],
      ['4', 'TANH', '16×10×10', 0, 0],
      ['5', 'AVERAGE POOL 2×2', '16×5×5', 0, 0],
      ['6', 'FLATTEN', '400', 0, 0],
      ['7', 'FC 120', '120', 48_120, 0],
      ['8', 'TANH', '120', 0, 0],
      ['9', 'FC 84', '84', 10_164, 0],
      ['10', 'TANH', '84', 0, 0],
      ['11', 'FC 10', '10', 850, 0],
    ])
    expect(describeNetwork(templateNetwork('lenet-5', { size: 32, classes: 10, channels: 1 }))).toMatchObject(
      { parameters: 61_706, statistics: 0, problem: null },
    )
  })

  test('residual blocks list their layers, and a projection where the shapes differ', () => {
    const layers: NetworkSpecInput['layers'] = [
      { type: 'conv', filters: 16, size: 3, bias: false },
      { type: 'residual', layers: [{ type: 'conv', filters: 16, size: 3 }] },
      {
        type: 'residual',
        layers: [{ type: 'conv', filters: 32, size: 3, stride: 2, bias: false }, { type: 'batch-norm' }],
      },
      { type: 'residual', layers: [{ type: 'pool' }] },
      { type: 'global-pool' },
    ]
    expect(lines(network(layers))).toEqual([
      ['0', 'CONV 3×3, 16 filters', '16×64×64', 432, 0],
      ['1.0', 'CONV 3×3, 16 filters', '16×64×64', 2320, 0],
      ['1', 'RESIDUAL', '16×64×64', 0, 0],
      ['2.0', 'CONV 3×3, 32 filters', '32×32×32', 4608, 0],
      ['2.1', 'BATCH NORM', '32×32×32', 64, 64],
      // 1×1 convolution without a bias, and its normalisation.
      ['2', 'RESIDUAL', '32×32×32', 16 * 32 + 64, 64],
      ['3.0', 'MAX POOL 2×2', '32×16×16', 0, 0],
      // Nothing is normalised inside, so the projection has a bias.
      ['3', 'RESIDUAL', '32×16×16', 32 * 32 + 32, 0],
      ['4', 'GLOBAL AVERAGE POOL', '32', 0, 0],
    ])
  })

  test('counts separable, depthwise, squeeze-excite and PReLU', () => {
    expect(
      lines(
        network([
          { type: 'separable-conv', filters: 8, size: 3 },
          { type: 'depthwise-conv', size: 5, stride: 2 },
          { type: 'squeeze-excite', reduction: 4 },
          { type: 'activation', function: 'prelu' },
          { type: 'flatten' },
          { type: 'activation', function: 'prelu' },
          { type: 'batch-norm' },
          { type: 'fc', units: 2, bias: false },
        ]),
      ).map((row) => (row as unknown[]).slice(2)),
    ).toEqual([
      ['8×64×64', 3 * 9 + 3 * 8 + 8, 0],
      ['8×32×32', 8 * 25 + 8, 0],
      ['8×32×32', 8 * 2 + 2 + 2 * 8 + 8, 0],
      ['8×32×32', 8, 0],
      ['8192', 0, 0],
      ['8192', 8192, 0],
      ['8192', 2 * 8192, 2 * 8192],
      ['2', 2 * 8192, 0],
    ])
  })

  test('refuses batches that would not fit into memory, and says how many pictures would', () => {
    // 2 × 16 maps of 64 × 64, and the answers.
    const spec = network([
      { type: 'conv', filters: 16, size: 3 },
      { type: 'activation', function: 'relu' },
      { type: 'global-pool' },
      { type: 'fc', units: 2 },
    ])
    const { values } = describeNetwork(spec)
    expect(values).toBe(2 * 16 * 64 * 64 + 16 + 2)
    const most = Math.floor(networkLimits.batchValues / values)
    expect(() => requireRoom(spec, most)).not.toThrow()
    expect(() => requireRoom(spec, most + 1)).toThrow(
      expect.objectContaining({
        code: 'bad-request',
        remedy: expect.stringContaining(`at most ${most}`),
      }),
    )
    const wide = network([
      { type: 'conv', filters: 4096, size: 3 },
      { type: 'global-pool' },
      { type: 'fc', units: 2 },
    ])
    const plan = (pictures: number) =>
      planGradients({ recipe: 'scratch', pictures, classes: 2 }, { network: wide, batchSize: 64 })
    expect(() => plan(1000)).toThrow(/A batch of 64 pictures would become 1074 million numbers/)
    // No batch holds more pictures than there are.
    expect(() => plan(20)).not.toThrow()
  })

  test('stops at the first layer that does not fit, and says which, why and what would help', () => {
    const problem = (layers: NetworkSpecInput['layers'], classes?: number) =>
      describeNetwork(network(layers), classes).problem
    expect(
      problem([
        { type: 'conv', filters: 4, size: 3 },
        { type: 'fc', units: 2 },
      ]),
    ).toEqual({
      path: [1],
      message: 'FC 2 (layer 2): it needs a list of numbers, and gets 4 maps of 64×64.',
      remedy: 'Put FLATTEN or GLOBAL POOL before it.',
    })
    expect(problem([{ type: 'flatten' }, { type: 'conv', filters: 4, size: 3 }])).toMatchObject({
      path: [1],
      message: 'CONV 3×3, 4 filters (layer 2): it needs maps, and gets a list of 12288 numbers.',
    })
    expect(
      problem([
        { type: 'residual', layers: [{ type: 'batch-norm' }, { type: 'pool', size: 3, stride: 2 }] },
        { type: 'global-pool' },
      ]),
    ).toEqual({
      path: [0, 1],
      message:
        'MAX POOL 3×3 (layer 1.2): a window of 3 in steps of 2 does not come out even on 64 pixels: (64 − 3 + 2·0) / 2 + 1 = 31.5.',
      remedy: 'Use padding "same", or a window of 2, or steps of 1.',
    })
    expect(
      problem([
        { type: 'residual', layers: [{ type: 'conv', filters: 3, size: 3, padding: 'valid' }] },
        { type: 'global-pool' },
      ]),
    ).toMatchObject({ path: [0], message: /no shortcut can follow/ })
    expect(problem([{ type: 'conv', filters: 4, size: 3 }])).toMatchObject({
      path: [0],
      message: 'The network ends with 4 maps of 64×64 and not with one number per label.',
    })
    expect(problem([{ type: 'flatten' }, { type: 'fc', units: 10 }], 6)).toMatchObject({
      path: [1],
      message: 'The network gives 10 answers, and there are 6 labels.',
    })
    expect(problem([{ type: 'flatten' }, { type: 'fc', units: 16_000 }])).toMatchObject({
      path: [],
      message: /197 million numbers/,
    })
    const wide: NetworkSpecInput['layers'] = [
      { type: 'conv', filters: 4096, size: 1 },
      { type: 'global-pool' },
    ]
    expect(describeNetwork(network(wide, 1024)).problem).toMatchObject({ message: /4295 million numbers/ })
  })

  test('gives the rows before the problem, and none after it', () => {
    const { rows } = describeNetwork(
      network([{ type: 'flatten' }, { type: 'pool' }, { type: 'fc', units: 3 }, { type: 'fc', units: 3 }]),
    )
    expect(rows.map(({ name }) => name)).toEqual(['FLATTEN'])
  })

  test('is refused with the same words where it has to be sound', () => {
    expect(() => requireSound(network([{ type: 'fc', units: 2 }]))).toThrow(/FC 2 \(layer 1\)/)
  })
})

describe('templates', () => {
  test.each(templateIds)('%s fits every usual size, and ends with one number per label', (id) => {
    for (const size of [16, 17, 32, 33, 48, 64, 75, 96, 100, 128, 160, 224, 299])
      for (const classes of [2, 10, 120])
        expect(describeNetwork(templateNetwork(id, { size, classes }), classes).problem).toBeNull()
  })

  test('what cannot be fitted is refused in words', () => {
    expect(() => templateNetwork('small-cnn', { size: 12, classes: 3 })).toThrow(/too small/)
    expect(() => templateNetwork('small-cnn', { size: 5000, classes: 3 })).toThrow(/No network can be made/)
    expect(() => templateNetwork('lenet-5', { size: 1024, classes: 3 })).toThrow(/123 million numbers/)
    expect(() => templateNetwork('lenet-5', { size: 32, classes: 1 })).toThrow(/at least two labels/)
  })

  test('the small CNN is the one that the benchmarks are about', () => {
    const { rows, parameters } = describeNetwork(templateNetwork('small-cnn', { size: 64, classes: 10 }))
    expect(parameters).toBe(94_762)
    expect(rows.at(-2)).toMatchObject({ name: 'GLOBAL AVERAGE POOL', shape: [128] })
  })

  test('a network is fitted to another number of labels by its last layer', () => {
    const spec = templateNetwork('small-cnn', { size: 64, classes: 10 })
    expect(withClasses(spec, 6)).toEqual(templateNetwork('small-cnn', { size: 64, classes: 6 }))
    expect(() => withClasses(network([{ type: 'global-pool' }]), 3)).toThrow(/does not end with FC/)
  })
})
