import { KestrelError } from '#shared/errors/index.ts'
import type { GraphBuilder } from '../../graph/builder.ts'
import { elementCount, int64s, scalar } from '../../graph/tensor.ts'
import { int, ints } from '../../graph/types.ts'
import type { Attributes, Node, Tensor } from '../../graph/types.ts'
import type { Layout, Layouts, Shape, Value } from './layouts.ts'

/**
 * Writes down what a node becomes on a device.
 * @returns per output the value that takes its place; `null` for outputs that nobody reads.
 */
export type LoweringRule<Pen = LoweringPen> = (pen: Pen) => (Value | null)[]

/** What is known about the graph that is being lowered. */
export interface LoweringPlace {
  builder: GraphBuilder
  layouts: Layouts
  constants: ConstantPool
  /** Shape of a value of the original graph. @throws KestrelError `internal` where a size is not known. */
  shapeOf: (name: string) => Shape
  /** Entries of a small integer value, where they are known. */
  integersOf: (name: string) => readonly number[] | undefined
  isRead: (output: string) => boolean
}

/** Constants are shared by everything that is written into one graph. */
export class ConstantPool {
  private readonly builder: GraphBuilder
  private readonly known = new Map<string, string>()

  constructor(builder: GraphBuilder) {
    this.builder = builder
  }

  /** `key` must say everything about the value. */
  get(key: string, make: () => Tensor): string {
    const known = this.known.get(key)
    if (known !== undefined) return known
    const name = this.builder.constant(`lowered/${key}`, make())
    this.known.set(key, name)
    return name
  }
}

/** What a lowering rule knows about the node at hand, and the pens it writes with. */
export class LoweringPen {
  readonly node: Node
  protected readonly place: LoweringPlace

  constructor(node: Node, place: LoweringPlace) {
    this.node = node
    this.place = place
  }

  has(index: number): boolean {
    return (this.node.inputs[index] ?? '') !== ''
  }

  /** An input as ONNX has it. */
  input(index: number): Value {
    return this.in(index, 'plain')
  }

  /** An input with the channels last: [batch, height, width, channels]. */
  last(index: number): Value {
    return this.in(index, 'last')
  }

  protected in(index: number, layout: Layout): Value {
    // Says so where a size is not known.
    this.inputShape(index)
    return this.place.layouts.get(this.node.inputs[index] ?? '', layout)
  }

  inputShape(index: number): Shape {
    return this.place.shapeOf(this.node.inputs[index] ?? '')
  }

  outputShape(index = 0): Shape {
    return this.place.shapeOf(this.node.outputs[index] ?? '')
  }

  /** The entries of an integer input where they are known before the graph runs. */
  integersOf(index: number): readonly number[] | undefined {
    return this.place.integersOf(this.node.inputs[index] ?? '')
  }

  /** Whether anything reads this output: gradients that nobody asked for are not computed. */
  wants(output: number): boolean {
    const name = this.node.outputs[output] ?? ''
    return name !== '' && this.place.isRead(name)
  }

  op(type: string, inputs: readonly (Value | string)[], shape: Shape, attributes: Attributes = {}): Value {
    const names = inputs.map((input) => (typeof input === 'string' ? input : input.name))
    const name = this.place.builder.node(type, names, attributes, `${this.node.name || this.node.op}/${type}`)
    return { name, shape, layout: 'plain' }
  }

  /** An element by element operator on a value that lies in any layout; what comes out lies the same way. */
  each(type: string, inputs: readonly (Value | string)[], like: Value, attributes: Attributes = {}): Value {
    return { ...this.op(type, inputs, like.shape, attributes), layout: like.layout }
  }

  number(value: number): string {
    return this.place.constants.get(`number ${value}`, () => scalar(value))
  }

  integers(values: readonly number[]): string {
    return this.place.constants.get(`integers ${values.join(' ')}`, () => int64s(values))
  }

  /** A constant that is the same wherever `key` is. */
  constant(key: string, make: () => Tensor): string {
    return this.place.constants.get(key, make)
  }

  /** A constant that holds one number over and over. */
  filled(shape: Shape, value: number): Value {
    const name = this.constant(`filled ${value} ${shape.join(' ')}`, () => ({
      type: 'float32',
      shape,
      data: new Float32Array(elementCount(shape)).fill(value),
    }))
    return { name, shape, layout: 'plain' }
  }

  add = (a: Value, b: Value | string): Value => this.each('Add', [a, b], a)
  subtract = (a: Value, b: Value | string): Value => this.each('Sub', [a, b], a)
  multiply = (a: Value, b: Value | string): Value => this.each('Mul', [a, b], a)
  divide = (a: Value, b: Value | string): Value => this.each('Div', [a, b], a)

  /** 1 where a condition holds, else 0. */
  mask(type: 'Equal' | 'Greater' | 'GreaterOrEqual', a: Value, b: Value | string): Value {
    return this.each('Cast', [this.each(type, [a, b], a)], a, { to: int(1) })
  }

  reshape(value: Value, shape: Shape): Value {
    if (elementCount(shape) !== elementCount(value.shape))
      throw new KestrelError('internal', `[${value.shape.join(', ')}] is not [${shape.join(', ')}].`)
    return String(shape) === String(value.shape)
      ? value
      : this.op('Reshape', [value, this.integers(shape)], shape)
  }

  transpose(value: Value, order: readonly number[]): Value {
    if (order.every((axis, at) => axis === at)) return value
    const shape = order.map((axis) => value.shape[axis]!)
    return this.op('Transpose', [value], shape, { perm: ints(order) })
  }

  /** `axes` from `from` up to, not including, `to`, every `step`-th. */
  slice(
    value: Value,
    axes: readonly number[],
    from: readonly number[],
    to: readonly number[],
    step: readonly number[] = axes.map(() => 1),
  ): Value {
    const whole = axes.every((axis, at) => from[at] === 0 && to[at]! >= value.shape[axis]! && step[at] === 1)
    if (whole) return value
    const shape = [...value.shape]
    axes.forEach((axis, at) => (shape[axis] = Math.ceil((to[at]! - from[at]!) / step[at]!)))
    const bounds = [from, to, axes, step].map((entry) => this.integers(entry))
    return this.op('Slice', [value, ...bounds], shape)
  }

  /** Adds `before` and `behind` entries along some axes; negative numbers cut off. */
  pad(
    value: Value,
    axes: readonly number[],
    before: readonly number[],
    behind: readonly number[],
    filler = 0,
  ): Value {
    if ([...before, ...behind].every((size) => size === 0)) return value
    const along = (sizes: readonly number[]): number[] =>
      value.shape.map((_, axis) => (axes.includes(axis) ? sizes[axes.indexOf(axis)]! : 0))
    const [first, last] = [along(before), along(behind)]
    const shape = value.shape.map((size, axis) => size + first[axis]! + last[axis]!)
    const filling = filler === 0 ? [] : [this.number(filler)]
    return this.op('Pad', [value, this.integers([...first, ...last]), ...filling], shape)
  }

  concat(values: readonly Value[], axis: number): Value {
    const [first] = values
    if (values.length === 1) return first!
    const total = values.reduce((sum, value) => sum + value.shape[axis]!, 0)
    const shape = first!.shape.map((size, at) => (at === axis ? total : size))
    return this.op('Concat', values, shape, { axis: int(axis) })
  }

  /** Sums over `axes`, which go. */
  sum(value: Value, axes: readonly number[]): Value {
    const shape = value.shape.filter((_, axis) => !axes.includes(axis))
    // A sum over axes of size 1 is a reshape, which costs nothing.
    if (axes.every((axis) => value.shape[axis] === 1)) return this.reshape(value, shape)
    return this.op('ReduceSum', [value, this.integers(axes)], shape, { keepdims: int(0) })
  }

  /** numpy.matmul of values whose leading axes agree. */
  matMul(a: Value, b: Value): Value {
    return this.op('MatMul', [a, b], [...a.shape.slice(0, -1), b.shape.at(-1)!])
  }
}
