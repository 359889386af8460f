import { KestrelError } from '#shared/errors/index.ts'
import type { Preprocessing } from '#shared/domain/preprocessing/definition.ts'
import { GraphBuilder } from '../graph/builder.ts'
import { readOnnx, writeOnnx } from '../graph/onnx/index.ts'
import { optimiseForInference } from '../graph/optimise.ts'
import { float32, int64s } from '../graph/tensor.ts'
import { int, ownOpset } from '../graph/types.ts'
import type { Graph } from '../graph/types.ts'
import { upgradeOpset } from '../graph/upgrade.ts'
import { metadataKeys } from './classifier-metadata.ts'
import { linearHeadGraph } from './linear-head.ts'
import type { LinearHead } from './linear-head.ts'
import { pillowResize } from './pillow-resize.ts'

export interface ClassifierParts {
  /** One input [batch, 3, height, width] of preprocessed floats, one output [batch, features]; or its ONNX file. */
  trunk: Graph | Uint8Array
  /** One input, what the trunk gives, one output of logits [batch, classes]; null where the trunk gives them. */
  head: Graph | LinearHead | null
  preprocessing: Preprocessing
  /** In the order of the logits. */
  classes: readonly string[]
  /** Below this top probability the answer is "not sure". */
  threshold?: number
  kestrelVersion?: string
}

/**
 * A whole classifier for one picture of any size: `image` uint8 [height, width, 3] (RGB, upright, alpha flattened) →
 * `probabilities` float32 [classes]. Resize, scaling and channel order are inside. Returns the bytes of an ONNX file.
 */
export const composeClassifier = (parts: ClassifierParts): Uint8Array => writeOnnx(classifierGraph(parts))

export const classifierGraph = (parts: ClassifierParts): Graph =>
  withPreprocessing(batchClassifierGraph(parts), parts)

/** Puts resize, scaling and channel order before a classifier for batches, and makes it answer for one picture. */
export function withPreprocessing(batch: Graph, about: About): Graph {
  const builder = new GraphBuilder('classifier', batch.opsets)
  const image = builder.input({ name: 'image', type: 'uint8', shape: ['height', 'width', 3] })
  const input = preprocess(builder, image, about.preprocessing)
  const inner = builder.embed(batch, new Map([[batch.inputs[0]?.name ?? '', input]]), 'network/')
  const shape = builder.constant('answer/shape', int64s([-1]))
  const answer = builder.node('Reshape', [inner(batch.outputs[0]?.name ?? ''), shape], {}, 'answer')
  builder.output(answer, { name: 'probabilities', type: 'float32', shape: [about.classes.length] })
  return optimiseForInference(builder.build(metadataOf(about)))
}

/**
 * The same classifier for batches that are preprocessed already: `input` float32 [batch, 3, height, width] →
 * `probabilities` float32 [batch, classes]. Returns the bytes of an ONNX file.
 */
export const composeBatchClassifier = (parts: ClassifierParts): Uint8Array =>
  writeOnnx(batchClassifierGraph(parts))

export function batchClassifierGraph(parts: ClassifierParts): Graph {
  const { trunk, head, builder } = begin(parts)
  const { width, height } = parts.preprocessing.size
  const input = builder.input({ name: 'input', type: 'float32', shape: ['batch', 3, height, width] })
  const rows = classify(builder, trunk, head, input)
  builder.output(rows, { name: 'probabilities', type: 'float32', shape: ['batch', parts.classes.length] })
  return optimiseForInference(builder.build(metadataOf(parts)))
}

function begin(parts: ClassifierParts): { trunk: Graph; head: Graph | null; builder: GraphBuilder } {
  const trunk = upgradeOpset(parts.trunk instanceof Uint8Array ? readOnnx(parts.trunk) : parts.trunk)
  const head = parts.head && upgradeOpset('nodes' in parts.head ? parts.head : linearHeadGraph(parts.head))
  const all = head === null ? [trunk] : [trunk, head]
  if (all.some(({ inputs, outputs }) => inputs.length !== 1 || outputs.length !== 1)) {
    throw new KestrelError('bad-request', 'A part of the classifier does not have one input and one output.')
  }
  const logits = all.at(-1)!.outputs[0]?.shape?.at(-1)
  if (logits !== parts.classes.length) {
    throw new KestrelError(
      'bad-request',
      `The classifier gives ${logits ?? 'an unknown number of'} answers for ${parts.classes.length} classes.`,
    )
  }
  const opsets = new Map(all.flatMap((part) => [...part.opsets]))
  opsets.set('', Math.max(ownOpset, ...all.map((part) => part.opsets.get('') ?? 1)))
  return { trunk, head, builder: new GraphBuilder('classifier', opsets) }
}

function classify(builder: GraphBuilder, trunk: Graph, head: Graph | null, input: string): string {
  const embed = (part: Graph, value: string, prefix: string): string =>
    builder.embed(part, new Map([[part.inputs[0]?.name ?? '', value]]), prefix)(part.outputs[0]?.name ?? '')
  const features = embed(trunk, input, 'trunk/')
  const logits = head === null ? features : embed(head, features, 'head/')
  return builder.node('Softmax', [logits], { axis: int(1) }, 'softmax')
}

/** Preprocessing as part of the network: [height, width, 3] uint8 → [1, 3, size] float. */
function preprocess(builder: GraphBuilder, image: string, preprocessing: Preprocessing): string {
  const { size, mean, divisor, channelOrder } = preprocessing
  const planes = pillowResize(builder, image, size)
  const sizes = builder.constant('resize/sizes', int64s([1, 3, size.height, size.width]))
  const resized = builder.node('Reshape', [planes, sizes], {}, 'resize/resized')
  let value = builder.node('Cast', [resized], { to: int(1) }, 'scale/float')
  if (mean.some((number) => number !== 0)) {
    const centre = builder.constant('scale/mean', float32([1, 3, 1, 1], mean))
    value = builder.node('Sub', [value, centre], {}, 'scale/centred')
  }
  if (divisor.some((number) => number !== 1)) {
    const unit = builder.constant('scale/divisor', float32([1, 3, 1, 1], divisor))
    value = builder.node('Div', [value, unit], {}, 'scale/scaled')
  }
  if (channelOrder === 'BGR') {
    const order = builder.constant('scale/bgr', int64s([2, 1, 0]))
    value = builder.node('Gather', [value, order], { axis: int(1) }, 'scale/ordered')
  }
  return value
}

type About = Pick<ClassifierParts, 'preprocessing' | 'classes' | 'threshold' | 'kestrelVersion'>

function metadataOf(parts: About): Map<string, string> {
  return new Map([
    [metadataKeys.labels, JSON.stringify(parts.classes)],
    [metadataKeys.preprocessing, JSON.stringify(parts.preprocessing)],
    ...(parts.threshold === undefined ? [] : [[metadataKeys.threshold, String(parts.threshold)] as const]),
    ...(parts.kestrelVersion === undefined ? [] : [[metadataKeys.version, parts.kestrelVersion] as const]),
  ])
}
