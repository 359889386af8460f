import { z } from 'zod'
import { earlyStoppingSchema } from './early-stopping.ts'
import { limited, limitedOr, type Limit } from './limits.ts'

/**
 * What keeps a network from learning its pictures by heart. Everything is off by default.
 */
export const regularisationLimits = {
  l1: { name: 'The L1 strength', min: 0, max: 10, default: 0 },
  l2: { name: 'The L2 strength', min: 0, max: 10, default: 0 },
  weightDecay: { name: 'The weight decay', min: 0, max: 10, default: 0 },
  clipNorm: { name: 'The greatest length of the gradient', min: 1e-6, max: 1e6, default: 1 },
  averageDecay: { name: 'The decay of the averaged weights', min: 0, max: 0.999999, default: 0.999 },
  mixup: { name: 'The strength of mixup (α)', min: 0, max: 10, default: 0 },
  cutmix: { name: 'The strength of cutmix (α)', min: 0, max: 10, default: 0 },
} as const satisfies Record<string, Limit>

const limits = regularisationLimits

export const regularisationSchema = z.strictObject({
  /** λ·Σ|w|, added to the gradient. */
  l1: limitedOr(limits.l1),
  /**
   * ½·λ·Σw², added to the gradient and so rescaled with it by Adam and its kin. PyTorch's `weight_decay` outside AdamW is
   * this number; Keras' `L2(x)` is λ = 2·x.
   */
  l2: limitedOr(limits.l2),
  /** Decoupled (Loshchilov & Hutter 2019): each step takes this share, times the learning rate, off the weights. */
  weightDecay: limitedOr(limits.weightDecay),
  /** Longest gradient (Euclidean norm over all parameters); longer ones are scaled down. Null: any. */
  clipNorm: limited(limits.clipNorm).nullable().default(null),
  /** Decay of the exponential moving average of the weights that is used in the end; null: none. */
  averageDecay: limited(limits.averageDecay).nullable().default(null),
  /** Beta(α, α) of mixup (Zhang et al. 2018); 0: off. With cutmix, each batch is mixed the one way or the other, evenly. */
  mixup: limitedOr(limits.mixup),
  /** Beta(α, α) of cutmix (Yun et al. 2019); 0: off. */
  cutmix: limitedOr(limits.cutmix),
  earlyStopping: earlyStoppingSchema.nullable().default(null),
})
export type Regularisation = z.infer<typeof regularisationSchema>

/**
 * Decay of the moving average of the weights at a step: min(decay, t / (t + 9)), so that it looks back no further than
 * about a tenth of the training so far, as TensorFlow's `ExponentialMovingAverage` with `num_updates`. Otherwise a short
 * training would end with its first weights still in the average.
 * @param step counted from 1.
 */
export const averageDecayAt = (decay: number, step: number): number => Math.min(decay, step / (step + 9))
