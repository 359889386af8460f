import { describe, expect, test } from 'vitest'
import { createRandom } from '#shared/domain/random.ts'
import { GraphBuilder } from '#trainer/graph/builder.ts'
import { optimiseForInference } from '#trainer/graph/optimise.ts'
import { elementCount, float32 } from '#trainer/graph/tensor.ts'
import { int, ints, type Attributes, type Graph } from '#trainer/graph/types.ts'
import { validate } from '#trainer/graph/validate.ts'
import {
  architectureIds,
  buildArchitecture,
  type ArchitectureId,
} from '#trainer/models/architectures/index.ts'
import { findBlocks } from '#trainer/models/blocks.ts'
import { composeBatchClassifier } from '#trainer/models/classifier.ts'
import { cutToFeatures, findFeatures } from '#trainer/models/features.ts'
import { attachHead, splitAt } from '#trainer/models/fine-tune.ts'
import { fixInput } from '#trainer/models/picture-input.ts'
import { learnableOf } from '#trainer/models/learnable.ts'
import { linearHeadGraph, type LinearHead } from '#trainer/models/linear-head.ts'
import { largestDifference, runGraph } from '../../helpers/graphs.ts'
import { filledWithNoise, noise } from '../../helpers/noise.ts'

/** Blocks that the publications count, and stages of equal resolution. */
const counted: Record<ArchitectureId, [blocks: number, stages: number]> = {
  mobilenet_v1: [13, 5],
  mobilenet_v2: [17, 5],
  mobilenet_v3_small: [11, 4],
  mobilenet_v3_large: [15, 5],
  efficientnet_b0: [16, 5],
  efficientnet_v2_b0: [21, 5],
  resnet18: [8, 4],
  resnet50: [16, 4],
  squeezenet: [8, 3],
  convnext_tiny: [18, 4],
  vit_tiny: [12, 1],
}

/** A ViT has no smaller maps to tell stages by; at 64 pixels the others have. */
const size = 64

function cut(graph: Graph): Graph {
  const input = fixInput(graph)
  return cutToFeatures(input, findFeatures(input.graph)).graph
}

const relative = (a: Float32Array, b: Float32Array): number =>
  largestDifference(a, b) / Math.max(...b.map(Math.abs))

describe('blocks of published architectures', () => {
  test.each(architectureIds)(
    '%s is counted as people count it, and gives the same when it is cut',
    async (id) => {
      // SqueezeNet's scores are told from features by the number of ImageNet's classes.
      const classes = id === 'squeezenet' ? 1000 : 10
      const network = buildArchitecture(id, { size, classes, seed: 1 })
      const raw = cut(network.graph)
      const [count, stages] = counted[id]
      const blocks = findBlocks(raw)
      expect(blocks.length).toBe(count)
      expect(blocks.at(-1)!.stage + 1).toBe(stages)

      // What learns is found in the graph alone as the builder knows it, in the same blocks and roles.
      expect(learnableOf(network.graph)).toEqual(
        network.parameters.map(({ name, shape, role }) => ({ name, shape, role })),
      )
      const whole = splitAt(raw, count)
      const head = network.parameters.filter(({ block }) => block === count)
      expect(whole.tail.parameters).toEqual(network.parameters.filter((each) => !head.includes(each)))

      // The same with normalisation folded into the convolutions, as backbones are kept.
      const folded = optimiseForInference(cut(filledWithNoise(network)))
      expect(findBlocks(folded).map(({ output }) => output)).toEqual(blocks.map(({ output }) => output))
      const picture = noise(2 * 3 * size * size, 0)
      const shape = [2, 3, size, size]
      const wanted = await runGraph(folded, picture, shape)
      for (const keepTop of [1, Math.ceil(count / 2)]) {
        const { trunk, tail, boundary } = splitAt(folded, keepTop)
        for (const part of [trunk, tail.graph]) validate(part)
        const middle = await runGraph(trunk, picture, shape)
        expect(middle.shape).toEqual([2, ...boundary])
        const found = await runGraph(tail.graph, middle.data, middle.shape)
        expect(found.shape).toEqual(wanted.shape)
        expect(relative(found.data, wanted.data)).toBeLessThan(1e-5)
        expect(new Set(tail.parameters.map(({ block }) => block))).toEqual(
          new Set(Array.from({ length: keepTop }, (_, index) => count - keepTop + index)),
        )
        // Everything that learns is in the tail, and counts once.
        const names = tail.parameters.map(({ name }) => name)
        expect(names.every((name) => tail.graph.initialisers.has(name))).toBe(true)
        expect(new Set(names).size).toBe(names.length)
      }
    },
  )
})

/** A small network with two residual blocks, its features 6 numbers. */
function small(): Graph {
  const random = createRandom(8)
  const b = new GraphBuilder('small')
  const weights = (...shape: number[]) =>
    b.constant(
      'w',
      float32(
        shape,
        Float32Array.from({ length: elementCount(shape) }, () => random.normal(0, 0.4)),
      ),
    )
  const op = (type: string, inputs: string[], attributes: Attributes = {}) => b.node(type, inputs, attributes)
  const pads = { pads: ints([1, 1, 1, 1]) }
  const x = b.input({ name: 'input', type: 'float32', shape: ['batch', 3, 8, 8] })
  const mean = b.constant('mean', float32([1, 3, 1, 1], [0.1, 0.2, 0.3]))
  let map = op('Relu', [op('Conv', [op('Sub', [x, mean]), weights(6, 3, 3, 3), weights(6)], pads)])
  for (let block = 0; block < 2; block++) {
    const inner = op('Relu', [op('Conv', [map, weights(6, 6, 3, 3)], pads)])
    map = op('Relu', [op('Add', [op('Conv', [inner, weights(6, 6, 3, 3), weights(6)], pads), map])])
  }
  const flat = op('Flatten', [op('GlobalAveragePool', [map])], { axis: int(1) })
  b.output(flat, { name: 'features', type: 'float32', shape: ['batch', 6] })
  return b.build()
}

const head: LinearHead = {
  weights: Float32Array.from({ length: 18 }, (_, index) => Math.sin(index)),
  bias: Float32Array.of(0.1, -0.2, 0.3),
  featureMean: Float32Array.from({ length: 6 }, (_, index) => index / 10),
  featureScale: Float32Array.from({ length: 6 }, (_, index) => 0.5 + index / 6),
}

describe('the fine-tuning boundary', () => {
  const picture = noise(3 * 64, 5)
  const shape = [1, 3, 8, 8]

  test.each([0, 1, 2])('a fitted head on %i blocks answers as it did on the features', async (keepTop) => {
    const features = await runGraph(small(), picture, shape)
    const wanted = await runGraph(linearHeadGraph(head), features.data, features.shape)
    const split = splitAt(small(), keepTop)
    const network = attachHead(split, head)
    validate(network.graph)
    expect(network.graph.outputs).toEqual([{ name: 'logits', type: 'float32', shape: ['batch', 3] }])
    const middle = await runGraph(split.trunk, picture, shape)
    const found = await runGraph(network.graph, middle.data, middle.shape)
    expect(largestDifference(found.data, wanted.data)).toBeLessThan(1e-5)
    // The head is the last block, the rest carries the numbers that it has in the whole backbone.
    const last = network.parameters.slice(-2)
    expect(last.map(({ role, block, shape: sizes }) => [role, block, sizes])).toEqual([
      ['weight', 2, [3, 6]],
      ['bias', 2, [3]],
    ])
    expect(new Set(network.parameters.map(({ block }) => block))).toEqual(
      new Set([0, 1, 2].slice(2 - keepTop)),
    )
    expect(network.statistics).toEqual([])
    for (const { name, shape: sizes } of network.parameters)
      expect(network.graph.initialisers.get(name)?.shape).toEqual(sizes)
  })

  test('trunk and network make a classifier again', async () => {
    const { trunk, ...split } = splitAt(small(), 1)
    const preprocessing = {
      version: 1 as const,
      size: { width: 8, height: 8 },
      fit: 'stretch' as const,
      filter: 'pillow-bilinear' as const,
      background: [255, 255, 255] as [number, number, number],
      channelOrder: 'RGB' as const,
      mean: [0, 0, 0] as [number, number, number],
      divisor: [1, 1, 1] as [number, number, number],
      jpegScaledDecode: false,
    }
    const common = { preprocessing, classes: ['a', 'b', 'c'] }
    const whole = composeBatchClassifier({ ...common, trunk: small(), head })
    const again = composeBatchClassifier({ ...common, trunk, head: attachHead(split, head).graph })
    const [a, b] = [await runGraph(whole, picture, shape), await runGraph(again, picture, shape)]
    expect(largestDifference(a.data, b.data)).toBeLessThan(1e-6)
  })

  test('a drawn head depends on its seed only', () => {
    const weightsOf = (seed: number) => {
      const { graph, parameters } = attachHead(splitAt(small(), 1), { classes: 4, seed })
      return graph.initialisers.get(parameters.at(-2)!.name)!.data
    }
    expect(weightsOf(1)).toEqual(weightsOf(1))
    expect(weightsOf(1)).not.toEqual(weightsOf(2))
    expect(weightsOf(1).length).toBe(24)
  })

  test('what scales the picture does not learn, though it stands in a part that does', () => {
    const { tail } = splitAt(small(), 2)
    expect(tail.graph.initialisers.has('mean')).toBe(true)
    expect(tail.parameters.map(({ role }) => role)).toEqual([
      ...['weight', 'bias'],
      ...['weight', 'weight', 'bias'],
      ...['weight', 'weight', 'bias'],
    ])
  })

  test('names inside that would collide are kept apart', async () => {
    const graph = small()
    // The value at the boundary of the other, and a constant above it, are called like inputs and outputs.
    const rename = new Map([
      ['w_2', 'boundary'],
      ['w_5', 'logits'],
      ['w_6', 'head/weights'],
      ['Relu_2', 'output'],
    ])
    const swap = (name: string): string => rename.get(name) ?? name
    const odd: Graph = {
      ...graph,
      initialisers: new Map([...graph.initialisers].map(([name, value]) => [swap(name), value])),
      nodes: graph.nodes.map((node) => ({
        ...node,
        inputs: node.inputs.map(swap),
        outputs: node.outputs.map(swap),
      })),
    }
    validate(odd)
    for (const keepTop of [0, 1, 2]) {
      const split = splitAt(odd, keepTop)
      const network = attachHead(split, head)
      validate(split.trunk)
      validate(network.graph)
      for (const { name, shape: sizes } of network.parameters)
        expect(network.graph.initialisers.get(name)?.shape).toEqual(sizes)
      const middle = await runGraph(split.trunk, picture, shape)
      const found = await runGraph(network.graph, middle.data, middle.shape)
      const features = await runGraph(small(), picture, shape)
      const wanted = await runGraph(linearHeadGraph(head), features.data, features.shape)
      expect(largestDifference(found.data, wanted.data)).toBeLessThan(1e-5)
    }
  })

  test('a number of blocks that there is not is refused in words', () => {
    expect(() => splitAt(small(), 3)).toThrow(/has 2 blocks; 3 of them cannot learn/)
    expect(() => splitAt(small(), -1)).toThrow(/has 2 blocks/)
    expect(() => splitAt(small(), 0.5)).toThrow(/has 2 blocks/)
  })

  test('a network without layers that could learn is refused in words', () => {
    const b = new GraphBuilder('nothing')
    const x = b.input({ name: 'input', type: 'float32', shape: ['batch', 3, 8, 8] })
    const flat = b.node('Flatten', [b.node('GlobalAveragePool', [x])], { axis: int(1) })
    b.output(flat, { name: 'features', type: 'float32', shape: ['batch', 3] })
    expect(() => splitAt(b.build(), 1)).toThrow(/No layer was found/)
  })
})

describe('blocks of plain chains', () => {
  /** A chain of convolutions: filter size, groups and whether an activation follows. */
  function chain(layers: readonly (readonly [size: number, groups: number, active: boolean])[]): Graph {
    const b = new GraphBuilder('chain')
    let x = b.input({ name: 'input', type: 'float32', shape: ['batch', 4, 8, 8] })
    for (const [width, groups, active] of layers) {
      const kernel = b.constant(
        'w',
        float32([4, 4 / groups, width, width], new Float32Array((16 / groups) * width ** 2)),
      )
      const pad = (width - 1) / 2
      x = b.node('Conv', [x, kernel], { pads: ints([pad, pad, pad, pad]), group: int(groups) })
      if (active) x = b.node('Relu', [x])
    }
    b.output(x, { name: 'features', type: 'float32', shape: ['batch', 4, 8, 8] })
    return b.build()
  }
  const [wide, depthwise, point, linear] = [
    [3, 1, true],
    [3, 4, true],
    [1, 1, true],
    [1, 1, false],
  ] as const

  test.each([
    ['every convolution is one', [wide, wide, wide], [1, 1, 1]],
    ['1×1 convolutions go with the filter before them', [wide, point, point, wide, point], [3, 2]],
    [
      'a depthwise filter takes its 1×1 convolution, the stem goes along',
      [wide, depthwise, point, depthwise, point],
      [3, 2],
    ],
    [
      'a linear one ends a bottleneck, and what widens begins the next',
      [wide, depthwise, linear, point, depthwise, linear, point],
      [3, 4],
    ],
    ['only 1×1 convolutions: each by itself', [point, point], [1, 1]],
  ])('%s', (_what, layers, sizes) => {
    const graph = chain(layers)
    const blocks = findBlocks(graph)
    expect(blocks.map(({ nodes }) => nodes.filter(({ op }) => op === 'Conv').length)).toEqual(sizes)
    expect(blocks.flatMap(({ nodes }) => nodes)).toEqual(graph.nodes)
  })
})

describe('blocks of branching networks', () => {
  class Sketch {
    readonly b = new GraphBuilder('sketch')
    x = this.b.input({ name: 'input', type: 'float32', shape: ['batch', 4, 8, 8] })

    conv(x: string, name: string, from = 4, to = 4): string {
      const kernel = this.b.constant(`${name}/w`, float32([to, from, 3, 3], new Float32Array(to * from * 9)))
      return this.b.node('Conv', [x, kernel], { pads: ints([1, 1, 1, 1]) }, name)
    }

    norm(x: string, name: string): string {
      const numbers = [1, 0, 0, 1].map((value) => float32([4], new Float32Array(4).fill(value)))
      const inputs = numbers.map((value) => this.b.constant(`${name}/n`, value))
      return this.b.node('Relu', [this.b.node('BatchNormalization', [x, ...inputs], {}, name)])
    }

    done(x: string): Graph {
      this.b.output(x, { name: 'features', type: 'float32', shape: null })
      return this.b.build()
    }
  }
  const convs = (graph: Graph): string[][] =>
    findBlocks(graph).map(({ nodes }) =>
      nodes.filter(({ op }) => /Conv|BatchNorm/.test(op)).map(({ name }) => name),
    )

  test('normalisation after a sum belongs to the block that it prepares, at the end to the last', () => {
    const net = new Sketch()
    let x = net.conv(net.x, 'stem')
    x = net.b.node('Add', [net.conv(net.norm(x, 'n1'), 'c1'), x])
    const ready = net.norm(x, 'n2')
    x = net.b.node('Add', [net.conv(ready, 'c2'), net.conv(ready, 'short')])
    expect(convs(net.done(net.norm(x, 'n3')))).toEqual([
      ['stem', 'n1', 'c1'],
      ['n2', 'c2', 'short', 'n3'],
    ])
  })

  test('maps that are collected make a block with each layer', () => {
    const net = new Sketch()
    let x = net.conv(net.x, 'stem')
    for (let layer = 1; layer <= 3; layer++)
      x = net.b.node('Concat', [x, net.conv(x, `c${layer}`, 4 * layer)], { axis: int(1) })
    expect(convs(net.done(x))).toEqual([['stem', 'c1'], ['c2'], ['c3']])
  })

  test('where nothing can be cut, the whole network is one block', () => {
    const net = new Sketch()
    // Each cell reads the two before it, so that two values go on everywhere.
    let [a, b] = [net.conv(net.x, 'a'), net.conv(net.x, 'b')]
    for (let cell = 0; cell < 3; cell++) [a, b] = [b, net.b.node('Add', [net.conv(a, `c${cell}`), b])]
    const graph = net.done(net.b.node('Add', [a, b]))
    expect(findBlocks(graph).length).toBe(1)
    expect(splitAt(graph, 1).tail.parameters.length).toBe(5)
  })
})
