import { prune, usedBy } from '../graph/edit.ts'
import { inferShapes } from '../graph/infer/index.ts'
import { numbers } from '../graph/tensor.ts'
import { intAttribute, ints, intsAttribute } from '../graph/types.ts'
import type { Dimension, Graph, Node, ValueInfo } from '../graph/types.ts'
import { isWeighted, stretches } from './cut-points.ts'
import { scalingSteps } from './input-scaling.ts'
import { unsupported } from './unsupported.ts'

type Shape = readonly Dimension[]

/** Whether a shape is that of pictures with three colours, its channels last or first; null for neither. */
export function layoutOf(shape: Shape | null | undefined): 'first' | 'last' | null {
  if (shape?.length !== 3 && shape?.length !== 4) return null
  if (shape.at(-3) === 3) return 'first'
  return shape.at(-1) === 3 ? 'last' : null
}

/** Whether width or height are free. */
export function takesAnySize({ shape }: ValueInfo): boolean {
  const sizes = layoutOf(shape) === 'last' ? shape?.slice(-3, -1) : shape?.slice(-2)
  return sizes?.some((size) => typeof size !== 'number' || size <= 0) ?? false
}

/** The part of a graph behind one of its values, through which everything passes: it becomes the input. */
export const startAt = (graph: Graph, input: ValueInfo): Graph =>
  prune({
    ...graph,
    inputs: [input],
    nodes: graph.nodes.filter((node) => !node.outputs.includes(input.name)),
  })

/**
 * Leaves out how a network reads pictures of any size: everything up to the first value through which all passes and that is a
 * picture of a fixed size. Kestrel's own exports begin so, with Pillow's resize; others with ONNX's Resize. Null where there
 * is no such value, or where the numbers at it are not those of the picture any more.
 */
export function withoutReading(graph: Graph): Graph | null {
  const [input] = graph.inputs
  if (input === undefined) return null
  const shapes = inferShapes(graph)
  const unscaled = scalingSteps(graph).filter(({ scaling }) => isUntouched(scaling))
  for (const { nodes, output } of stretches(prune(graph))) {
    if (nodes.some((node) => isWeighted(node, graph))) return null
    const info = shapes.get(output)
    if (info?.shape?.length !== 4 || layoutOf(info.shape) === null || takesAnySize(info)) continue
    // Whatever made bytes of bytes before the first layer has resized them: scaled pictures are fractions.
    const isResized = input.type === 'uint8' && info.type === 'uint8'
    if (isResized || unscaled.some(({ value }) => value === output)) return startAt(graph, info)
    return null
  }
  return null
}

const isUntouched = ({ mean, divisor, channelOrder }: ReturnType<typeof scalingSteps>[number]['scaling']) =>
  channelOrder === 'RGB' && mean.every((number) => number === 0) && divisor.every((number) => number === 1)

/**
 * Gives a network for one picture, such as [height, width, 3], an axis for several in front. Its first operators, up to the
 * one that adds the axis, are written anew for that.
 * @throws KestrelError `backbone-unsupported` where one of them is none that this is known for.
 */
export function withBatchAxis(graph: Graph): Graph {
  const [input] = graph.inputs
  const single = new Set(graph.inputs.map(({ name }) => name))
  const nodes = graph.nodes.map((node): Node => {
    const reads = usedBy(node).filter((name) => single.has(name))
    if (reads.length === 0) return node
    const others = node.inputs.filter((name) => name !== '' && !single.has(name))
    const constants = others.map((name) => graph.initialisers.get(name))
    const axes = intsAttribute(node, 'axes') ?? (constants[0] && numbers(constants[0]))
    if (node.op === 'Unsqueeze' && (axes?.join() === '0' || axes?.join() === '-4'))
      return { ...node, op: 'Identity', inputs: reads, attributes: {} }
    for (const name of node.outputs) single.add(name)
    const order = intsAttribute(node, 'perm')
    if (node.op === 'Transpose' && order?.length === 3)
      return { ...node, attributes: { perm: ints([0, ...order.map((axis) => axis + 1)]) } }
    const isElementwise = ['Cast', 'Identity', 'Add', 'Sub', 'Mul', 'Div'].includes(node.op)
    if (isElementwise && constants.every((value) => value !== undefined && value.shape.length <= 3))
      return node
    throw unsupported(
      `it takes a single picture and begins with the operator ${node.op}, which Kestrel cannot write for several`,
      'Save it with an input for several pictures, [batch, 3, height, width] or [batch, height, width, 3].',
    )
  })
  return { ...graph, inputs: [{ ...input!, shape: ['batch', ...(input!.shape ?? [])] }], nodes }
}

/** Operators that only move numbers about, whatever their type. */
const moving = new Set(['Identity', 'Transpose', 'Reshape', 'Flatten', 'Squeeze', 'Unsqueeze', 'Gather'])
const float32Number = 1

/**
 * A network that takes bytes and makes floats of them before it computes, taking those floats. One that computes with the
 * bytes stays as it is.
 */
export function bytesAsFloats(graph: Graph): Graph {
  const [input] = graph.inputs
  if (input?.type !== 'uint8') return graph
  const bytes = new Set([input.name])
  const nodes: Node[] = []
  for (const node of graph.nodes) {
    const reads = usedBy(node).filter((name) => bytes.has(name))
    const isCast = node.op === 'Cast'
    if (reads.length > 0 && !isCast && node.op !== 'Shape') {
      if (!moving.has(node.op) || reads.length > 1 || node.inputs[0] !== reads[0]) return graph
      for (const name of node.outputs) bytes.add(name)
    }
    const isDone = reads.length > 0 && isCast && intAttribute(node, 'to', 0) === float32Number
    nodes.push(isDone ? { ...node, op: 'Identity', attributes: {} } : node)
  }
  if (graph.outputs.some(({ name }) => bytes.has(name))) return graph
  return { ...graph, inputs: [{ ...input, type: 'float32' }], nodes }
}
