import { symmetric } from '#shared/domain/preprocessing/scaling.ts'
import type { Scaling } from '#shared/domain/preprocessing/scaling.ts'
import { inferShapes } from '../graph/infer/index.ts'
import { intAttribute } from '../graph/types.ts'
import type { Graph, Node } from '../graph/types.ts'
import { rangeWanted } from './input-scaling.ts'
import type { ModelFormat } from './source.ts'

interface Counts {
  convolutions: number
  depthwise: number
  grouped: number
  /** Neither pointwise nor depthwise. */
  wide: number
  additions: number
  concatenations: number
  /** Squeeze-and-excite blocks: a map multiplied with weights made from its own pooling. */
  excitations: number
  normalisations: number
  /** Batch normalisations that stand before their convolution and could not be folded. */
  early: number
  softmaxes: number
  largestKernel: number
}

function count(graph: Graph): Counts {
  const shapes = inferShapes(graph)
  const counts: Counts = {
    convolutions: 0,
    depthwise: 0,
    grouped: 0,
    wide: 0,
    additions: 0,
    concatenations: 0,
    excitations: 0,
    normalisations: 0,
    early: 0,
    softmaxes: 0,
    largestKernel: 0,
  }
  for (const node of graph.nodes) {
    if (node.domain !== '') continue
    if (node.op === 'Conv') {
      const kernel = graph.initialisers.get(node.inputs[1] ?? '')?.shape
      const group = intAttribute(node, 'group', 1)
      counts.convolutions++
      if (group > 1 && kernel?.[1] === 1) counts.depthwise++
      else if (group > 1) counts.grouped++
      else if ((kernel?.[2] ?? 1) > 1) counts.wide++
      counts.largestKernel = Math.max(counts.largestKernel, kernel?.[2] ?? 0)
    } else if (node.op === 'Add') {
      if (node.inputs.every((name) => !graph.initialisers.has(name))) counts.additions++
    } else if (node.op === 'Concat') counts.concatenations++
    else if (node.op === 'LayerNormalization') counts.normalisations++
    else if (node.op === 'BatchNormalization') counts.early++
    else if (node.op === 'Softmax') counts.softmaxes++
    else if (node.op === 'Mul' && isExcitation(node, graph, shapes)) counts.excitations++
  }
  return counts
}

/** Whether one operand is a map and another one number per channel that the network makes itself. */
function isExcitation(node: Node, graph: Graph, shapes: ReturnType<typeof inferShapes>): boolean {
  const operands = node.inputs.map((name) => shapes.get(name)?.shape)
  const ones = operands.map((shape) =>
    shape?.length === 4 ? shape.slice(1).filter((size) => size === 1).length : NaN,
  )
  const gate = node.inputs.find((_, index) => ones[index] === 2)
  return gate !== undefined && !graph.initialisers.has(gate) && ones.includes(0)
}

/**
 * Name of a published architecture by the number and kind of its operators, null when it is none of them. Works on
 * the part up to the features, after `optimiseForInference`.
 */
export function recogniseArchitecture(graph: Graph): string | null {
  const n = count(graph)
  const plain = n.additions === 0 && n.concatenations === 0
  if (n.depthwise === 13 && n.convolutions === 27 && plain) return 'mobilenet_v1'
  if (n.depthwise === 17 && n.additions === 10 && n.excitations === 0) return 'mobilenet_v2'
  if (n.depthwise === 15 && n.excitations === 8) return 'mobilenet_v3_large'
  if (n.depthwise === 11 && n.excitations === 9) return 'mobilenet_v3_small'
  if (n.depthwise > 0 && n.excitations === n.depthwise) {
    // The second version begins with whole convolutions where the first is depthwise throughout.
    if (n.wide > 1)
      return n.depthwise === 16 && n.convolutions === 91 ? 'efficientnet_v2_b0' : 'efficientnet_v2'
    return n.depthwise === 16 ? 'efficientnet_b0' : 'efficientnet'
  }
  if (n.depthwise > 0 && n.largestKernel === 7 && n.normalisations > 10) return 'convnext'
  if (n.convolutions === 1 && n.softmaxes >= 6 && n.normalisations > 10) return 'vision_transformer'
  if (n.depthwise === 34 && n.additions === 12) return 'xception'
  if (n.depthwise > 0) return null
  if (n.additions === 16 && n.early > 10) return 'resnet50_v2'
  if (n.concatenations === 8 && n.convolutions === 25) return 'squeezenet'
  if (n.concatenations >= 58) return 'densenet'
  if (n.concatenations >= 9 && n.convolutions >= 90) return 'inception_v3'
  if (n.concatenations > 0) return null
  if (n.additions === 8 && n.convolutions >= 17 && n.convolutions <= 20) return 'resnet18'
  if (n.additions === 16 && n.convolutions >= 33 && n.convolutions <= 37) return 'resnet34'
  if (n.additions === 16 && n.convolutions >= 49 && n.convolutions <= 53)
    return n.grouped > 0 ? 'resnext50' : 'resnet50'
  if (n.additions > 16 && n.convolutions > 60) return n.grouped > 0 ? 'resnext' : 'resnet'
  if (n.additions === 0 && n.convolutions === 13) return 'vgg16'
  if (n.additions === 0 && n.convolutions === 16) return 'vgg19'
  return null
}

const triple = (value: number): Scaling['mean'] => [value, value, value]
/** Mean and deviation of ImageNet's training pictures, as torchvision gives them for values of 0 … 1. */
const imagenet: Scaling = {
  channelOrder: 'RGB',
  mean: [0.485 * 255, 0.456 * 255, 0.406 * 255],
  divisor: [0.229 * 255, 0.224 * 255, 0.225 * 255],
}
/** Caffe's order and ImageNet's mean colour; `mean` is given as RGB. */
const caffe: Scaling = { channelOrder: 'BGR', mean: [123.68, 116.779, 103.939], divisor: triple(1) }
const caffeWhole: Scaling = { channelOrder: 'BGR', mean: [123, 117, 104], divisor: triple(1) }

/**
 * Scaling that a network expects: told by the scaling that it does itself, otherwise what the published weights of its
 * architecture want, by where the file comes from (keras.io/api/applications, pytorch.org/vision). Null when it differs between publications, so that only a person or the catalogue can know.
 */
export function knownScaling(
  graph: Graph,
  architecture: string | null,
  format: ModelFormat,
  producer: string,
): Scaling | null {
  const wanted = rangeWanted(graph)
  if (wanted !== null) return wanted
  if (format !== 'onnx' || /tf2onnx|keras/i.test(producer)) {
    if (architecture === null) return null
    if (/^mobilenet_v[12]$|^inception|^xception|^resnet50_v2$|^efficientnet_v2/.test(architecture))
      return symmetric
    if (architecture === 'squeezenet') return caffeWhole
    if (/^resnet50$|^vgg/.test(architecture)) return caffe
    return architecture === 'densenet' ? imagenet : null
  }
  const published = /^(mobilenet|squeezenet|resnet|resnext|densenet|vgg|efficientnet|convnext)/
  return /pytorch/i.test(producer) && architecture !== null && published.test(architecture) ? imagenet : null
}
