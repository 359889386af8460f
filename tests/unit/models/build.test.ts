import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  activationNames,
  describeNetwork,
  templateIds,
  templateNetwork,
  type ActivationName,
  type NetworkSpec,
  type NetworkSpecInput,
} from '#shared/domain/network/index.ts'
import { createRandom } from '#shared/domain/random.ts'
import { inferShapes } from '#trainer/graph/infer/index.ts'
import { optimiseForInference } from '#trainer/graph/optimise.ts'
import { elementCount, toFloat32 } from '#trainer/graph/tensor.ts'
import { validate } from '#trainer/graph/validate.ts'
import { buildNetwork } from '#trainer/models/layers/build.ts'
import { ScalingFit } from '#trainer/models/layers/preprocessing.ts'
import type { Network } from '#trainer/models/network.ts'
import { largestDifference, runGraph } from '../../helpers/graphs.ts'
import { everything, network } from '../../helpers/networks.ts'

const draw = (count: number, seed = 3): Float32Array => {
  const random = createRandom(seed)
  return Float32Array.from({ length: count }, () => random.normal(0, 0.5))
}

const totals = (built: Network) => ({
  parameters: built.parameters.reduce((sum, { shape }) => sum + elementCount(shape), 0),
  statistics: built.statistics.reduce(
    (sum, { mean, variance }) =>
      sum + [mean, variance].reduce((all, name) => all + built.graph.initialisers.get(name)!.data.length, 0),
    0,
  ),
})

describe('a network built from its description', () => {
  test.each<[string, NetworkSpec]>([
    ['everything', everything],
    ...templateIds.map((id) => [id, templateNetwork(id, { size: 33, classes: 5 })] as [string, NetworkSpec]),
  ])(
    '%s has the shapes and counts of its description, in the graph and when it runs',
    async (_name, spec) => {
      const description = describeNetwork(spec)
      const built = buildNetwork(spec, { seed: 1 })
      validate(built.graph)
      expect(totals(built)).toEqual({
        parameters: description.parameters,
        statistics: description.statistics,
      })
      const shapes = inferShapes(built.graph)
      // The rows of the description are in the order of the graph: their shapes come one after the other.
      const inferred = built.graph.nodes.map(({ outputs }) =>
        shapes.get(outputs[0]!)?.shape?.slice(1).join('×'),
      )
      let at = 0
      for (const row of description.rows) {
        const wanted = row.shape.join('×')
        const found = inferred.indexOf(wanted, at)
        expect(found, `${row.name} gives ${wanted}`).not.toBe(-1)
        at = found
      }
      const { channels, height, width } = spec.input
      const picture = draw(2 * channels * height * width)
      const result = await runGraph(optimiseForInference(built.graph), picture, [2, channels, height, width])
      const classes = description.rows.at(-1)!.shape[0]!
      expect(result.shape).toEqual([2, classes])
      expect(built.graph.outputs).toEqual([{ name: 'logits', type: 'float32', shape: ['batch', classes] }])
      expect([...result.data].every(Number.isFinite)).toBe(true)
      // Two different pictures get two different answers: something of them arrives at the end.
      expect(result.data.slice(0, classes)).not.toEqual(result.data.slice(classes))
    },
  )

  test('has a parameter list that names each learned constant once, in the order of the graph', () => {
    const { graph, parameters, statistics } = buildNetwork(everything, { seed: 1 })
    const names = parameters.map(({ name }) => name)
    expect(new Set(names).size).toBe(names.length)
    const readers = names.map((name) => graph.nodes.findIndex(({ inputs }) => inputs.includes(name)))
    expect(readers).toEqual([...readers].sort((a, b) => a - b))
    for (const { name, shape } of parameters) expect(graph.initialisers.get(name)?.shape).toEqual(shape)
    const measured = new Set(statistics.flatMap(({ mean, variance }) => [mean, variance]))
    const rest = [...graph.initialisers].filter(([name]) => !names.includes(name) && !measured.has(name))
    // What is left are the numbers inside activations.
    expect(rest.every(([, value]) => value.data.length === 1)).toBe(true)
    for (const { output, mean, variance } of statistics) {
      const node = graph.nodes.find(({ outputs }) => outputs[0] === output)
      expect(node?.op).toBe('BatchNormalization')
      expect(node?.inputs.slice(3)).toEqual([mean, variance])
      expect(toFloat32(graph.initialisers.get(variance)!).every((value) => value === 1)).toBe(true)
    }
    const roles = new Map(parameters.map(({ name, role }) => [name.split('/').at(-1), role]))
    expect(Object.fromEntries(roles)).toEqual({
      weight: 'weight',
      bias: 'bias',
      scale: 'scale',
      shift: 'shift',
      slope: 'slope',
    })
  })

  test('counts its blocks from the picture, the last layer being the last', () => {
    const { parameters } = buildNetwork(templateNetwork('small-resnet', { size: 64, classes: 4 }), {
      seed: 1,
    })
    const blocks = parameters.map(({ block }) => block)
    expect(blocks).toEqual([...blocks].sort((a, b) => a - b))
    // Stem, six residual blocks, FC.
    expect(new Set(blocks)).toEqual(new Set([0, 1, 2, 3, 4, 5, 6, 7]))
    expect(parameters.filter(({ block }) => block === 7).map(({ shape }) => shape)).toEqual([[4, 128], [4]])
  })

  test('has the same weights for the same seed, others for another, and none twice', () => {
    const weightsOf = (seed: number): Float32Array[] => {
      const { graph, parameters } = buildNetwork(everything, { seed })
      return parameters
        .filter(({ role }) => role === 'weight')
        .map(({ name }) => toFloat32(graph.initialisers.get(name)!))
    }
    const [first, again, other] = [weightsOf(7), weightsOf(7), weightsOf(8)]
    expect(first).toEqual(again)
    const starts = [...first, ...other].map((weights) => weights[0])
    expect(new Set(starts).size).toBe(starts.length)
  })

  test('of any layers in any order does what its description says, or is refused as that says', async () => {
    const whole = (min: number, max: number) => fc.integer({ min, max })
    const padding = fc.oneof(whole(0, 2), fc.constantFrom('same' as const, 'valid' as const))
    const window = { size: whole(1, 5), stride: whole(1, 3), padding }
    const inner = fc.oneof(
      fc.record({ type: fc.constant('conv' as const), filters: whole(1, 5), bias: fc.boolean(), ...window }),
      fc.record({ type: fc.constant('depthwise-conv' as const), bias: fc.boolean(), ...window }),
      fc.record({ type: fc.constant('separable-conv' as const), filters: whole(1, 5), ...window }),
      fc.record({ type: fc.constant('pool' as const), kind: fc.constantFrom('max', 'average'), ...window }),
      fc.record({ type: fc.constant('activation' as const), function: fc.constantFrom(...activationNames) }),
      fc.record({ type: fc.constant('squeeze-excite' as const), reduction: whole(1, 8) }),
      fc.record({ type: fc.constantFrom('batch-norm' as const) }),
    )
    const layer = fc.oneof(
      { weight: 4, arbitrary: inner },
      fc.record({
        type: fc.constant('residual' as const),
        layers: fc.array(inner, { minLength: 1, maxLength: 3 }),
      }),
    )
    const end = fc.constantFrom(
      { type: 'flatten' as const },
      { type: 'global-pool' as const, kind: 'max' as const },
    )
    const drawn = fc.record({
      width: whole(4, 16),
      height: whole(4, 16),
      layers: fc.array(layer, { minLength: 1, maxLength: 5 }),
      end,
    })
    let [built, refused] = [0, 0]
    await fc.assert(
      fc.asyncProperty(drawn, async ({ width, height, layers, end: last }) => {
        const spec = network([...layers, last, { type: 'fc', units: 3 }] as NetworkSpecInput['layers'], {
          width,
          height,
        })
        const { problem, parameters, statistics } = describeNetwork(spec)
        if (problem !== null) {
          expect(() => buildNetwork(spec, { seed: 1 })).toThrow(problem.message)
          refused++
          return
        }
        const made = buildNetwork(spec, { seed: 1 })
        expect(totals(made)).toEqual({ parameters, statistics })
        const result = await runGraph(optimiseForInference(made.graph), draw(3 * height * width), [
          1,
          3,
          height,
          width,
        ])
        expect(result.shape).toEqual([1, 3])
        built++
      }),
      { seed: 11, numRuns: 120 },
    )
    // Enough of both, or the test would say little.
    expect(Math.min(built, refused)).toBeGreaterThan(20)
  })

  test('a layer that does not fit is refused in words', () => {
    expect(() => buildNetwork(network([{ type: 'fc', units: 2 }]), { seed: 1 })).toThrow(
      /FC 2 \(layer 1\): it needs a list/,
    )
  })
})

describe('activations', () => {
  /** Its integral by Simpson's rule. */
  const erf = (x: number): number => {
    const steps = 2000
    const at = (index: number): number => Math.exp(-(((index * x) / steps) ** 2))
    const sum = Array.from({ length: steps - 1 }, (_, index) => (index % 2 === 0 ? 4 : 2) * at(index + 1))
    return (2 / Math.sqrt(Math.PI)) * (x / steps / 3) * sum.reduce((a, b) => a + b, at(0) + at(steps))
  }
  const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x))
  const within = (low: number, x: number, high: number): number => Math.min(high, Math.max(low, x))
  const formulas: Record<ActivationName, (x: number) => number> = {
    sigmoid,
    tanh: Math.tanh,
    relu: (x) => Math.max(0, x),
    relu6: (x) => within(0, x, 6),
    'leaky-relu': (x) => (x < 0 ? 0.2 * x : x),
    prelu: (x) => (x < 0 ? 0.25 * x : x),
    elu: (x) => (x < 0 ? Math.exp(x) - 1 : x),
    gelu: (x) => 0.5 * x * (1 + erf(x / Math.SQRT2)),
    silu: (x) => x * sigmoid(x),
    'hard-sigmoid': (x) => within(0, x / 6 + 0.5, 1),
    'hard-swish': (x) => x * within(0, x / 6 + 0.5, 1),
    'hard-tanh': (x) => within(-1, x, 1),
  }

  test.each(activationNames)('%s is what its formula says', async (name) => {
    const spec = network(
      [
        { type: 'activation', function: name, ...(name === 'leaky-relu' ? { slope: 0.2 } : {}) },
        { type: 'flatten' },
      ],
      { width: 19, height: 1, channels: 1 },
    )
    const x = Float32Array.from({ length: 19 }, (_, index) => (index - 9) * 0.45 * (index === 18 ? 2 : 1))
    const { data } = await runGraph(buildNetwork(spec, { seed: 1 }).graph, x, [1, 1, 1, 19])
    expect(largestDifference(data, Array.from(x, formulas[name]))).toBeLessThan(2e-6)
  })
})

describe('preprocessing', () => {
  const shape = [3, 2, 2] as const
  const pictures = draw(5 * 12, 9)
  const flat = { width: 2, height: 2 }
  const fitted = (kind: NetworkSpec['preprocessing']) => {
    const fit = new ScalingFit(kind, shape)
    // In batches of any size.
    fit.add(pictures.subarray(0, 24))
    fit.add(pictures.subarray(24))
    return fit.result()
  }
  const scaled = async (kind: NetworkSpec['preprocessing']) => {
    const spec = network([{ type: 'flatten' }], flat, { preprocessing: kind })
    const built = buildNetwork(spec, { seed: 1, scaling: fitted(kind) })
    expect(built.parameters).toEqual([])
    return (await runGraph(built.graph, pictures, [5, ...shape])).data
  }
  /** Over pictures and pixels that `same` puts together. */
  const group = (values: Float32Array, same: (index: number) => number): number[][] => {
    const groups: number[][] = []
    values.forEach((value, index) => (groups[same(index % 12)] ??= []).push(value))
    return groups
  }
  const mean = (values: number[]): number => values.reduce((a, b) => a + b, 0) / values.length

  test('the mean image leaves every pixel with mean 0', async () => {
    const means = group(await scaled('mean-image'), (index) => index).map(mean)
    expect(largestDifference(means, Array(12).fill(0))).toBeLessThan(1e-6)
  })

  test('the mean per channel leaves every channel with mean 0, and not every pixel', async () => {
    const result = await scaled('per-channel-mean')
    const means = group(result, (index) => Math.floor(index / 4)).map(mean)
    expect(largestDifference(means, [0, 0, 0])).toBeLessThan(1e-6)
    expect(largestDifference(group(result, (index) => index).map(mean), Array(12).fill(0))).toBeGreaterThan(
      0.05,
    )
  })

  test('standardised channels have mean 0 and deviation 1', async () => {
    const channels = group(await scaled('standardise'), (index) => Math.floor(index / 4))
    for (const values of channels) {
      expect(mean(values)).toBeCloseTo(0, 6)
      expect(Math.sqrt(mean(values.map((value) => value ** 2)))).toBeCloseTo(1, 5)
    }
  })

  test('a channel that never changes is not divided by zero', async () => {
    const fit = new ScalingFit('standardise', [1, 1, 2])
    fit.add(Float32Array.of(0.5, 0.5, 0.5, 0.5))
    const spec = network(
      [{ type: 'flatten' }],
      { width: 2, height: 1, channels: 1 },
      { preprocessing: 'standardise' },
    )
    const { graph } = buildNetwork(spec, { seed: 1, scaling: fit.result() })
    expect((await runGraph(graph, Float32Array.of(0.5, 0.75), [1, 1, 1, 2])).data).toEqual(
      Float32Array.of(0, 0.25),
    )
  })

  test('what was not measured, or measured for another network, is refused', () => {
    expect(() => new ScalingFit('mean-image', shape).result()).toThrow(/no picture/)
    const spec = network([{ type: 'flatten' }], flat, { preprocessing: 'mean-image' })
    expect(() => buildNetwork(spec, { seed: 1 })).toThrow(
      /wants the preprocessing "mean-image" and gets "none"/,
    )
    expect(() =>
      buildNetwork(spec, { seed: 1, scaling: { kind: 'mean-image', mean: new Float32Array(3) } }),
    ).toThrow(/needs 12 values/)
  })
})
