import { elementCount } from '../graph/tensor.ts'
import { trainingDomain } from '../graph/training-operators.ts'
import { floatAttribute, intAttribute } from '../graph/types.ts'
import type { Dimension, Graph, Node, ValueInfo } from '../graph/types.ts'
import { inferShapes } from '../graph/infer/index.ts'
import type { Network } from '../models/network.ts'

/** A place of dropout: the factors that are fed in, 0 where a value is dropped and 1 ÷ (1 − ratio) where it stays. */
export interface DropoutMask {
  /** Name of the graph's input. */
  name: string
  shape: readonly number[]
  ratio: number
}

const isMark = (node: Node): boolean => node.domain === trainingDomain && node.op === 'Dropout'

/** Gives the free size `batch` of a graph a number. */
export function bindBatch(graph: Graph, batch: number): Graph {
  const bind = (info: ValueInfo): ValueInfo => ({
    ...info,
    shape:
      info.shape?.map((size, axis): Dimension => (axis === 0 && typeof size === 'string' ? batch : size)) ??
      null,
  })
  return { ...graph, inputs: graph.inputs.map(bind), outputs: graph.outputs.map(bind) }
}

/** Leaves the marks of dropout out: how a network answers, and how it is written to a file. */
export function withoutDropout(graph: Graph): Graph {
  const replaced = new Map<string, string>()
  const swap = (name: string): string => replaced.get(name) ?? name
  const nodes = graph.nodes.flatMap((node) => {
    const inputs = node.inputs.map(swap)
    if (!isMark(node)) return [{ ...node, inputs }]
    const [from, to] = [inputs[0]!, node.outputs[0]!]
    // The graph's own output keeps its name.
    if (graph.outputs.some(({ name }) => name === to))
      return [{ ...node, op: 'Identity', domain: '', inputs: [from], attributes: {} }]
    replaced.set(to, from)
    return []
  })
  return { ...graph, nodes }
}

/**
 * A network's graph as a training step computes it: batch normalisations that learn use the statistics of the batch
 * (Ioffe & Szegedy 2015, algorithm 1) and dropout multiplies by masks (Srivastava et al. 2014, in the inverted form,
 * which leaves inference alone).
 * @param graph with a known batch size.
 * @returns the graph, its masks as further inputs, and for each of the network's running statistics the values that
 *   hold mean and (biased) variance of the batch.
 */
export function trainingForm(
  graph: Graph,
  network: Network,
): { graph: Graph; masks: DropoutMask[]; statistics: { mean: string; variance: string }[] } {
  const shapes = inferShapes(graph)
  const normalised = new Map(network.statistics.map(({ output }, index) => [output, index]))
  const statistics: { mean: string; variance: string }[] = []
  const masks: DropoutMask[] = []
  const nodes = graph.nodes.map((node): Node => {
    const output = node.outputs[0] ?? ''
    if (isMark(node)) {
      const shape = shapes.get(node.inputs[0] ?? '')?.shape ?? []
      const sizes = shape.map((size, axis) =>
        axis > 1 && intAttribute(node, 'channels', 0) === 1 ? 1 : Number(size),
      )
      const mask = { name: `mask/${output}`, shape: sizes, ratio: floatAttribute(node, 'ratio', 0) }
      masks.push(mask)
      return { ...node, op: 'Mul', domain: '', inputs: [node.inputs[0] ?? '', mask.name], attributes: {} }
    }
    const index = normalised.get(output)
    if (node.op !== 'BatchNormalization' || index === undefined) return node
    const ofBatch = { mean: `${output}/batch_mean`, variance: `${output}/batch_variance` }
    statistics[index] = ofBatch
    return {
      ...node,
      op: 'BatchNormalizationTraining',
      domain: trainingDomain,
      inputs: node.inputs.slice(0, 3),
      outputs: [output, ofBatch.mean, ofBatch.variance],
      attributes: { epsilon: { kind: 'float', value: floatAttribute(node, 'epsilon', 1e-5) } },
    }
  })
  const inputs = [
    ...graph.inputs,
    ...masks.map(({ name, shape }): ValueInfo => ({ name, type: 'float32', shape })),
  ]
  return { graph: { ...graph, nodes, inputs }, masks, statistics }
}

/** Fills a mask: each factor is 0 with probability `ratio`, else 1 ÷ (1 − ratio). */
export function drawMask({ shape, ratio }: DropoutMask, float: () => number, into: Float32Array): void {
  const length = elementCount(shape)
  const kept = 1 / (1 - ratio)
  for (let i = 0; i < length; i++) into[i] = float() < ratio ? 0 : kept
}
