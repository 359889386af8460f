import type { OptimiserConfig } from '#shared/domain/training/config.ts'
import { adam } from './adam.ts'
import { adagrad, rmsprop } from './adaptive.ts'
import { momentum, sgd } from './sgd.ts'
import type { Optimiser } from './types.ts'

export type { Optimiser, OptimiserPlace } from './types.ts'

/** The optimiser of a description. */
export function createOptimiser(config: OptimiserConfig): Optimiser {
  switch (config.kind) {
    case 'sgd':
      return sgd()
    case 'momentum':
    case 'nesterov':
      return momentum(config)
    case 'adagrad':
      return adagrad(config)
    case 'rmsprop':
      return rmsprop(config)
    case 'adam':
    case 'adamw':
      return adam(config)
  }
}
