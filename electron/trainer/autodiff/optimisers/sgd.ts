import type { OptimiserConfig } from '#shared/domain/training/config.ts'
import { decayed, FormulaPen } from './pen.ts'
import type { Optimiser } from './types.ts'

/** Plain gradient descent: p − η·g. */
export function sgd(): Optimiser {
  return {
    slots: [],
    scalars: () => ({}),
    build(place) {
      const pen = new FormulaPen(place.builder)
      return {
        parameters: pen.sub(decayed(pen, place), pen.mul(place.learningRate, place.gradient)),
        slots: {},
      }
    },
  }
}

type MomentumConfig = Extract<OptimiserConfig, { kind: 'momentum' | 'nesterov' }>

/**
 * Momentum (Polyak 1964) and Nesterov's form of it (Sutskever et al. 2013).
 *
 * `pytorch`: v ← μ·v + g; p ← p − η·v, with Nesterov p − η·(g + μ·v). `keras`: v ← μ·v − η·g; p ← p + v, with Nesterov
 * p + μ·v − η·g. They are the same while the learning rate stays; when it changes, the first scales the whole way
 * gathered so far and the second only what comes.
 */
export function momentum({ kind, momentum: share, convention }: MomentumConfig): Optimiser {
  const nesterov = kind === 'nesterov'
  return {
    slots: ['momentum'],
    scalars: () => ({}),
    build(place) {
      const { builder, gradient, learningRate, slots } = place
      const pen = new FormulaPen(builder)
      const from = decayed(pen, place)
      const kept = pen.mul(slots['momentum']!, share)
      if (convention === 'pytorch') {
        const next = pen.add(kept, gradient)
        const direction = nesterov ? pen.add(gradient, pen.mul(next, share)) : next
        return { parameters: pen.sub(from, pen.mul(learningRate, direction)), slots: { momentum: next } }
      }
      const step = pen.mul(learningRate, gradient)
      const next = pen.sub(kept, step)
      const way = nesterov ? pen.sub(pen.mul(next, share), step) : next
      return { parameters: pen.add(from, way), slots: { momentum: next } }
    },
  }
}
