import { createRandom } from '#shared/domain/random.ts'
import { KestrelError } from '#shared/errors/index.ts'
import { GraphBuilder } from '../graph/builder.ts'
import { cutAt, prune } from '../graph/edit.ts'
import { settleShapes } from '../graph/settle-shapes.ts'
import type { Graph, ValueInfo } from '../graph/types.ts'
import { blockOfNodes, blocksIn, type Block } from './blocks.ts'
import { denseFans, drawWeights } from './layers/initialisers.ts'
import { learnableOf } from './learnable.ts'
import { linearHeadGraph, type LinearHead } from './linear-head.ts'
import type { Network, Parameter } from './network.ts'

/** A backbone in two parts: what stays as it is, and what learns. */
export interface Split {
  /** `input` → `boundary`, everything constant. */
  trunk: Graph
  /** `input` (what the trunk gives) → `features`. Batch normalisation that is left in it stays in inference form. */
  tail: Network
  /** Of what goes over, for one picture: float32. */
  boundary: readonly number[]
  /** Of the whole backbone; parameters of the tail carry their numbers. */
  blocks: readonly Block[]
}

/**
 * Cuts a backbone (`input` → `features`) below its top blocks.
 * @param keepTop how many blocks learn: 0 (only a head that is put on) to all.
 * @throws KestrelError `bad-request` for another number; `backbone-unsupported` where the sizes inside are not known.
 */
export function splitAt(backbone: Graph, keepTop: number): Split {
  const graph = settleShapes(backbone)
  const [input] = graph.inputs
  const [features] = graph.outputs
  const blocks = blocksIn(graph)
  if (input === undefined || features === undefined || blocks.length === 0)
    throw new KestrelError('backbone-unsupported', 'No layer was found in this network that could learn.')
  if (!Number.isInteger(keepTop) || keepTop < 0 || keepTop > blocks.length)
    throw new KestrelError(
      'bad-request',
      `This network has ${blocks.length} blocks; ${keepTop} of them cannot learn.`,
    )
  const below = blocks[blocks.length - keepTop - 1]
  const name = below?.output ?? input.name
  const boundary = below?.shape ?? input.shape?.slice(1).map(Number) ?? []
  if (boundary.length === 0 || boundary.some((size) => !Number.isInteger(size)))
    throw new KestrelError('backbone-unsupported', 'The sizes inside this network are not known.', {
      remedy: 'Use it frozen, or choose another one.',
    })
  const shape = ['batch', ...boundary]
  const cut = { name, type: 'float32', shape } as const
  const { tail, names } = tailOf(graph, cut)
  const first = blocks.length - keepTop
  const learned = learnableOf(graph).filter((parameter) => tail.initialisers.has(names(parameter.name)))
  const block = blockOfConstants(graph, blocks, first)
  const parameters = learned.map((each) => ({ ...each, name: names(each.name), block: block(each.name) }))
  return {
    trunk: trunkOf(graph, cut),
    tail: { graph: tail, parameters, statistics: [] },
    boundary,
    blocks,
  }
}

/** Of the nodes above the cut that read a constant, the block of the lowest. */
function blockOfConstants(graph: Graph, blocks: readonly Block[], first: number): (name: string) => number {
  const lowest = new Map<string, number>()
  for (const [node, block] of blockOfNodes(graph, blocks)) {
    if (block < first) continue
    for (const name of node.inputs) lowest.set(name, Math.min(block, lowest.get(name) ?? Infinity))
  }
  return (name) => lowest.get(name) ?? first
}

function trunkOf(graph: Graph, cut: ValueInfo): Graph {
  const builder = new GraphBuilder(`${graph.name}/trunk`, graph.opsets)
  const inner = cutAt(graph, cut)
  const renamed = builder.embed(inner, new Map(inner.inputs.map((info) => [info.name, builder.input(info)])))
  builder.output(renamed(cut.name), { ...cut, name: 'boundary' })
  return builder.build()
}

/** The part of a graph behind one of its values, which becomes its input, and the names that its constants have in it. */
function tailOf(graph: Graph, cut: ValueInfo): { tail: Graph; names: (name: string) => string } {
  const nodes = graph.nodes.filter((node) => !node.outputs.includes(cut.name))
  const inner = prune({ ...graph, inputs: [cut], nodes })
  const builder = new GraphBuilder(`${graph.name}/tail`, graph.opsets)
  const input = builder.input({ ...cut, name: 'input' })
  const names = builder.embed(inner, new Map([[cut.name, input]]))
  const [features] = graph.outputs
  builder.output(names(features!.name), features!)
  return { tail: builder.build(), names: (name) => (inner.initialisers.has(name) ? names(name) : '') }
}

/** How the last layer begins: as a fitted one, or drawn. */
export type HeadStart = LinearHead | { classes: number; seed: number }

/**
 * Puts the last layer on a tail: `input` → `logits` [batch, classes], a network that can learn. Its weights and biases
 * are the last block. With a trunk and no head of its own it makes a classifier (`classifier.ts`).
 */
export function attachHead({ tail, blocks }: Pick<Split, 'tail' | 'blocks'>, start: HeadStart): Network {
  const [features] = tail.graph.outputs
  const length = Number(features?.shape?.[1] ?? NaN)
  const head = linearHeadGraph('seed' in start ? drawnHead(length, start.classes, start.seed) : start)
  const builder = new GraphBuilder(tail.graph.name, tail.graph.opsets)
  const [logits] = head.outputs
  // Taken beforehand, so that nothing below has to give the name up later, when parameters are known by theirs.
  builder.unique(logits!.name)
  const below = builder.embed(
    tail.graph,
    new Map(tail.graph.inputs.map((info) => [info.name, builder.input(info)])),
  )
  const above = builder.embed(head, new Map([[head.inputs[0]!.name, below(features!.name)]]))
  builder.output(above(logits!.name), logits!)
  const [weights, bias] = [...head.initialisers.keys()] as [string, string]
  const role = (name: string, value: Parameter['role']): Parameter => ({
    name: above(name),
    shape: head.initialisers.get(name)!.shape,
    role: value,
    block: blocks.length,
  })
  return {
    graph: builder.build(),
    parameters: [
      ...tail.parameters.map((each) => ({ ...each, name: below(each.name) })),
      role(weights, 'weight'),
      role(bias, 'bias'),
    ],
    statistics: tail.statistics,
  }
}

/** Weights of variance 1 / n (LeCun et al. 1998), biases 0. */
const drawnHead = (length: number, classes: number, seed: number): LinearHead => ({
  weights: drawWeights(
    'lecun-normal',
    classes * length,
    denseFans(length, classes),
    createRandom(seed, 'head'),
  ),
  bias: new Float32Array(classes),
  featureMean: new Float32Array(length),
  featureScale: new Float32Array(length).fill(1),
})
