import { KestrelError } from '#shared/errors/index.ts'
import { useCounts } from '../../edit.ts'
import { inferShapes } from '../../infer/index.ts'
import { elementCount, float32, numbers, toFloat32, transpose } from '../../tensor.ts'
import type { Dimension, Graph, Node, Tensor } from '../../types.ts'
import { attr, GraphDef } from './graph-def.ts'

/** ONNX's [batch, channels, height, width] as TF.js wants it, and back. */
export const toLast = [0, 2, 3, 1] as const
export const toFirst = [0, 3, 1, 2] as const

/** Axis of a channels-first value in its channels-last form. */
export const lastAxis = (axis: number): number => [0, 3, 1, 2][axis] ?? axis

interface Placed {
  /** As in the ONNX graph. */
  first?: string
  /** Four-dimensional values with channels last. */
  last?: string
}

/**
 * Carries an ONNX graph over to TF.js. Values with four dimensions are kept channels-last; where an operator's meaning
 * hangs on the order, they are turned first, once. Values live under their ONNX names on this side.
 */
export class Emitter {
  readonly out = new GraphDef()
  readonly graph: Graph
  private readonly shapes: ReturnType<typeof inferShapes>
  private readonly uses: Map<string, number>
  private readonly consumers = new Map<string, Node[]>()
  private readonly placed = new Map<string, Placed>()
  private readonly absorbed = new Set<Node>()

  constructor(graph: Graph) {
    this.graph = graph
    this.shapes = inferShapes(graph)
    this.uses = useCounts(graph)
    for (const node of graph.nodes) {
      for (const name of node.inputs) this.consumers.set(name, [...(this.consumers.get(name) ?? []), node])
    }
  }

  shape(name: string | undefined, node?: Node): readonly Dimension[] {
    const shape = this.shapes.get(name ?? '')?.shape
    if (shape === null || shape === undefined) {
      throw unsupported(node?.op ?? 'value', name ?? '', 'its shape cannot be told beforehand')
    }
    return shape
  }

  rank(name: string | undefined, node?: Node): number {
    return this.shape(name, node).length
  }

  /** Sizes of [height, width] of a picture-like value. */
  spatial(name: string | undefined, node: Node): [number, number] {
    const [, , height, width] = this.shape(name, node)
    if (typeof height !== 'number' || typeof width !== 'number') {
      throw unsupported(node.op, node.name, 'the size of its picture is not fixed')
    }
    return [height, width]
  }

  /** Shape with the batch open, for TensorFlow's Reshape: at most one size may be unknown. */
  target(name: string | undefined, node: Node): number[] {
    const sizes = this.shape(name, node).map((size) => (typeof size === 'number' ? size : -1))
    if (sizes.filter((size) => size === -1).length > 1) {
      throw unsupported(node.op, node.name, 'more than one of its sizes is not fixed')
    }
    return sizes
  }

  constant(name: string | undefined): Tensor | undefined {
    return name === undefined || name === '' ? undefined : this.graph.initialisers.get(name)
  }

  /** Numbers of a constant input; throws when it is computed. */
  numbers(name: string | undefined, node: Node): number[] {
    const value = this.constant(name)
    if (value === undefined) throw unsupported(node.op, node.name, 'a part that must be constant is computed')
    return numbers(value)
  }

  /** The value in ONNX's order. */
  first(name: string): string {
    const at = this.at(name)
    if (at.first !== undefined) return at.first
    if (at.last === undefined) throw new KestrelError('internal', `The value "${name}" was not written yet.`)
    at.first = this.turn(at.last, toFirst, name)
    return at.first
  }

  /** The value with channels last; the same as `first` for all but four dimensions. */
  last(name: string): string {
    if (this.rank(name) !== 4) return this.first(name)
    const at = this.at(name)
    if (at.last !== undefined) return at.last
    if (at.first === undefined) throw new KestrelError('internal', `The value "${name}" was not written yet.`)
    at.last = this.turn(at.first, toLast, name)
    return at.last
  }

  /** Whether the value is there with channels last already. */
  isLast(name: string): boolean {
    return this.placed.get(name)?.last !== undefined
  }

  setFirst(name: string | undefined, value: string): void {
    this.placed.set(name ?? '', { first: value })
  }

  setLast(name: string | undefined, value: string): void {
    if (this.rank(name) === 4) this.placed.set(name ?? '', { last: value })
    else this.setFirst(name, value)
  }

  private turn(value: string, order: readonly number[], name: string): string {
    const perm = this.out.ints(order, `${name}/order`)
    return this.out.add('Transpose', [value, perm], { Tperm: attr.int32 }, `${name}/turned`)
  }

  private at(name: string): Placed {
    const known = this.placed.get(name)
    if (known !== undefined) return known
    const value = this.constant(name)
    if (value === undefined) throw new KestrelError('internal', `The value "${name}" was not written yet.`)
    const placed = { first: this.out.floats(toFloat32(value), value.shape, name) }
    this.placed.set(name, placed)
    return placed
  }

  /** A constant that broadcasts over values of `rank` dimensions, with channels last when that is 4. */
  operand(name: string, rank: number, channelsLast: boolean): string {
    const value = this.constant(name)
    if (value === undefined || !channelsLast || rank !== 4)
      return channelsLast ? this.last(name) : this.first(name)
    const padded = [...new Array<number>(4 - value.shape.length).fill(1), ...value.shape]
    const turned = transpose(float32(padded, toFloat32(value)), toLast)
    if (elementCount(value.shape) === 1) return this.out.floats(turned.data, [], name)
    return this.out.floats(turned.data, turned.shape, name)
  }

  /** The only node that reads `name`, when there is exactly one and it is not an output. */
  onlyConsumer(name: string | undefined): Node | undefined {
    if (this.uses.get(name ?? '') !== 1) return undefined
    return this.consumers.get(name ?? '')?.[0]
  }

  /** Marks a node as done by the one before it. */
  absorb(node: Node): void {
    this.absorbed.add(node)
  }

  isAbsorbed(node: Node): boolean {
    return this.absorbed.has(node)
  }
}

export const unsupported = (op: string, name: string, what: string): KestrelError =>
  new KestrelError(
    'operator-unsupported',
    `This network cannot be written for TensorFlow.js: ${what} (${op}${name === '' ? '' : `, "${name}"`}).`,
    { remedy: 'Export it as ONNX.' },
  )

export type Write = (node: Node, emitter: Emitter) => void
