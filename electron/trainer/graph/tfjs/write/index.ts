import { KestrelError } from '#shared/errors/index.ts'
import { liftConstants } from '../../optimise.ts'
import type { Graph, Node } from '../../types.ts'
import { writeConv } from './convolution.ts'
import { elementwiseWriters } from './elementwise.ts'
import { Emitter, unsupported } from './emitter.ts'
import type { Write } from './emitter.ts'
import { attr } from './graph-def.ts'
import { layoutWriters } from './layout.ts'
import { writeGlobalPool, writePool } from './pooling.ts'

const writers: Record<string, Write> = {
  ...elementwiseWriters,
  ...layoutWriters,
  Conv: writeConv,
  MaxPool: writePool,
  AveragePool: writePool,
  GlobalAveragePool: writeGlobalPool,
  GlobalMaxPool: writeGlobalPool,
}

/** Operators whose further inputs only say the shape, which is known beforehand. */
const shapedByInput = new Set(['Reshape', 'Squeeze', 'Unsqueeze'])

export interface TfjsScaling {
  /** In RGB order, for values 0 … 255. */
  mean: readonly number[]
  divisor: readonly number[]
  /** Order in which the network wants its channels. */
  channelOrder: 'RGB' | 'BGR'
}

export interface TfjsModel {
  /** Content of `model.json`. */
  json: unknown
  /** Weight files by name, each at most `shardBytes` long. */
  shards: Map<string, Uint8Array>
}

/** Browsers cache files of this size well. */
const shardBytes = 4 * 2 ** 20

/**
 * Writes a network for pictures as a TF.js graph model. The ONNX graph has one input [batch, 3, height, width]; the
 * TF.js model takes `image` [batch, height, width, 3] with values 0 … 255 and scales them itself; its output keeps its
 * name. Throws `operator-unsupported` for operators that TF.js lacks.
 */
export function writeTfjsModel(graph: Graph, scaling: TfjsScaling, metadata: unknown): TfjsModel {
  const lifted = liftConstants(graph)
  const emitter = new Emitter(lifted)
  const { out } = emitter
  const [input] = lifted.inputs
  const [output] = lifted.outputs
  const [, channels, height, width] = input?.shape ?? []
  if (input === undefined || output === undefined || channels !== 3) {
    throw new KestrelError(
      'bad-request',
      'Only networks that take a colour picture are written for TensorFlow.js.',
    )
  }
  if (typeof height !== 'number' || typeof width !== 'number') {
    throw new KestrelError('bad-request', "The size of the network's pictures is not fixed.")
  }
  const imageShape = [-1, height, width, 3]
  const image = out.unique('image')
  out.nodes.push({
    name: image,
    op: 'Placeholder',
    attr: { dtype: attr.float, shape: attr.shape(imageShape) },
  })
  const outputName = out.unique(output.name)
  emitter.setLast(input.name, scale(emitter, image, scaling))
  const needed = neededNodes(lifted)
  for (const node of lifted.nodes) {
    if (!needed.has(node) || emitter.isAbsorbed(node)) continue
    const write = node.domain === '' && Object.hasOwn(writers, node.op) ? writers[node.op] : undefined
    if (write === undefined) throw unsupported(node.op, node.name, 'TensorFlow.js has no such operator')
    write(node, emitter)
  }
  const result = emitter.first(output.name)
  out.nodes.push({ name: outputName, op: 'Identity', input: [result], attr: { T: attr.float } })
  const outputShape = emitter.shape(output.name).map((size) => (typeof size === 'number' ? size : -1))
  const shards = cutShards(out.weightBytes())
  return {
    json: {
      format: 'graph-model',
      generatedBy: 'kestrel-studio',
      convertedBy: null,
      signature: {
        inputs: { image: tensorInfo(image, imageShape) },
        outputs: { [output.name]: tensorInfo(outputName, outputShape) },
      },
      userDefinedMetadata: metadata,
      modelTopology: { node: out.nodes, library: {}, versions: { producer: 1395 } },
      weightsManifest: [{ paths: [...shards.keys()], weights: out.weights }],
    },
    shards,
  }
}

const tensorInfo = (name: string, shape: readonly number[]) => ({
  name: `${name}:0`,
  dtype: 'DT_FLOAT',
  tensorShape: { dim: shape.map((size) => ({ size: String(size) })) },
})

/** (value − mean) / divisor per channel, then the network's channel order. */
function scale(emitter: Emitter, image: string, { mean, divisor, channelOrder }: TfjsScaling): string {
  const { out } = emitter
  const perChannel = (values: readonly number[], name: string): string =>
    out.floats(Float32Array.from(values), [1, 1, 1, 3], name)
  let value = image
  if (mean.some((number) => number !== 0)) {
    value = out.add('Sub', [value, perChannel(mean, 'scale/mean')], {}, 'scale/centred')
  }
  if (divisor.some((number) => number !== 1)) {
    value = out.add('RealDiv', [value, perChannel(divisor, 'scale/divisor')], {}, 'scale/scaled')
  }
  if (channelOrder === 'RGB') return value
  const axis = out.ints([3], 'scale/channel_axis')
  return out.add('ReverseV2', [value, axis], { Tidx: attr.int32 }, 'scale/bgr')
}

/** Nodes that the output's numbers hang on; those that only compute shapes are left out. */
function neededNodes(graph: Graph): Set<Node> {
  const values = new Set(graph.outputs.map((output) => output.name))
  const needed = new Set<Node>()
  for (const node of graph.nodes.toReversed()) {
    if (!node.outputs.some((name) => values.has(name))) continue
    needed.add(node)
    for (const name of shapedByInput.has(node.op) ? node.inputs.slice(0, 1) : node.inputs) values.add(name)
  }
  return needed
}

function cutShards(bytes: Uint8Array): Map<string, Uint8Array> {
  const count = Math.max(1, Math.ceil(bytes.length / shardBytes))
  return new Map(
    Array.from({ length: count }, (_, index) => [
      `group1-shard${index + 1}of${count}.bin`,
      bytes.subarray(index * shardBytes, (index + 1) * shardBytes),
    ]),
  )
}
