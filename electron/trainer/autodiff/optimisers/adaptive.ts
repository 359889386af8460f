import type { OptimiserConfig } from '#shared/domain/training/config.ts'
import { decayed, FormulaPen } from './pen.ts'
import type { Optimiser, OptimiserPlace } from './types.ts'

/** p − η·rate·g ÷ (√s + ε) as PyTorch writes it, or p − η·rate·g ÷ √(s + ε) as Keras does. */
function scaledStep(
  pen: FormulaPen,
  place: OptimiserPlace,
  squares: string,
  { epsilon, convention, rate = 1 }: { epsilon: number; convention: 'pytorch' | 'keras'; rate?: number },
): string {
  const { gradient, learningRate } = place
  const divisor =
    convention === 'pytorch' ? pen.add(pen.sqrt(squares), epsilon) : pen.sqrt(pen.add(squares, epsilon))
  const step = pen.mul(pen.div(gradient, divisor), rate === 1 ? learningRate : pen.mul(learningRate, rate))
  return pen.sub(decayed(pen, place), step)
}

/** Adagrad (Duchi et al. 2011): s ← s + g². `initial` is added to the slot, which begins with zeros. */
export function adagrad(config: Extract<OptimiserConfig, { kind: 'adagrad' }>): Optimiser {
  return {
    slots: ['squares'],
    scalars: () => ({}),
    build(place) {
      const pen = new FormulaPen(place.builder)
      const sum = pen.add(place.slots['squares']!, pen.square(place.gradient))
      const squares = config.initial === 0 ? sum : pen.add(sum, config.initial)
      return { parameters: scaledStep(pen, place, squares, config), slots: { squares: sum } }
    },
  }
}

/**
 * RMSProp (Tieleman & Hinton 2012, lecture 6.5): s ← ρ·s + (1 − ρ)·g². The slot holds the sum s ÷ (1 − ρ), which takes a
 * pass less; the factor moves into learning rate and ε.
 */
export function rmsprop({
  rho,
  epsilon,
  convention,
}: Extract<OptimiserConfig, { kind: 'rmsprop' }>): Optimiser {
  const root = Math.sqrt(1 - rho)
  const scaled = {
    convention,
    rate: 1 / root,
    epsilon: epsilon / (convention === 'pytorch' ? root : 1 - rho),
  }
  return {
    slots: ['squares'],
    scalars: () => ({}),
    build(place) {
      const pen = new FormulaPen(place.builder)
      const squares = pen.add(pen.mul(place.slots['squares']!, rho), pen.square(place.gradient))
      return { parameters: scaledStep(pen, place, squares, scaled), slots: { squares } }
    },
  }
}
