import { producers, usedBy } from '../graph/edit.ts'
import { inferShapes } from '../graph/infer/index.ts'
import { settleShapes } from '../graph/settle-shapes.ts'
import { intAttribute } from '../graph/types.ts'
import type { Dimension, Graph, Node, ValueInfo } from '../graph/types.ts'
import { stretches, type Stretch } from './cut-points.ts'

/** A part of a backbone that people count: an inverted residual, a fire module, a transformer block, a convolution. */
export interface Block {
  /** Value at its end, through which everything passes. */
  output: string
  /** Of that value for one picture. */
  shape: readonly number[]
  /** Counted from 0: a new one begins where the maps get smaller. */
  stage: number
  nodes: readonly Node[]
}

/**
 * - `filter`: a convolution that sees more than one pixel. - `point`: a 1×1 convolution or a product without one.
 * - `dense`: a layer on a list of numbers. - `join`: branches with layers in them that come together again.
 */
type Kind = 'filter' | 'point' | 'dense' | 'join'

type Shapes = ReadonlyMap<string, ValueInfo>

/** A layer with weights and what goes with it: its normalisation, activation, pooling, excitation. */
interface Unit {
  kind: Kind
  stretches: Stretch[]
  depthwise: boolean
  attention: boolean
  /** Nothing but normalisation between it and the next layer with weights: the end of a bottleneck. */
  linear: boolean
}

/**
 * Finds the blocks of a backbone (one input, one output).
 *
 * The network is cut wherever a single value goes on. Branches that come together (a shortcut, a fire module, an
 * inception module) are a block; attention and the feed-forward network after it are one. In plain chains a block has
 * one filter: 1×1 convolutions after a depthwise filter and up to a linear one belong to it, others to what follows.
 * What stands before the first block of a kind (the stem) and between stages goes with the block after it, what stands
 * after the last with the last. So MobileNetV2 has 17 blocks, MobileNet 13, ResNet-50 16 in 4 stages, SqueezeNet 8,
 * EfficientNet-B0 16, ConvNeXt-T 18, ViT-Ti 12, VGG-16 its 13 convolutions.
 */
export const findBlocks = (backbone: Graph): Block[] => blocksIn(settleShapes(backbone))

/** The same for a graph whose shapes are settled: the nodes of the blocks are those of the graph. */
export function blocksIn(graph: Graph): Block[] {
  const shapes = inferShapes(graph)
  const groups = withoutLoneFilters(grouped(unitsOf(graph, shapes)))
  const blocks: Omit<Block, 'stage'>[] = []
  let nodes: Node[] = []
  groups.forEach((group, index) => {
    const parts = group.flatMap((unit) => unit.stretches)
    nodes.push(...parts.flatMap((part) => part.nodes))
    const output = parts.at(-1)?.output ?? ''
    const shape = shapeForOne(shapes.get(output), graph.inputs[0]?.shape?.[0])
    // A place where nothing can be cut off is left to the block after it.
    if (shape === null && index < groups.length - 1) return
    blocks.push({ output, shape: shape ?? [], nodes })
    nodes = []
  })
  let stage = -1
  let size = Infinity
  return blocks.map((block) => {
    const pixels = block.shape.length === 3 ? block.shape[1]! * block.shape[2]! : size
    if (stage === -1 || pixels < size) stage++
    size = pixels
    return { ...block, stage }
  })
}

/**
 * Sizes behind the batch, where all are known and the value is a float. Inside an attention the heads may stand before it:
 * several lists for each picture.
 */
function shapeForOne(info: ValueInfo | undefined, pictures: Dimension | undefined): readonly number[] | null {
  const [batch, ...sizes] = info?.shape ?? []
  if (info?.type !== 'float32' || typeof batch !== 'string' || batch !== pictures) return null
  return sizes.every((size) => typeof size === 'number') ? sizes : null
}

/** Which block each node belongs to; constants that the network works out go with the first that reads them. */
export function blockOfNodes(graph: Graph, blocks: readonly Block[]): Map<Node, number> {
  const found = new Map<Node, number>()
  blocks.forEach((block, index) => block.nodes.forEach((node) => found.set(node, index)))
  const onTheWay = new Set(found.keys())
  const makers = producers(graph)
  for (const node of graph.nodes.toReversed()) {
    const block = found.get(node)
    if (block === undefined) continue
    for (const name of usedBy(node)) {
      const maker = makers.get(name)
      if (maker !== undefined && !onTheWay.has(maker))
        found.set(maker, Math.min(block, found.get(maker) ?? Infinity))
    }
  }
  return found
}

const isNormalisation = (node: Node): boolean =>
  ['BatchNormalization', 'LayerNormalization', 'InstanceNormalization', 'ReduceMean'].includes(node.op)

const isLayout = (node: Node): boolean => ['Transpose', 'Reshape', 'Identity'].includes(node.op)

/** Cuts the network into layers with weights, each with what goes with it. */
function unitsOf(graph: Graph, shapes: Shapes): Unit[] {
  const constants = constantValues(graph)
  const units: Unit[] = []
  /** What goes with the next layer: at the beginning, and normalisation after a join. */
  let leading: Stretch[] = []
  for (const stretch of stretches(graph)) {
    const kind = kindOf(stretch, { graph, shapes, constants })
    const last = units.at(-1)
    if (kind !== null) {
      units.push({
        kind,
        stretches: [...leading, stretch],
        depthwise: stretch.nodes.length === 1 && isDepthwise(stretch.nodes[0]!),
        attention: stretch.nodes.some((node) => node.op === 'Softmax'),
        linear: true,
      })
      leading = []
    } else if (last === undefined || leading.length > 0) leading.push(stretch)
    else if (last.kind === 'join' && last.linear && stretch.nodes.some(isNormalisation)) {
      // Normalised before it goes on ("pre-activation"), in another layout where the network turns it for that.
      while (last.stretches.length > 1 && last.stretches.at(-1)!.nodes.every(isLayout))
        leading.unshift(last.stretches.pop()!)
      leading.push(stretch)
    } else {
      last.stretches.push(stretch)
      last.linear &&= stretch.nodes.every(
        (node) => isNormalisation(node) || isLayout(node) || isShift(node, constants),
      )
    }
  }
  units.at(-1)?.stretches.push(...leading)
  return units
}

const isShift = (node: Node, constants: ReadonlySet<string>): boolean =>
  ['Add', 'Mul'].includes(node.op) && node.inputs.some((name) => constants.has(name))

const isDepthwise = (node: Node): boolean => node.op === 'Conv' && intAttribute(node, 'group', 1) > 1

/** Initialisers, and what is worked out from them alone. */
function constantValues(graph: Graph): Set<string> {
  const constants = new Set(graph.initialisers.keys())
  for (const node of graph.nodes)
    if (usedBy(node).every((name) => constants.has(name))) node.outputs.forEach((name) => constants.add(name))
  return constants
}

/** What a stretch is, null where it has no layer with weights, or only weighs maps by what they show. */
function kindOf(
  stretch: Stretch,
  { graph, shapes, constants }: { graph: Graph; shapes: Shapes; constants: ReadonlySet<string> },
): Kind | null {
  const weighted = stretch.nodes.filter(
    (node) =>
      node.domain === '' &&
      ['Conv', 'ConvTranspose', 'Gemm', 'MatMul'].includes(node.op) &&
      node.inputs.some((name) => constants.has(name)),
  )
  const [layer] = weighted
  if (layer === undefined) return null
  if (stretch.nodes.length > 1) {
    const last = stretch.nodes.at(-1)!
    const excites = last.op === 'Mul' && last.inputs.every((name) => !constants.has(name))
    return excites ? null : 'join'
  }
  if (shapes.get(stretch.output)?.shape?.length === 2) return 'dense'
  const kernel = graph.initialisers.get(layer.inputs[1] ?? '')?.shape ?? []
  return layer.op !== 'MatMul' && kernel.slice(2).some((size) => size > 1) ? 'filter' : 'point'
}

/** Puts units together: one filter, join or dense layer in each group, and the points that belong to it. */
function grouped(units: readonly Unit[]): Unit[][] {
  const groups: Unit[][] = []
  let points: Unit[] = []
  for (const unit of units) {
    if (unit.kind === 'point') {
      points.push(unit)
      continue
    }
    const before = groups.at(-1)
    const mine = before === undefined ? 0 : pointsOf(before.at(-1)!, points, unit)
    before?.push(...points.slice(0, mine))
    const rest = points.slice(mine)
    const open = before?.at(-1)
    // Attention goes on into the feed-forward network after it.
    if (before !== undefined && open?.attention === true && unit.kind === 'join' && !unit.attention)
      before.push(...rest, unit)
    else groups.push([...rest, unit])
    points = []
  }
  if (groups.length === 0) return points.map((unit) => [unit])
  groups.at(-1)!.push(...points)
  return groups
}

/** How many of the 1×1 layers after a filter belong to it, and not to the unit that comes next. */
function pointsOf(core: Unit, points: readonly Unit[], next: Unit): number {
  if (core.kind !== 'filter') return 0
  const linear = points.findIndex((point) => point.linear)
  if (linear !== -1) return linear + 1
  if (next.kind !== 'join') return points.length
  return core.depthwise ? 1 : 0
}

/**
 * A single filter at the beginning (the stem) and before a join (between stages) goes with what follows. Not in plain
 * chains, where every block is a single filter.
 */
function withoutLoneFilters(groups: readonly Unit[][]): Unit[][] {
  const structured = groups.flat().some((unit) => unit.kind === 'join' || unit.depthwise)
  if (!structured) return [...groups]
  const result: Unit[][] = []
  let carried: Unit[] = []
  groups.forEach((group, index) => {
    const alone = group.length === 1 && group[0]!.kind === 'filter' && !group[0]!.depthwise
    const next = groups[index + 1]
    const beforeJoin = next?.some((unit) => unit.kind === 'join') ?? false
    if (alone && next !== undefined && (index === 0 || beforeJoin)) {
      carried.push(...group)
      return
    }
    result.push([...carried, ...group])
    carried = []
  })
  return result
}
