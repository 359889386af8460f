import type { OptimiserConfig } from '#shared/domain/training/config.ts'
import { decayed, FormulaPen } from './pen.ts'
import type { Optimiser } from './types.ts'

type AdamConfig = Extract<OptimiserConfig, { kind: 'adam' | 'adamw' }>

/**
 * Adam (Kingma & Ba 2015, algorithm 1) and, with weight decay, AdamW (Loshchilov & Hutter 2019).
 *
 * m ← β₁·m + (1 − β₁)·g; v ← β₂·v + (1 − β₂)·g². `pytorch` adds ε to √v̂, after the bias correction:
 * p − η·m̂ ÷ (√v̂ + ε). `keras` adds it before, "ε̂" of the paper: p − η·√(1 − β₂ᵗ) ÷ (1 − β₁ᵗ) · m ÷ (√v + ε).
 *
 * A step is bound by memory, so every pass over the vectors counts: the slots hold the sums M = m ÷ (1 − β₁) and
 * V = v ÷ (1 − β₂), which need no factor for what comes in, and all other factors are gathered in two numbers,
 * p − η·rate · M ÷ (√V + epsilon), computed outside in 64 bits (1 − β₂ᵗ has few digits left in 32).
 */
export function adam({ beta1, beta2, epsilon, convention }: AdamConfig): Optimiser {
  return {
    slots: ['first', 'second'],
    scalars(step): Record<string, number> {
      const first = 1 - beta1 ** step
      const second = Math.sqrt(1 - beta2 ** step)
      const root = Math.sqrt(1 - beta2)
      return {
        rate: ((1 - beta1) / first) * (second / root),
        epsilon: (convention === 'pytorch' ? epsilon * second : epsilon) / root,
      }
    },
    build(place) {
      const { builder, gradient, learningRate, slots, scalars } = place
      const pen = new FormulaPen(builder)
      const first = pen.add(pen.mul(slots['first']!, beta1), gradient)
      const second = pen.add(pen.mul(slots['second']!, beta2), pen.square(gradient))
      const direction = pen.div(first, pen.add(pen.sqrt(second), scalars['epsilon']!))
      const step = pen.mul(direction, pen.mul(learningRate, scalars['rate']!))
      return { parameters: pen.sub(decayed(pen, place), step), slots: { first, second } }
    },
  }
}
