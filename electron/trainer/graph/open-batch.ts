import { KestrelError } from '#shared/errors/index.ts'
import { inferValues } from './infer/index.ts'
import type { Inferred } from './infer/context.ts'
import { int64s } from './tensor.ts'
import { intAttribute, ints, intsAttribute } from './types.ts'
import type { Graph, Node } from './types.ts'

/** What the free first dimension of the input is called. */
const BATCH = 'batch'

const isReshape = (node: Node): boolean => node.op === 'Reshape' && node.domain === ''

/**
 * Networks that were written down for a fixed number of pictures often say that number in their reshapes, too: `[1, 128]`.
 * Where the batch comes first before such a reshape, it does after it: the number becomes −1, or 0 (as it was) where
 * another size is worked out already. What cannot be told stays as it is (`requireOpenBatch`).
 * @param graph its input has the first dimension "batch".
 * @param fixed the number of pictures that it was written for.
 */
export function openReshapes(graph: Graph, fixed: number): Graph {
  // A reshape that is opened tells more about the sizes after it.
  for (let open = graph; ;) {
    const known = inferValues(open)
    const initialisers = new Map(open.initialisers)
    let changed = false
    const nodes = open.nodes.map((node) => {
      const target = isReshape(node) ? openTarget(node, known, fixed) : undefined
      if (target === undefined) return node
      changed = true
      if (intsAttribute(node, 'shape'))
        return { ...node, attributes: { ...node.attributes, shape: ints(target) } }
      const name = freeName(`${node.outputs[0] ?? ''}/open_shape`, open)
      initialisers.set(name, int64s(target))
      return { ...node, inputs: [node.inputs[0]!, name] }
    })
    if (!changed) return open
    open = { ...open, nodes, initialisers }
  }
}

const targetOf = (node: Node, known: ReadonlyMap<string, Inferred>): readonly unknown[] | undefined =>
  intsAttribute(node, 'shape') ?? known.get(node.inputs[1] ?? '')?.content

function openTarget(node: Node, known: ReadonlyMap<string, Inferred>, fixed: number): number[] | undefined {
  const target = targetOf(node, known)
  if (target?.[0] !== fixed || !target.every((size) => typeof size === 'number')) return undefined
  if (known.get(node.inputs[0] ?? '')?.shape?.[0] !== BATCH) return undefined
  const keepsZero = intAttribute(node, 'allowzero', 0) === 1
  const rest = target.slice(1)
  if (!rest.includes(-1)) return keepsZero && rest.includes(0) ? undefined : [-1, ...rest]
  return keepsZero ? undefined : [0, ...rest]
}

function freeName(wanted: string, graph: Graph): string {
  let name = wanted
  while (graph.initialisers.has(name)) name += '_'
  return name
}

/**
 * Training shows a network several pictures at a time.
 * @throws KestrelError `backbone-unsupported` where one of its reshapes is for a fixed number of them.
 */
export function requireOpenBatch(graph: Graph): void {
  const known = inferValues(graph)
  const fixed = graph.nodes.filter(isReshape).find((node) => {
    const [before, after] = [known.get(node.inputs[0] ?? '')?.shape, known.get(node.outputs[0] ?? '')?.shape]
    return before?.includes(BATCH) && after?.every((size) => typeof size === 'number')
  })
  if (fixed === undefined) return
  throw new KestrelError(
    'backbone-unsupported',
    `This network takes a fixed number of pictures at a time ("${fixed.name || fixed.outputs[0]}" reshapes them so), and learning shows it several.`,
  )
}
