import { usedBy } from '../graph/edit.ts'
import { numbers } from '../graph/tensor.ts'
import type { Graph, Node } from '../graph/types.ts'
import type { Parameter } from './network.ts'

export type Learnable = Omit<Parameter, 'block'>
type Role = Parameter['role']

/** Operators that only move numbers about: a constant before them is as good as one after them. */
const layout = new Set(['Transpose', 'Reshape', 'Squeeze', 'Unsqueeze', 'Flatten', 'Identity', 'Pad'])
/** … and those that may put several learned constants together. */
const gathering = new Set([...layout, 'Add', 'Concat', 'Expand', 'Tile', 'Slice', 'Gather'])

const isWeighted = (node: Node): boolean =>
  node.domain === '' && ['Conv', 'ConvTranspose', 'Gemm', 'MatMul'].includes(node.op)

/** Inputs that hold learned numbers by the definition of the operator. */
const slots: Readonly<Record<string, readonly (readonly [number, Role])[]>> = {
  Conv: [
    [1, 'weight'],
    [2, 'bias'],
  ],
  ConvTranspose: [
    [1, 'weight'],
    [2, 'bias'],
  ],
  Gemm: [
    [0, 'weight'],
    [1, 'weight'],
    [2, 'bias'],
  ],
  MatMul: [
    [0, 'weight'],
    [1, 'weight'],
  ],
  // Mean and variance (3, 4) are measured, never learned.
  BatchNormalization: [
    [1, 'scale'],
    [2, 'shift'],
  ],
  InstanceNormalization: [
    [1, 'scale'],
    [2, 'shift'],
  ],
  LayerNormalization: [
    [1, 'scale'],
    [2, 'shift'],
  ],
  PRelu: [[1, 'slope']],
  // A token that is repeated for each picture.
  Expand: [[0, 'embedding']],
}

/**
 * Which constants of a network learn, in the order of the graph: weights and biases of Conv, Gemm and MatMul (biases
 * that are added by themselves too), scales and shifts of normalisations, layer scales, slopes of PReLU, position
 * embeddings and tokens. Not: statistics, scaling of the input, masks, single numbers inside formulas, and whatever is
 * not float32.
 */
export function learnableOf(graph: Graph): Learnable[] {
  const makers = new Map(graph.nodes.flatMap((node) => node.outputs.map((name) => [name, node] as const)))
  const found = new Map<string, Learnable>()
  const live = new Set(graph.inputs.map(({ name }) => name))
  /** Values that come after a layer with weights; before the first, constants only scale the picture. */
  const behind = new Set<string>()

  const sourcesOf = (name: string): string[] => {
    const value = graph.initialisers.get(name)
    if (value !== undefined) return value.type === 'float32' ? [name] : []
    const node = makers.get(name)
    if (node === undefined || live.has(name) || node.domain !== '' || !gathering.has(node.op)) return []
    return (['Add', 'Concat'].includes(node.op) ? node.inputs : node.inputs.slice(0, 1)).flatMap(sourcesOf)
  }
  const learn = (name: string, role: Role): void => {
    for (const source of sourcesOf(name)) {
      const shape = graph.initialisers.get(source)?.shape ?? []
      if (!found.has(source)) found.set(source, { name: source, shape, role })
    }
  }
  /** Along how many axes a constant, or the largest of those it is made from, has more than one number. */
  const largestRank = (name: string): number => {
    const ranks = sourcesOf(name).map(
      (source) => graph.initialisers.get(source)?.shape.filter((size) => size > 1).length ?? 0,
    )
    return Math.max(0, ...ranks)
  }
  /** Whether a value comes straight from a layer with weights. */
  const fromWeighted = (name: string): boolean => {
    const node = makers.get(name)
    if (node === undefined) return false
    return isWeighted(node) || (layout.has(node.op) && fromWeighted(node.inputs[0] ?? ''))
  }

  for (const node of graph.nodes) {
    if (!usedBy(node).some((name) => live.has(name))) continue
    const constants = node.inputs.filter((name) => name !== '' && !live.has(name))
    if (node.domain === '') {
      for (const [index, role] of slots[node.op] ?? []) {
        const name = node.inputs[index] ?? ''
        if (live.has(name) || (node.op === 'Expand' && largestRank(name) === 0)) continue
        learn(name, role)
      }
      const data = node.inputs.find((name) => behind.has(name))
      if (data !== undefined)
        for (const name of constants) {
          const role = freeRole(node, largestRank(name), fromWeighted(data))
          if (role !== null && !isMask(name, graph)) learn(name, role)
        }
    }
    const passes = isWeighted(node) || node.inputs.some((name) => behind.has(name))
    for (const name of node.outputs) {
      live.add(name)
      if (passes) behind.add(name)
    }
  }
  return [...found.values()]
}

/** Role of a constant that stands free beside data, by what is done with it. */
function freeRole(node: Node, axes: number, fromWeighted: boolean): Role | null {
  if (axes === 0) return null
  switch (node.op) {
    case 'Add':
      return axes > 1 ? 'embedding' : fromWeighted ? 'bias' : 'shift'
    case 'Mul':
      return 'scale'
    case 'Concat':
      return 'embedding'
    default:
      return null
  }
}

/** Attention masks are added too: 0, or something so low that softmax makes nothing of it. */
function isMask(name: string, graph: Graph): boolean {
  const value = graph.initialisers.get(name)
  return value !== undefined && numbers(value).some((number) => number <= -100)
}
