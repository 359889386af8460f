import type { OptimiserConfig } from '#shared/domain/training/config.ts'
import { decayed, FormulaPen } from './pen.ts'
import type { Optimiser, OptimiserPlace } from './types.ts'

/** p − η·g ÷ (√s + ε) as PyTorch writes it, or p − η·g ÷ √(s + ε) as Keras does. */
function scaledStep(
  pen: FormulaPen,
  place: OptimiserPlace,
  squares: string,
  { epsilon, convention }: { epsilon: number; convention: 'pytorch' | 'keras' },
): string {
  const divisor =
    convention === 'pytorch' ? pen.add(pen.sqrt(squares), epsilon) : pen.sqrt(pen.add(squares, epsilon))
  return pen.sub(decayed(pen, place), pen.div(pen.mul(place.learningRate, place.gradient), divisor))
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

/** RMSProp (Tieleman & Hinton 2012, lecture 6.5): s ← ρ·s + (1 − ρ)·g². */
export function rmsprop(config: Extract<OptimiserConfig, { kind: 'rmsprop' }>): Optimiser {
  return {
    slots: ['squares'],
    scalars: () => ({}),
    build(place) {
      const pen = new FormulaPen(place.builder)
      const squares = pen.blend(place.slots['squares']!, pen.square(place.gradient), config.rho)
      return { parameters: scaledStep(pen, place, squares, config), slots: { squares } }
    },
  }
}
