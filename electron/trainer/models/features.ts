import { GraphBuilder } from '../graph/builder.ts'
import { cutAt, producers, renameValues, usedBy } from '../graph/edit.ts'
import { inferShapes } from '../graph/infer/index.ts'
import { int, ints, ownOpset } from '../graph/types.ts'
import type { Dimension, Graph, Node, ValueInfo } from '../graph/types.ts'
import { isWeighted } from './cut-points.ts'
import type { PictureInput } from './picture-input.ts'
import { unsupported } from './unsupported.ts'

export interface FeaturePoint {
  /** Value the features are taken from. */
  value: string
  /** `pooled`: four or two dimensions, one number per channel; `map`: needs pooling. */
  kind: 'pooled' | 'map' | 'vector'
  /** Name of the layer or node, for people. */
  layer: string
}

type Shapes = ReadonlyMap<string, ValueInfo>
const shapeOf = (shapes: Shapes, name: string | undefined): readonly Dimension[] | null =>
  shapes.get(name ?? '')?.shape ?? null

const isSpatial = (shape: readonly Dimension[] | null): boolean => shape?.length === 4

/** Mean or maximum over both spatial axes at once. */
function isGlobalPooling(node: Node, shapes: Shapes): boolean {
  if (node.domain !== '') return false
  const before = shapeOf(shapes, node.inputs[0])
  const after = shapeOf(shapes, node.outputs[0])
  if (!isSpatial(before)) return false
  switch (node.op) {
    case 'GlobalAveragePool':
    case 'GlobalMaxPool':
      return true
    case 'AveragePool':
    case 'MaxPool':
      return after?.[2] === 1 && after[3] === 1 && (before?.[2] !== 1 || before[3] !== 1)
    case 'ReduceMean':
    case 'ReduceMax':
      return after?.length === 2 || after?.filter((size) => size === 1).length === 2
    default:
      return false
  }
}

/** Whether every way from the input to the output leads through `value`. */
function dominates(graph: Graph, value: string): boolean {
  const reached = new Set(graph.inputs.map((input) => input.name))
  for (const node of graph.nodes) {
    if (!usedBy(node).some((name) => reached.has(name))) continue
    for (const name of node.outputs) if (name !== value) reached.add(name)
  }
  return !graph.outputs.some((output) => reached.has(output.name))
}

/** Values that depend on `value`. */
function downstream(graph: Graph, value: string): Node[] {
  const reached = new Set([value])
  return graph.nodes.filter((node) => {
    if (!usedBy(node).some((name) => reached.has(name))) return false
    for (const name of node.outputs) reached.add(name)
    return true
  })
}

const layerOf = (node: Node): string => {
  const parts = (node.name || node.outputs[0] || node.op).split('/').filter((part) => part !== '')
  return (parts.at(-1) === node.op && parts.length > 1 ? parts.slice(0, -1) : parts).join('/')
}

/** A network that ends in several pooled maps side by side is a backbone already: its output is the features. */
function joinedPoolings(graph: Graph, shapes: Shapes): FeaturePoint | undefined {
  const makers = producers(graph)
  const maker = (name: string | undefined): Node | undefined => {
    let node = makers.get(name ?? '')
    while (node !== undefined && ['Flatten', 'Reshape', 'Squeeze', 'Identity'].includes(node.op))
      node = makers.get(node.inputs[0] ?? '')
    return node
  }
  const [output] = graph.outputs
  const last = maker(output?.name)
  if (last?.op !== 'Concat' || shapeOf(shapes, output?.name)?.length !== 2) return undefined
  const pooled = last.inputs.every((name) => {
    const node = maker(name)
    return node !== undefined && isGlobalPooling(node, shapes)
  })
  return pooled ? { value: output!.name, kind: 'vector', layer: layerOf(last) } : undefined
}

/**
 * Where a classifier's features are: its last global pooling; where that pools class scores (SqueezeNet), the map
 * that the scores are made from; where nothing is pooled, what goes into the last dense layer; otherwise the last map.
 * Pooling inside squeeze-and-excite blocks is passed over: the picture also goes around it.
 */
export function findFeatures(graph: Graph): FeaturePoint {
  const shapes = inferShapes(graph)
  const joined = joinedPoolings(graph, shapes)
  if (joined !== undefined) return joined
  const poolings = graph.nodes.filter((node) => isGlobalPooling(node, shapes))
  const last = poolings.toReversed().find((node) => dominates(graph, node.outputs[0] ?? ''))
  if (last !== undefined) {
    const after = downstream(graph, last.outputs[0] ?? '')
    const scores = after.some((node) => isWeighted(node, graph)) ? undefined : scoreLayer(graph, last, after)
    if (scores !== undefined) return { value: scores.inputs[0] ?? '', kind: 'map', layer: layerOf(scores) }
    return { value: last.outputs[0] ?? '', kind: 'pooled', layer: layerOf(last) }
  }
  const [output] = graph.outputs
  if (output === undefined) throw unsupported('it has no output')
  const dense = graph.nodes.findLast(
    (node) => isWeighted(node, graph) && node.op !== 'Conv' && dominates(graph, node.outputs[0] ?? ''),
  )
  const before = shapeOf(shapes, dense?.inputs[0])
  if (dense !== undefined && before?.length === 2) {
    return { value: dense.inputs[0] ?? '', kind: 'vector', layer: layerOf(dense) }
  }
  const map = graph.nodes.findLast(
    (node) => isSpatial(shapeOf(shapes, node.outputs[0])) && dominates(graph, node.outputs[0] ?? ''),
  )
  if (map === undefined) throw unsupported('no place was found where features could be taken')
  return { value: map.outputs[0] ?? '', kind: 'map', layer: layerOf(map) }
}

/** Sizes of ImageNet's list of classes, without and with one for "something else". */
const imagenetClasses = [1000, 1001]

/** The 1×1 convolution before a pooling, when that pooling is followed by softmax or gives ImageNet's classes. */
function scoreLayer(graph: Graph, pooling: Node, after: readonly Node[]): Node | undefined {
  const makers = producers(graph)
  let node = makers.get(pooling.inputs[0] ?? '')
  while (node !== undefined && ['Relu', 'Clip', 'Dropout', 'Identity'].includes(node.op)) {
    node = makers.get(node.inputs[0] ?? '')
  }
  if (node?.op !== 'Conv' || !isWeighted(node, graph)) return undefined
  const kernel = graph.initialisers.get(node.inputs[1] ?? '')
  const softmax = after.some((next) => next.op === 'Softmax' || next.op === 'LogSoftmax')
  const pointwise = kernel?.shape[2] === 1 && kernel.shape[3] === 1
  const classes = imagenetClasses.includes(kernel?.shape[0] ?? 0)
  return pointwise && (softmax || classes) ? node : undefined
}

/**
 * The part of a network up to its features, as `input` float32 [batch, 3, height, width] → `features`
 * [batch, length]. Throws `backbone-unsupported` when the features do not have a fixed length.
 */
export function cutToFeatures(input: PictureInput, point: FeaturePoint): { graph: Graph; length: number } {
  const { graph, channelsLast, width, height } = input
  const shapes = inferShapes(graph)
  const info = shapes.get(point.value)
  if (info === undefined) throw unsupported('no place was found where features could be taken')
  const inner = cutAt(graph, info)
  const opsets = new Map(graph.opsets)
  if (!opsets.has('')) opsets.set('', ownOpset)
  const builder = new GraphBuilder(graph.name || 'backbone', opsets)
  const picture = builder.input({ name: 'input', type: 'float32', shape: ['batch', 3, height, width] })
  const wanted = graph.inputs[0]
  let start = picture
  if (channelsLast)
    start = builder.node('Transpose', [start], { perm: ints([0, 2, 3, 1]) }, 'to_channels_last')
  if (wanted?.type === 'uint8') start = builder.node('Cast', [start], { to: int(2) }, 'to_uint8')
  if (wanted?.type === 'float16') start = builder.node('Cast', [start], { to: int(10) }, 'to_float16')
  const clear = renameValues(inner, clashes(inner, ['features', start, picture]))
  const named = builder.embed(clear, new Map([[clear.inputs[0]?.name ?? '', start]]))
  let value = named(clear.outputs[0]?.name ?? '')
  const shape = info.shape
  if (point.kind === 'map') value = poolMap(builder, value, shape, graph)
  if (shape?.length === 4) value = builder.node('Flatten', [value], { axis: int(1) }, 'flat_features')
  if (info.type === 'float16') value = builder.node('Cast', [value], { to: int(1) }, 'to_float32')
  builder.output(value, { name: 'features', type: 'float32', shape: ['batch', null] })
  const whole = builder.build()
  const found = inferShapes(whole).get('features')?.shape
  const length = found?.[1]
  if (found?.length !== 2 || typeof length !== 'number') {
    throw unsupported('the number of its features cannot be told')
  }
  return {
    graph: { ...whole, outputs: [{ name: 'features', type: 'float32', shape: ['batch', length] }] },
    length,
  }
}

/** New names for values of a graph that would collide with those around it. */
function clashes(graph: Graph, reserved: readonly string[]): Map<string, string> {
  const inputs = new Set(graph.inputs.map((input) => input.name))
  const names = [...graph.initialisers.keys(), ...graph.nodes.flatMap((node) => node.outputs)]
  const taken = new Set([...names, ...inputs])
  const renamed = new Map<string, string>()
  for (const name of names) {
    if (!reserved.includes(name)) continue
    let free = `${name}_inner`
    while (taken.has(free)) free += '_'
    renamed.set(name, free)
    taken.add(free)
  }
  return renamed
}

/** Mean over the two spatial axes of a map that may have its channels first or last. */
function poolMap(
  builder: GraphBuilder,
  value: string,
  shape: readonly Dimension[] | null,
  graph: Graph,
): string {
  if (shape?.length !== 4) throw unsupported('its last map does not have four dimensions')
  const makesChannelsFirst = graph.nodes.find((node) => node.outputs.includes(value))?.op !== 'Transpose'
  if (makesChannelsFirst) return builder.node('GlobalAveragePool', [value], {}, 'pooled_features')
  const turned = builder.node('Transpose', [value], { perm: ints([0, 3, 1, 2]) }, 'to_channels_first')
  return builder.node('GlobalAveragePool', [turned], {}, 'pooled_features')
}
