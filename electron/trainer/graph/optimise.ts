import { producers, prune, useCounts } from './edit.ts'
import { constantValue } from './infer/index.ts'
import { foldConstants } from './settle-shapes.ts'
import { float32, numbers, scalar, tensor, toFloat32 } from './tensor.ts'
import { trainingDomain } from './training-operators.ts'
import { floatAttribute, intAttribute, ints, intsAttribute, stringAttribute } from './types.ts'
import type { Graph, Node, Tensor } from './types.ts'

/**
 * Rewrites a graph for inference, without changing what it computes: constants become initialisers, small ones that are
 * computed from them too, what does nothing goes, batch normalisation is folded into the convolution before it, and zero
 * padding into the convolution after it.
 * The runtime's own optimiser finds less of this (padding) or does it each time a session starts (folding).
 */
export function optimiseForInference(graph: Graph): Graph {
  return prune(
    guardPoolPadding(
      foldPadding(
        foldBatchNormalization(dropIdentities(foldConstants(widenConstants(liftConstants(graph))))),
      ),
    ),
  )
}

export function liftConstants(graph: Graph): Graph {
  const initialisers = new Map(graph.initialisers)
  const nodes = graph.nodes.filter((node) => {
    const value = node.op === 'Constant' && node.domain === '' ? constantValue(node) : undefined
    const [name] = node.outputs
    if (value === undefined || name === undefined) return true
    initialisers.set(name, value)
    return false
  })
  return { ...graph, nodes, initialisers }
}

/** Weights kept in half precision and widened before use: widened once, here. */
export function widenConstants(graph: Graph): Graph {
  const initialisers = new Map(graph.initialisers)
  const nodes = graph.nodes.filter((node) => {
    const [from = ''] = node.inputs
    const [to = ''] = node.outputs
    const value = graph.initialisers.get(from)
    const widens = node.op === 'Cast' && node.domain === '' && intAttribute(node, 'to', 1) === 1
    if (!widens || value?.type !== 'float16' || graph.outputs.some(({ name }) => name === to)) return true
    initialisers.set(to, float32(value.shape, toFloat32(value)))
    return false
  })
  return nodes.length === graph.nodes.length ? graph : { ...graph, nodes, initialisers }
}

/** Identity, and Dropout (ONNX's where its mask is not used, and our mark): at inference they give what they get. */
function dropIdentities(graph: Graph): Graph {
  const counts = useCounts(graph)
  const outputs = new Set(graph.outputs.map((output) => output.name))
  const replaced = new Map<string, string>()
  const swap = (name: string): string => replaced.get(name) ?? name
  // A subgraph may read the value by its old name.
  const holdsSubgraphs = graph.nodes.some((node) =>
    Object.values(node.attributes).some((attribute) => attribute.kind === 'graph'),
  )
  if (holdsSubgraphs) return graph
  const nodes: Node[] = []
  for (const written of graph.nodes) {
    const node = { ...written, inputs: written.inputs.map(swap) }
    const [from] = node.inputs
    const [to, ...others] = node.outputs
    const idle =
      (node.domain === '' &&
        (node.op === 'Identity' || (node.op === 'Dropout' && node.inputs[2] === undefined))) ||
      (node.domain === trainingDomain && node.op === 'Dropout')
    const masked = others.some((name) => (counts.get(name) ?? 0) > 0)
    if (idle && !masked && from !== undefined && to !== undefined && !outputs.has(to)) {
      replaced.set(to, from)
    } else nodes.push(node)
  }
  return { ...graph, nodes }
}

/** w′ = w · γ/√(σ² + ε) and b′ = (b − μ) · γ/√(σ² + ε) + β, per output channel, computed in 64 bits. */
export function foldBatchNormalization(graph: Graph): Graph {
  const counts = useCounts(graph)
  const makers = producers(graph)
  const initialisers = new Map(graph.initialisers)
  const swapped = new Map<Node, Node>()
  const gone = new Set<Node>()
  for (const node of graph.nodes) {
    if (node.op !== 'BatchNormalization' || node.domain !== '' || node.outputs.length !== 1) continue
    if (intAttribute(node, 'training_mode', 0) === 1) continue
    const conv = makers.get(node.inputs[0] ?? '')
    if (conv?.op !== 'Conv' || conv.domain !== '' || counts.get(conv.outputs[0] ?? '') !== 1) continue
    if (graph.outputs.some((output) => output.name === conv.outputs[0])) continue
    const statistics = node.inputs.slice(1, 5).map((name) => initialisers.get(name))
    const kernel = initialisers.get(conv.inputs[1] ?? '')
    const biasName = conv.inputs[2] ?? ''
    const bias = biasName === '' ? null : initialisers.get(biasName)
    const [gamma, beta, mean, variance] = statistics
    if (kernel?.type !== 'float32' || bias === undefined || !gamma || !beta || !mean || !variance) continue
    const folded = foldInto(
      kernel,
      bias,
      [gamma, beta, mean, variance],
      floatAttribute(node, 'epsilon', 1e-5),
    )
    const [kernelName, foldedBias] = [`${node.outputs[0]}/kernel`, `${node.outputs[0]}/bias`]
    if ([kernelName, foldedBias].some((name) => initialisers.has(name) || makers.has(name))) continue
    initialisers.set(kernelName, folded.kernel)
    initialisers.set(foldedBias, folded.bias)
    gone.add(conv)
    // In the place of the normalisation, which comes later and keeps the output's name.
    swapped.set(node, {
      ...conv,
      inputs: [conv.inputs[0] ?? '', kernelName, foldedBias],
      outputs: node.outputs,
    })
  }
  const nodes = graph.nodes.filter((node) => !gone.has(node)).map((node) => swapped.get(node) ?? node)
  return prune({ ...graph, nodes, initialisers })
}

function foldInto(
  kernel: Extract<Tensor, { type: 'float32' }>,
  bias: Tensor | null,
  statistics: readonly [Tensor, Tensor, Tensor, Tensor],
  epsilon: number,
): { kernel: Tensor; bias: Tensor } {
  const [gamma, beta, mean, variance] = statistics.map(numbers) as [number[], number[], number[], number[]]
  const channels = gamma.length
  const before = bias === null ? new Array<number>(channels).fill(0) : numbers(bias)
  const factor = gamma.map((value, channel) => value / Math.sqrt(variance[channel]! + epsilon))
  const perChannel = kernel.data.length / channels
  const weights = new Float32Array(kernel.data.length)
  for (let channel = 0, at = 0; channel < channels; channel++) {
    const scale = factor[channel]!
    for (let i = 0; i < perChannel; i++, at++) weights[at] = kernel.data[at]! * scale
  }
  const shift = Float32Array.from(
    factor,
    (value, channel) => (before[channel]! - mean[channel]!) * value + beta[channel]!,
  )
  return {
    kernel: tensor('float32', kernel.shape, weights),
    bias: tensor('float32', [channels], shift),
  }
}

/** Pad with zeros on the spatial axes, used by one convolution only, becomes that convolution's own padding. */
export function foldPadding(graph: Graph): Graph {
  const counts = useCounts(graph)
  const makers = producers(graph)
  const gone = new Set<Node>()
  const nodes = graph.nodes.map((node) => {
    if (node.op !== 'Conv' || node.domain !== '') return node
    const pad = makers.get(node.inputs[0] ?? '')
    if (pad?.op !== 'Pad' || pad.domain !== '' || counts.get(pad.outputs[0] ?? '') !== 1) return node
    const auto = stringAttribute(node, 'auto_pad', 'NOTSET')
    const added = zeroPadding(pad, graph)
    if (added === undefined || (auto !== 'NOTSET' && auto !== 'VALID')) return node
    const spatial = added.length / 2 - 2
    const own = auto === 'VALID' ? undefined : intsAttribute(node, 'pads')
    const outer = [...added.slice(0, 2), ...added.slice(spatial + 2, spatial + 4)]
    const inner = [...added.slice(2, spatial + 2), ...added.slice(spatial + 4)]
    if (outer.some((size) => size !== 0) || inner.some((size) => size < 0)) return node
    gone.add(pad)
    const pads = inner.map((size, index) => size + (own?.[index] ?? 0))
    const { auto_pad: _dropped, ...attributes } = node.attributes
    return {
      ...node,
      inputs: [pad.inputs[0] ?? '', ...node.inputs.slice(1)],
      attributes: { ...attributes, pads: ints(pads) },
    }
  })
  return { ...graph, nodes: nodes.filter((node) => !gone.has(node)) }
}

/** As good as zero, and not zero. */
const almostZero = 1e-30

/**
 * ONNX Runtime (seen in 1.30) moves padding with zeros into a max pooling after it, whose own padding never wins: where
 * all values at the border are negative, another maximum comes out. It leaves padding with other values alone.
 */
export function guardPoolPadding(graph: Graph): Graph {
  const makers = producers(graph)
  const guarded = new Set<Node>()
  for (const node of graph.nodes) {
    const pad = node.op === 'MaxPool' ? makers.get(node.inputs[0] ?? '') : undefined
    if (pad?.op === 'Pad' && zeroPadding(pad, graph) !== undefined) guarded.add(pad)
  }
  if (guarded.size === 0) return graph
  const initialisers = new Map(graph.initialisers)
  const nodes = graph.nodes.map((node) => {
    if (!guarded.has(node) || intsAttribute(node, 'pads') !== undefined) return node
    const filler = `${node.outputs[0]}/filler`
    if (initialisers.has(filler) || makers.has(filler)) return node
    initialisers.set(filler, scalar(almostZero))
    return { ...node, inputs: [...node.inputs.slice(0, 2), filler] }
  })
  return { ...graph, nodes, initialisers }
}

/** The pads of a Pad node that fills with zeros and whose amounts are constants. */
function zeroPadding(pad: Node, graph: Graph): number[] | undefined {
  if (stringAttribute(pad, 'mode', 'constant') !== 'constant' || (pad.inputs[3] ?? '') !== '')
    return undefined
  const filler = pad.inputs[2] ?? ''
  const value = filler === '' ? undefined : graph.initialisers.get(filler)
  if (filler !== '' && (value === undefined || numbers(value)[0] !== 0)) return undefined
  if (floatAttribute(pad, 'value', 0) !== 0) return undefined
  const written = intsAttribute(pad, 'pads')
  if (written !== undefined) return [...written]
  const amounts = graph.initialisers.get(pad.inputs[1] ?? '')
  return amounts === undefined ? undefined : numbers(amounts)
}
