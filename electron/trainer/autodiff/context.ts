import { KestrelError } from '#shared/errors/index.ts'
import type { GraphBuilder } from '../graph/builder.ts'
import { broadcast } from '../graph/infer/dimensions.ts'
import { trainingDomain, type TrainingOperator } from '../graph/training-operators.ts'
import { int } from '../graph/types.ts'
import type { Attributes, DataType, Node, Tensor } from '../graph/types.ts'
import type { Pens } from './pens.ts'

/**
 * Writes the gradients of a node's inputs down, from those of its outputs.
 * @returns per input the value that holds its gradient, of the input's own shape (or of a narrower one that `narrow` was
 *   told of); null where the output does not depend on it, or `needs` says that no gradient is wanted. An input that is
 *   needed and left out has no defined gradient: differentiation stops with words.
 */
export type GradientRule = (context: GradientContext) => (string | null | undefined)[]

/** What is known of the values of the forward graph before it runs. */
export interface KnownValues {
  /** @throws KestrelError `operator-unsupported` where a size is not known. */
  shape(name: string): readonly number[]
  type(name: string): DataType | null
  /** Entries of a small integer value. */
  integers(name: string): readonly number[] | undefined
  constant(name: string): Tensor | undefined
}

/** A value, or a number that becomes a constant. */
export type Operand = string | number

/** What a rule knows about the node at hand, and the pens it writes with. */
export class GradientContext {
  readonly node: Node
  readonly builder: GraphBuilder
  private readonly known: KnownValues
  private readonly pens: Pens
  private readonly way: {
    gradient: (output: number) => string | null
    needs: (input: number) => boolean
  }

  constructor(
    node: Node,
    known: KnownValues,
    pens: Pens,
    way: { gradient: (output: number) => string | null; needs: (input: number) => boolean },
  ) {
    this.node = node
    this.builder = pens.builder
    this.known = known
    this.pens = pens
    this.way = way
  }

  input(index: number): string {
    return this.node.inputs[index] ?? ''
  }

  /** Whether an optional input is there. */
  has(index: number): boolean {
    return this.input(index) !== ''
  }

  output(index = 0): string {
    return this.node.outputs[index] ?? ''
  }

  inputShape(index: number): readonly number[] {
    return this.known.shape(this.input(index))
  }

  outputShape(index = 0): readonly number[] {
    return this.known.shape(this.output(index))
  }

  inputType(index: number): DataType | null {
    return this.known.type(this.input(index))
  }

  /** An input with numbers that are written in the graph; undefined where they are computed or fed in. */
  constant(index: number): Tensor | undefined {
    return this.known.constant(this.input(index))
  }

  /** Whether the entries of an integer input are known before the graph runs. */
  knows(index: number): boolean {
    return this.known.integers(this.input(index)) !== undefined
  }

  /** The entries of an integer input such as axes or pads. @throws KestrelError where they are known only when it runs. */
  integers(index: number): readonly number[] {
    const found = this.known.integers(this.input(index))
    if (found === undefined) throw this.refusal('takes sizes that are computed from the picture')
    return found
  }

  /** The error for a form of an operator that has no gradient here: `what` goes on after "it". */
  refusal(what: string): KestrelError {
    const { name, op } = this.node
    return new KestrelError(
      'operator-unsupported',
      `This network uses "${op}" ("${name || this.output()}") in a form that Kestrel cannot train through: it ${what}.`,
      { remedy: 'Use the network frozen, or choose another one.' },
    )
  }

  /** The gradient of an output, or null where the loss does not depend on it. Most nodes have one output, which has one. */
  gradient(output = 0): string | null {
    const found = this.way.gradient(output)
    return found === null ? null : this.pens.widened(found, this.outputShape(output))
  }

  /** The gradient of the first output, which is there whenever a rule of an operator with one output is called. */
  get dy(): string {
    return this.gradient(0)!
  }

  /**
   * The same, perhaps with axes of size 1 along which it is constant: what comes from a mean over a map is one number per
   * map, and a product or a sum with something of full shape spreads it out for nothing.
   */
  get narrowDy(): string {
    return this.way.gradient(0)!
  }

  /** Says that a value is to be repeated along its axes of size 1; differentiation does it where nobody else does. */
  narrow(value: string, shape: readonly number[]): string {
    this.pens.narrow.set(value, shape)
    return value
  }

  needs(input: number): boolean {
    return this.way.needs(input)
  }

  /** dy · factor, as narrow as both are: `shape` is the factor's, and broadcasts to the output's. */
  timesDy(factor: Operand, shape: readonly number[] = this.outputShape()): string {
    if (factor === 1) return this.narrowDy
    const own = this.pens.narrow.get(this.narrowDy) ?? this.outputShape()
    const reached = broadcast([own, typeof factor === 'number' ? [] : shape]) as number[]
    return this.narrow(this.times(this.narrowDy, factor), reached)
  }

  /** value · factor, without work where the factor is 1 or −1. */
  times(value: string, factor: Operand): string {
    return factor === 1 ? value : factor === -1 ? this.neg(value) : this.mul(value, factor)
  }

  /** A node of ONNX's own operators. */
  op(type: string, inputs: readonly Operand[], attributes: Attributes = {}): string {
    return this.pens.op(type, inputs, attributes)
  }

  /** A node of the training operators. */
  training(
    type: TrainingOperator,
    inputs: readonly string[],
    attributes: Attributes = {},
    outputs = 1,
  ): string[] {
    return this.builder.nodes(type, inputs, outputs, attributes, {
      domain: trainingDomain,
      wanted: `gradient/${type}`,
    })
  }

  number(value: number): string {
    return this.pens.number(value)
  }

  list(values: readonly number[]): string {
    return this.pens.integers(values)
  }

  add(a: Operand, b: Operand): string {
    return this.op('Add', [a, b])
  }

  sub(a: Operand, b: Operand): string {
    return this.op('Sub', [a, b])
  }

  mul(a: Operand, b: Operand): string {
    return this.op('Mul', [a, b])
  }

  div(a: Operand, b: Operand): string {
    return this.op('Div', [a, b])
  }

  neg(value: string): string {
    return this.op('Neg', [value])
  }

  reshape(value: string, shape: readonly number[]): string {
    return this.op('Reshape', [value, this.list(shape)])
  }

  /** 1.0 where a boolean value is true. */
  mask(condition: string): string {
    return this.op('Cast', [condition], { to: int(1) })
  }

  /** 1.0 where a > b. */
  above(a: Operand, b: Operand): string {
    return this.mask(this.op('Greater', [a, b]))
  }

  /** 1.0 where a equals b. */
  equal(a: Operand, b: Operand): string {
    return this.mask(this.op('Equal', [a, b]))
  }

  sum(value: string, axes: readonly number[], keepdims: boolean): string {
    // Without axes ONNX would sum over all of them.
    if (axes.length === 0) return value
    return this.op('ReduceSum', [value, this.list(axes)], { keepdims: int(keepdims ? 1 : 0) })
  }

  mean(value: string, axes: readonly number[], keepdims: boolean): string {
    if (axes.length === 0) return value
    return this.op('ReduceMean', [value, this.list(axes)], { keepdims: int(keepdims ? 1 : 0) })
  }

  /** Undoes broadcasting: sums over the axes along which a value of shape `to` was repeated to become `from`. */
  unbroadcast(value: string, from: readonly number[], to: readonly number[]): string {
    const lead = from.length - to.length
    const axes = from.flatMap((size, axis) =>
      axis < lead || (to[axis - lead] === 1 && size !== 1) ? [axis] : [],
    )
    if (axes.length === 0) return value
    const summed = this.sum(value, axes, true)
    return lead === 0 ? summed : this.reshape(summed, to)
  }

  /** The rows `start` … of an axis. */
  cut(value: string, axis: number, start: number, length: number): string {
    return this.op('Slice', [value, this.list([start]), this.list([start + length]), this.list([axis])])
  }

  /** Zeros before and behind along an axis of a value of `rank` axes. */
  surround(value: string, rank: number, axis: number, before: number, behind: number): string {
    if (before === 0 && behind === 0) return value
    const pads = new Array<number>(rank * 2).fill(0)
    pads[axis] = before
    pads[axis + rank] = behind
    return this.op('Pad', [value, this.list(pads)])
  }

  /** Back to front along an axis. */
  flip(value: string, axis: number): string {
    // Any end before the first row: −1 would be the last one.
    const beforeFirst = -(2 ** 31)
    const [start, end, axes, steps] = [[-1], [beforeFirst], [axis], [-1]].map((each) => this.list(each))
    return this.op('Slice', [value, start!, end!, axes!, steps!])
  }

  zeros(shape: readonly number[]): string {
    return this.op('ConstantOfShape', [this.list(shape)])
  }
}
