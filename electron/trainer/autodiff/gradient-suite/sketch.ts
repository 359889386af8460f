import { createRandom, type Random } from '#shared/domain/random.ts'
import { GraphBuilder } from '../../graph/builder.ts'
import { inferShapes } from '../../graph/infer/index.ts'
import { elementCount, float32, int64s } from '../../graph/tensor.ts'
import { trainingDomain, type TrainingOperator } from '../../graph/training-operators.ts'
import { int, ints, ownOpset } from '../../graph/types.ts'
import type { Attributes, Tensor } from '../../graph/types.ts'
import type { GradientProblem } from '../gradient-check.ts'

/** What a sketch draws its numbers with, before they are rounded to 32 bits. */
export type Draw = (random: Random) => number

/** From the normal distribution, the default. */
export const normal: Draw = (random) => random.normal()

export const between =
  (low: number, high: number): Draw =>
  (random) =>
    low + (high - low) * random.float()

/**
 * Writes a small graph down together with numbers to try it on. The numbers are representable in 32 bits, so that every
 * engine computes from the same ones.
 */
export class Sketch {
  readonly builder: GraphBuilder
  readonly random: Random
  readonly feeds: Record<string, Tensor> = {}
  readonly values: string[] = []

  constructor(seed: number, name: string, opset: number) {
    this.builder = new GraphBuilder(name, new Map([['', opset]]))
    this.random = createRandom(seed, name)
  }

  private drawn(shape: readonly number[], draw: Draw): Tensor {
    return float32(
      shape,
      Float32Array.from({ length: elementCount(shape) }, () => draw(this.random)),
    )
  }

  /** An input whose gradient is checked. */
  value(name: string, shape: readonly number[], draw: Draw | readonly number[] = normal): string {
    const made = this.given(name, typeof draw === 'function' ? this.drawn(shape, draw) : float32(shape, draw))
    this.values.push(made)
    return made
  }

  /** An input whose gradient nobody asks for. */
  given(wanted: string, tensor: Tensor): string {
    const name = this.builder.input({ name: wanted, type: tensor.type, shape: tensor.shape })
    this.feeds[name] = tensor
    return name
  }

  constant(shape: readonly number[], draw: Draw | readonly number[]): string {
    const tensor = typeof draw === 'function' ? this.drawn(shape, draw) : float32(shape, draw)
    return this.builder.constant('constant', tensor)
  }

  list(...values: number[]): string {
    return this.builder.constant('list', int64s(values))
  }

  op(type: string, inputs: readonly string[], attributes: Attributes = {}): string {
    return this.builder.node(type, inputs, attributes)
  }

  ops(type: string, inputs: readonly string[], outputs: number, attributes: Attributes = {}): string[] {
    return this.builder.nodes(type, inputs, outputs, attributes)
  }

  training(
    type: TrainingOperator,
    inputs: readonly string[],
    outputs: number,
    attributes: Attributes,
  ): string[] {
    return this.builder.nodes(type, inputs, outputs, attributes, { domain: trainingDomain })
  }

  reshape(value: string, ...shape: number[]): string {
    return this.op('Reshape', [value, this.list(...shape)])
  }

  transpose(value: string, ...order: number[]): string {
    return this.op('Transpose', [value], { perm: ints(order) })
  }

  /**
   * One number of everything a value holds, each entry with a weight of its own, so that no part of a gradient can hide in
   * a sum. What is one number already stays.
   */
  weighed(value: string): string {
    const shape = inferShapes(this.builder.build()).get(value)!.shape as number[]
    if (shape.length === 0) return value
    const product = this.op('Mul', [value, this.constant(shape, normal)])
    return this.total(product)
  }

  total(value: string): string {
    return this.op('ReduceSum', [value], { keepdims: int(0) })
  }

  sum(...values: string[]): string {
    return values.reduce((a, b) => this.op('Add', [a, b]))
  }
}

export interface SketchOptions {
  seed?: number
  /** ONNX operator set, where an operator is newer than the set Kestrel writes. */
  opset?: number
}

/** @param draw writes the graph and gives the loss, or a value that is weighed into one. */
export function sketched(
  name: string,
  draw: (sketch: Sketch) => string,
  { seed = 1, opset = ownOpset }: SketchOptions = {},
): GradientProblem {
  const sketch = new Sketch(seed, name, opset)
  const loss = sketch.weighed(draw(sketch))
  sketch.builder.output(loss, { name: 'loss', type: 'float32', shape: [] })
  return { graph: sketch.builder.build(), loss: 'loss', values: sketch.values, feeds: sketch.feeds }
}
