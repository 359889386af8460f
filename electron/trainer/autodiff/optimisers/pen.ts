import type { GraphBuilder } from '../../graph/builder.ts'
import { Pens } from '../pens.ts'
import type { OptimiserPlace } from './types.ts'

type Term = string | number

/** Arithmetic on values of a graph, written as a formula reads. Numbers become constants. */
export class FormulaPen {
  private readonly pens: Pens

  constructor(builder: GraphBuilder) {
    this.pens = new Pens(builder, 'optimiser')
  }

  add(a: Term, b: Term): string {
    return this.pens.op('Add', [a, b])
  }
  sub(a: Term, b: Term): string {
    return this.pens.op('Sub', [a, b])
  }
  mul(a: Term, b: Term): string {
    return this.pens.op('Mul', [a, b])
  }
  div(a: Term, b: Term): string {
    return this.pens.op('Div', [a, b])
  }
  sqrt(a: string): string {
    return this.pens.op('Sqrt', [a])
  }
  square(a: string): string {
    return this.pens.op('Mul', [a, a])
  }
}

/** The parameters after decoupled weight decay: (1 − η·λ)·p (Loshchilov & Hutter 2019, algorithm 2, line 12). */
export function decayed(pen: FormulaPen, { parameters, learningRate, weightDecay }: OptimiserPlace): string {
  return weightDecay === 0 ? parameters : pen.mul(parameters, pen.sub(1, pen.mul(learningRate, weightDecay)))
}
