import type { GraphBuilder } from '../graph/builder.ts'
import { int64s, scalar } from '../graph/tensor.ts'
import { trainingDomain, type TrainingOperator } from '../graph/training-operators.ts'
import { int } from '../graph/types.ts'
import type { Attributes, Node } from '../graph/types.ts'

/**
 * Writes the gradients of a node's inputs down, from those of its outputs.
 * @returns per input the value that holds its gradient, of the input's own shape; null (or nothing) where there is none or
 *   `needs` says that none is wanted.
 */
export type GradientRule = (context: GradientContext) => (string | null)[]

/** What a rule knows about the node at hand, and the pens it writes with. */
export class GradientContext {
  readonly node: Node
  readonly builder: GraphBuilder
  private readonly shapeOf: (name: string) => readonly number[]
  private readonly way: {
    gradient: (output: number) => string | null
    needs: (input: number) => boolean
  }

  constructor(
    node: Node,
    builder: GraphBuilder,
    shapeOf: (name: string) => readonly number[],
    way: { gradient: (output: number) => string | null; needs: (input: number) => boolean },
  ) {
    this.node = node
    this.builder = builder
    this.shapeOf = shapeOf
    this.way = way
  }

  input(index: number): string {
    return this.node.inputs[index] ?? ''
  }

  output(index = 0): string {
    return this.node.outputs[index] ?? ''
  }

  inputShape(index: number): readonly number[] {
    return this.shapeOf(this.input(index))
  }

  outputShape(index = 0): readonly number[] {
    return this.shapeOf(this.output(index))
  }

  /** The gradient of an output, or null where the loss does not depend on it. Most nodes have one output, which has one. */
  gradient(output = 0): string | null {
    return this.way.gradient(output)
  }

  /** The gradient of the first output, which is there whenever a rule of an operator with one output is called. */
  get dy(): string {
    return this.way.gradient(0)!
  }

  needs(input: number): boolean {
    return this.way.needs(input)
  }

  /** A node of ONNX's own operators. */
  op(type: string, inputs: readonly string[], attributes: Attributes = {}): string {
    return this.builder.node(type, inputs, attributes, `gradient/${type}`)
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
    return this.builder.constant('gradient/number', scalar(value))
  }

  integers(values: readonly number[]): string {
    return this.builder.constant('gradient/integers', int64s(values))
  }

  reshape(value: string, shape: readonly number[]): string {
    return this.op('Reshape', [value, this.integers(shape)])
  }

  /** 1.0 where a boolean value is true. */
  mask(condition: string): string {
    return this.op('Cast', [condition], { to: int(1) })
  }

  sum(value: string, axes: readonly number[], keepdims: boolean): string {
    return this.op('ReduceSum', [value, this.integers(axes)], { keepdims: int(keepdims ? 1 : 0) })
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
}
