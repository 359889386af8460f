import type { OptimiserConfig } from '#shared/domain/training/config.ts'
import { decayed, FormulaPen } from './pen.ts'
import type { Optimiser } from './types.ts'

type AdamConfig = Extract<OptimiserConfig, { kind: 'adam' | 'adamw' }>

/**
 * Adam (Kingma & Ba 2015, algorithm 1) and, with weight decay, AdamW (Loshchilov & Hutter 2019).
 *
 * m ← β₁·m + (1 − β₁)·g; v ← β₂·v + (1 − β₂)·g². `pytorch` adds ε to √v̂, after the bias correction:
 * p − η·m̂ ÷ (√v̂ + ε). `keras` adds it before, "ε̂" of the paper: p − η·√(1 − β₂ᵗ) ÷ (1 − β₁ᵗ) · m ÷ (√v + ε).
 * The corrections come from outside in 64 bits: 1 − β₂ᵗ has few digits left in 32.
 */
export function adam({ beta1, beta2, epsilon, convention }: AdamConfig): Optimiser {
  const corrections = (step: number): { first: number; second: number } => ({
    first: 1 - beta1 ** step,
    second: Math.sqrt(1 - beta2 ** step),
  })
  return {
    slots: ['first', 'second'],
    scalars(step): Record<string, number> {
      const { first, second } = corrections(step)
      return convention === 'pytorch'
        ? { first_factor: 1 / first, second_factor: 1 / second }
        : { rate_factor: second / first }
    },
    build(place) {
      const { builder, gradient, learningRate, slots, scalars } = place
      const pen = new FormulaPen(builder)
      const first = pen.blend(slots['first']!, gradient, beta1)
      const second = pen.blend(slots['second']!, pen.square(gradient), beta2)
      const root = pen.sqrt(second)
      const step =
        convention === 'pytorch'
          ? pen.div(
              pen.mul(first, pen.mul(learningRate, scalars['first_factor']!)),
              pen.add(pen.mul(root, scalars['second_factor']!), epsilon),
            )
          : pen.div(pen.mul(first, pen.mul(learningRate, scalars['rate_factor']!)), pen.add(root, epsilon))
      return { parameters: pen.sub(decayed(pen, place), step), slots: { first, second } }
    },
  }
}
