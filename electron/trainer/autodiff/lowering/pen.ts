import { KestrelError } from '#shared/errors/index.ts'
import type { GraphBuilder } from '../../graph/builder.ts'
import { elementCount, int64s, scalar } from '../../graph/tensor.ts'
import { int, ints } from '../../graph/types.ts'
import type { Attributes, Node, Tensor } from '../../graph/types.ts'

/**
 * Writes down what a training operator becomes on a device.
 * @returns per output of the node the value that takes its place; `null` for outputs that nobody reads.
 */
export type LoweringRule = (pen: LoweringPen) => (string | null)[]

export type Shape = readonly number[]

/** A value together with its shape: what is written needs the sizes all the time. */
export interface Value {
  name: string
  shape: Shape
}

/** Small constants are shared by everything that is written into one graph. */
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
  readonly builder: GraphBuilder
  private readonly constants: ConstantPool
  private readonly valueOf: (name: string) => Value
  private readonly isRead: (output: string) => boolean

  constructor(
    node: Node,
    builder: GraphBuilder,
    constants: ConstantPool,
    {
      valueOf,
      isRead,
    }: {
      /** The value that stands for one of the original graph. */
      valueOf: (name: string) => Value
      isRead: (output: string) => boolean
    },
  ) {
    this.node = node
    this.builder = builder
    this.constants = constants
    this.valueOf = valueOf
    this.isRead = isRead
  }

  input(index: number): Value {
    return this.valueOf(this.node.inputs[index] ?? '')
  }

  /** Whether anything reads this output: gradients that nobody asked for are not computed. */
  wants(output: number): boolean {
    const name = this.node.outputs[output] ?? ''
    return name !== '' && this.isRead(name)
  }

  op(type: string, inputs: readonly (Value | string)[], shape: Shape, attributes: Attributes = {}): Value {
    const names = inputs.map((input) => (typeof input === 'string' ? input : input.name))
    return {
      name: this.builder.node(type, names, attributes, `${this.node.name || this.node.op}/${type}`),
      shape,
    }
  }

  number(value: number): string {
    return this.constants.get(`number ${value}`, () => scalar(value))
  }

  integers(values: readonly number[]): string {
    return this.constants.get(`integers ${values.join(' ')}`, () => int64s(values))
  }

  /** A constant that is the same wherever `key` is. */
  constant(key: string, make: () => Tensor): string {
    return this.constants.get(key, make)
  }

  add = (a: Value, b: Value | string): Value => this.op('Add', [a, b], a.shape)
  subtract = (a: Value, b: Value | string): Value => this.op('Sub', [a, b], a.shape)
  multiply = (a: Value, b: Value | string): Value => this.op('Mul', [a, b], a.shape)
  divide = (a: Value, b: Value | string): Value => this.op('Div', [a, b], a.shape)

  reshape(value: Value, shape: Shape): Value {
    if (elementCount(shape) !== elementCount(value.shape))
      throw new KestrelError('internal', `[${value.shape.join(', ')}] is not [${shape.join(', ')}].`)
    const same =
      shape.length === value.shape.length && shape.every((size, axis) => size === value.shape[axis])
    return same ? value : this.op('Reshape', [value, this.integers(shape)], shape)
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

  /**
   * Adds `before` and `after` entries to the last axes (as many as the lists are long); negative numbers cut off.
   */
  pad(value: Value, before: readonly number[], after: readonly number[], filler = 0): Value {
    if ([...before, ...after].every((size) => size === 0)) return value
    const lead = new Array<number>(value.shape.length - before.length).fill(0)
    const pads = [...lead, ...before, ...lead, ...after]
    const shape = value.shape.map((size, axis) => {
      const at = axis - lead.length
      return at < 0 ? size : size + before[at]! + after[at]!
    })
    const inputs = [value, this.integers(pads), ...(filler === 0 ? [] : [this.number(filler)])]
    return this.op('Pad', inputs, shape)
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

  /** 1 where a condition holds, else 0. */
  mask(type: 'Equal' | 'Greater' | 'Less', a: Value, b: Value | string): Value {
    return this.op('Cast', [this.op(type, [a, b], a.shape)], a.shape, { to: int(1) })
  }
}
