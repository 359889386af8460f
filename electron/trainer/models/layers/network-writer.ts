import type { Initialiser } from '#shared/domain/network/index.ts'
import { createRandom } from '#shared/domain/random.ts'
import { GraphBuilder } from '../../graph/builder.ts'
import { elementCount, float32 } from '../../graph/tensor.ts'
import type { Attributes } from '../../graph/types.ts'
import type { Network, Parameter, RunningStatistics } from '../network.ts'
import { drawWeights, type Fans } from './initialisers.ts'

/** A value of the graph and its shape for one picture: `[channels, height, width]`, `[length]` or `[tokens, width]`. */
export interface Flow {
  value: string
  shape: readonly number[]
}

/**
 * Writes a network down: the graph, and beside it what in the graph learns. The pieces that layer specs and published
 * architectures are made of (`convolution.ts`, `normalisation.ts` …) are functions of a writer.
 */
export class NetworkWriter {
  readonly builder: GraphBuilder
  private readonly seed: number
  private readonly parameters: Parameter[] = []
  private readonly statistics: RunningStatistics[] = []
  private started = 0

  /** @param seed of the first weights; each parameter has a sequence of its own. */
  constructor(name: string, seed: number) {
    this.builder = new GraphBuilder(name)
    this.seed = seed
  }

  /** The picture. */
  input(shape: readonly number[]): Flow {
    return {
      value: this.builder.input({ name: 'input', type: 'float32', shape: ['batch', ...shape] }),
      shape,
    }
  }

  /** What is written from here on belongs to a new block. What stands before the first one belongs to that. */
  startBlock(): void {
    this.started++
  }

  weight(name: string, shape: readonly number[], initialiser: Initialiser, fans: Fans): string {
    const random = createRandom(this.seed, `weights ${this.parameters.length} ${name}`)
    return this.parameter(name, shape, 'weight', drawWeights(initialiser, elementCount(shape), fans, random))
  }

  /** A parameter whose numbers are all the same at first. */
  filled(name: string, shape: readonly number[], role: Parameter['role'], value: number): string {
    return this.parameter(name, shape, role, new Float32Array(elementCount(shape)).fill(value))
  }

  /** A parameter of normally distributed numbers. */
  normal(name: string, shape: readonly number[], role: Parameter['role'], deviation: number): string {
    const random = createRandom(this.seed, `weights ${this.parameters.length} ${name}`)
    const values = Float32Array.from({ length: elementCount(shape) }, () => random.normal(0, deviation))
    return this.parameter(name, shape, role, values)
  }

  /** Running mean 0 and variance 1 for so many channels, as Ioffe & Szegedy 2015 begin. */
  runningStatistics(name: string, channels: number): { mean: string; variance: string } {
    return {
      mean: this.builder.constant(`${name}/mean`, float32([channels], new Float32Array(channels))),
      variance: this.builder.constant(
        `${name}/variance`,
        float32([channels], new Float32Array(channels).fill(1)),
      ),
    }
  }

  keepStatistics(statistics: RunningStatistics): void {
    this.statistics.push(statistics)
  }

  /** A node with one output of the given shape. */
  op(
    name: string,
    op: string,
    inputs: readonly string[],
    shape: readonly number[],
    attributes: Attributes = {},
  ): Flow {
    return { value: this.builder.node(op, inputs, attributes, name), shape }
  }

  finish(logits: Flow): Network {
    const shape = ['batch', ...logits.shape]
    this.builder.output(logits.value, { name: 'logits', type: 'float32', shape })
    return { graph: this.builder.build(), parameters: this.parameters, statistics: this.statistics }
  }

  private parameter(
    name: string,
    shape: readonly number[],
    role: Parameter['role'],
    values: Float32Array,
  ): string {
    const constant = this.builder.constant(name, float32(shape, values))
    this.parameters.push({ name: constant, shape, role, block: Math.max(0, this.started - 1) })
    return constant
  }
}
