import { KestrelError } from '#shared/errors/index.ts'
import { BATCH, batchAxes, batchPlace, mixesPictures, ordersOf, type Orders } from './batch-axis.ts'
import { dependents } from './edit.ts'
import { elementwiseRules } from './infer/elementwise.ts'
import { inferValues } from './infer/index.ts'
import type { Inferred, Shape } from './infer/context.ts'
import { positiveAxis } from './infer/dimensions.ts'
import { int64s } from './tensor.ts'
import { int, intAttribute, ints, intsAttribute } from './types.ts'
import type { Graph, Node, Tensor } from './types.ts'

type Known = ReadonlyMap<string, Inferred>

const isReshape = (node: Node): boolean => node.op === 'Reshape' && node.domain === ''

/**
 * Networks that were written down for a fixed number of pictures say that number in their reshapes, too (`[1, 128]`, or
 * `[17, 4, 16]` for tokens and the heads of one picture), and put tokens of one picture beside it. Where the batch can be
 * followed in memory, the reshapes get −1 in its place and constants beside it are repeated. What cannot be told stays as
 * it is (`requireOpenBatch`).
 * @param graph its input has the first dimension "batch".
 * @param fixed the number of pictures that it was written for.
 */
export function openBatch(graph: Graph, fixed: number): Graph {
  const whole = opened(graph, fixed, true)
  return whole !== graph && mixes(whole) ? opened(graph, fixed, false) : whole
}

function mixes(graph: Graph): boolean {
  const known = inferValues(graph)
  const opset = graph.opsets.get('') ?? 1
  return graph.nodes.some((node) => mixesPictures(node, opset, known))
}

/** @param everywhere also where the batch does not come first. */
function opened(graph: Graph, fixed: number, everywhere: boolean): Graph {
  // What is opened tells more about the sizes after it.
  for (let open = graph; ;) {
    const known = inferValues(open)
    const orders = ordersOf(open.nodes, known)
    const pen = new Pen(open)
    const depends = everywhere && fixed === 1 ? dependents(open) : undefined
    const nodes = open.nodes.flatMap((node) => {
      if (isReshape(node)) {
        const target =
          firstOpened(node, known, fixed) ?? (everywhere ? placed(node, known, orders, fixed) : undefined)
        return [target === undefined ? node : pen.reshaped(node, target)]
      }
      return depends === undefined ? [node] : pen.joined(node, known, depends)
    })
    if (!pen.changed) return open
    open = { ...open, nodes, initialisers: pen.initialisers }
  }
}

const targetOf = (node: Node, known: Known): readonly unknown[] | undefined =>
  intsAttribute(node, 'shape') ?? known.get(node.inputs[1] ?? '')?.content

/** Where the batch comes first before a reshape, it does after it: −1, or 0 (as it was) where another size is worked out. */
function firstOpened(node: Node, known: Known, fixed: number): number[] | undefined {
  const target = targetOf(node, known)
  if (target?.[0] !== fixed || !target.every((size) => typeof size === 'number')) return undefined
  if (known.get(node.inputs[0] ?? '')?.shape?.[0] !== BATCH) return undefined
  const keepsZero = intAttribute(node, 'allowzero', 0) === 1
  const rest = target.slice(1)
  if (!rest.includes(-1)) return keepsZero && rest.includes(0) ? undefined : [-1, ...rest]
  return keepsZero ? undefined : [0, ...rest]
}

/**
 * Anywhere else it comes where it stands in memory: as an axis of its own where there is one, otherwise together with the
 * axis after it (heads), or with the one before where that would be the last (rows of a product).
 */
function placed(node: Node, known: Known, orders: Orders, fixed: number): number[] | undefined {
  const before = known.get(node.inputs[0] ?? '')?.shape
  const after = known.get(node.outputs[0] ?? '')?.shape
  const place = batchPlace(before, orders)
  if (place === undefined || !isFixed(after)) return undefined
  const outside = after.map((_, axis) => after.slice(0, axis).reduce((a, b) => a * b, 1))
  const holds = (axis: number): boolean => after[axis]! > 0 && after[axis]! % fixed === 0
  const axes = [...after.keys()]
  const own = axes.filter((axis) => after[axis] === fixed && outside[axis] === place)
  const behind = axes.find((axis) => axis < after.length - 1 && outside[axis] === place && holds(axis))
  const ahead = axes.find((axis) => (outside[axis]! * after[axis]!) / fixed === place && holds(axis))
  const [asBefore] = batchAxes(before)
  const found = own.find((axis) => axis === asBefore) ?? own[0] ?? behind ?? ahead
  if (found === undefined || after.includes(0)) return undefined
  return after.with(found, -1)
}

const isFixed = (shape: Shape | undefined): shape is readonly number[] =>
  shape?.every((size) => typeof size === 'number') ?? false

/** Changes nodes and writes down the constants that they then need. */
class Pen {
  readonly initialisers: Map<string, Tensor>
  changed = false
  private readonly taken: Set<string>

  constructor(graph: Graph) {
    this.initialisers = new Map(graph.initialisers)
    this.taken = new Set([
      ...graph.inputs.map(({ name }) => name),
      ...graph.initialisers.keys(),
      ...graph.nodes.flatMap(({ outputs }) => outputs),
    ])
  }

  private name(wanted: string): string {
    let name = wanted
    while (this.taken.has(name)) name += '_'
    this.taken.add(name)
    return name
  }

  private list(wanted: string, values: readonly number[]): string {
    const name = this.name(wanted)
    this.initialisers.set(name, int64s(values))
    return name
  }

  reshaped(node: Node, target: readonly number[]): Node {
    this.changed = true
    if (intsAttribute(node, 'shape'))
      return { ...node, attributes: { ...node.attributes, shape: ints(target) } }
    return { ...node, inputs: [node.inputs[0]!, this.list(`${node.outputs[0] ?? ''}/open_shape`, target)] }
  }

  /** Repeats the constants of one picture that a node puts beside a batch. */
  joined(node: Node, known: Known, depends: ReadonlySet<string>): Node[] {
    if (node.op !== 'Concat' || node.domain !== '') return [node]
    const shapes = node.inputs.map((name) => known.get(name)?.shape)
    const beside = shapes.findIndex((shape) => shape?.includes(BATCH))
    const rank = shapes[beside]?.length ?? 0
    const axis = shapes[beside]?.indexOf(BATCH) ?? -1
    if (axis === -1 || positiveAxis(intAttribute(node, 'axis', 1), rank) === axis) return [node]
    const needs = (index: number): boolean =>
      shapes[index]?.length === rank && shapes[index][axis] === 1 && !depends.has(node.inputs[index]!)
    if (!node.inputs.some((_, index) => needs(index))) return [node]
    this.changed = true
    const base = node.outputs[0] ?? ''
    const made: Node[] = []
    const add = (
      op: string,
      inputs: string[],
      wanted: string,
      attributes: Node['attributes'] = {},
    ): string => {
      const name = this.name(`${base}/${wanted}`)
      made.push({ name, op, domain: '', inputs, outputs: [name], attributes })
      return name
    }
    const at = this.list(`${base}/batch_axis`, [axis])
    const sizes = add('Shape', [node.inputs[beside]!], 'sizes')
    const pictures = add('Gather', [sizes, at], 'pictures', { axis: int(0) })
    const single = (count: number): string[] =>
      count === 0 ? [] : [this.list(`${base}/single`, new Array<number>(count).fill(1))]
    const parts = [...single(axis), pictures, ...single(rank - axis - 1)]
    const shape = add('Concat', parts, 'for_each', { axis: int(0) })
    const inputs = node.inputs.map((name, index) =>
      needs(index) ? add('Expand', [name, shape], 'repeated') : name,
    )
    return [...made, { ...node, inputs }]
  }
}

/** Operators that do not take the batch away by themselves: where it is gone after them, a size was written down. */
const keepsBatch = ({ op, domain }: Node): boolean =>
  domain === '' && (['Reshape', 'Concat', 'MatMul'].includes(op) || Object.hasOwn(elementwiseRules, op))

/**
 * Training shows a network several pictures at a time.
 * @throws KestrelError `backbone-unsupported` where one of its nodes is for a fixed number of them.
 */
export function requireOpenBatch(graph: Graph): void {
  const known = inferValues(graph)
  const answers = new Set(graph.outputs.map(({ name }) => name))
  const fixed = graph.nodes.find((node) => {
    const [name = ''] = node.outputs
    const after = known.get(name)
    const [first = null] = after?.shape ?? []
    if (answers.has(name) && first !== null && first !== BATCH) return true
    if (after?.type !== 'float32' || !isFixed(after.shape) || !keepsBatch(node)) return false
    return node.inputs.some((name) => batchAxes(known.get(name)?.shape).length > 0)
  })
  if (fixed === undefined) return
  const name = `"${fixed.name || fixed.outputs[0]}"`
  throw new KestrelError(
    'backbone-unsupported',
    `This network takes a fixed number of pictures at a time (${name} ${
      isReshape(fixed) ? 'reshapes them so' : `(${fixed.op}) is written for it`
    }), and learning shows it several.`,
    { remedy: dynamicRemedy },
  )
}

const dynamicRemedy =
  "Export it again with a free (dynamic) batch, in PyTorch with dynamic_axes={'input': {0: 'batch'}}; or train with Quick, which uses the network as it is."
