import type { GraphBuilder } from '../../graph/builder.ts'
import { scalar } from '../../graph/tensor.ts'
import type { OptimiserPlace } from './types.ts'

/** Arithmetic on values of a graph, written as a formula reads. Numbers become constants. */
export class FormulaPen {
  private readonly builder: GraphBuilder

  constructor(builder: GraphBuilder) {
    this.builder = builder
  }

  add(a: string | number, b: string | number): string {
    return this.op('Add', a, b)
  }
  sub(a: string | number, b: string | number): string {
    return this.op('Sub', a, b)
  }
  mul(a: string | number, b: string | number): string {
    return this.op('Mul', a, b)
  }
  div(a: string | number, b: string | number): string {
    return this.op('Div', a, b)
  }
  sqrt(a: string): string {
    return this.op('Sqrt', a)
  }
  square(a: string): string {
    return this.op('Mul', a, a)
  }
  /** share · old + (1 − share) · new */
  blend(old: string, fresh: string, share: number): string {
    return this.add(this.mul(old, share), this.mul(fresh, 1 - share))
  }

  private op(type: string, ...inputs: (string | number)[]): string {
    const names = inputs.map((input) =>
      typeof input === 'string' ? input : this.builder.constant('optimiser/number', scalar(input)),
    )
    return this.builder.node(type, names, {}, `optimiser/${type}`)
  }
}

/** The parameters after decoupled weight decay: p − η·λ·p (Loshchilov & Hutter 2019, algorithm 2, line 12). */
export function decayed(pen: FormulaPen, { parameters, learningRate, weightDecay }: OptimiserPlace): string {
  return weightDecay === 0
    ? parameters
    : pen.sub(parameters, pen.mul(parameters, pen.mul(learningRate, weightDecay)))
}
