import { z } from 'zod'
import { kindOf, limitedOr, type Limit, type Words } from './limits.ts'

/**
 * How a gradient becomes a step. The default convention is PyTorch's, which is also how the papers write the methods. Where
 * Keras writes an update differently, `convention: 'keras'` follows it to the digit, so that a recipe copied from there
 * learns as it did there. θ are the parameters, g the gradient, η the learning rate.
 *
 * | kind | step | where Keras differs |
 * |---|---|---|
 * | `sgd` | θ ← θ − η·g | – |
 * | `momentum` (Polyak 1964) | b ← μ·b + g; θ ← θ − η·b | the rate inside: v ← μ·v − η·g; θ ← θ + v. The same while η stays |
 * | `nesterov` (Sutskever et al. 2013) | b ← μ·b + g; θ ← θ − η·(g + μ·b) | v as above; θ ← θ + μ·v − η·g |
 * | `adagrad` (Duchi et al. 2011) | s ← s + g²; θ ← θ − η·g / (√s + ε), s from `initial` | ε inside: √(s + ε) |
 * | `rmsprop` (Tieleman & Hinton 2012) | v ← ρ·v + (1−ρ)·g²; θ ← θ − η·g / (√v + ε) | ε inside: √(v + ε) |
 * | `adam` (Kingma & Ba 2015, algorithm 1) | m ← β₁·m + (1−β₁)·g; v ← β₂·v + (1−β₂)·g²; θ ← θ − η·m̂ / (√v̂ + ε), m̂ = m/(1−β₁ᵗ), v̂ = v/(1−β₂ᵗ) | ε beside the uncorrected √v (the paper's ε̂, end of section 2): θ ← θ − η·√(1−β₂ᵗ)/(1−β₁ᵗ) · m / (√v + ε) |
 * | `adamw` (Loshchilov & Hutter 2019) | θ ← (1 − η·λ)·θ, then as `adam`; λ is the weight decay of the regularisation | as `adam` |
 */
export const conventions = ['pytorch', 'keras'] as const
export type Convention = (typeof conventions)[number]

const share = (name: string, value: number): Limit => ({ name, min: 0, max: 0.999999, default: value })

export const optimiserLimits = {
  momentum: share('The momentum', 0.9),
  rho: share('The decay of the squared gradient (ρ)', 0.9),
  beta1: share('The decay of the mean gradient (β₁)', 0.9),
  beta2: share('The decay of the squared gradient (β₂)', 0.999),
  /** Not 0: a parameter whose gradient has always been 0 would be divided by it. */
  epsilon: { name: 'Epsilon', min: 1e-12, max: 1, default: 1e-8 },
  initial: { name: 'The first value of the sum of squares', min: 0, max: 10, default: 0 },
} as const satisfies Record<string, Limit>

const convention = z.enum(conventions).default('pytorch')
const { momentum, rho, beta1, beta2, epsilon, initial } = optimiserLimits
const adamFields = {
  beta1: limitedOr(beta1),
  beta2: limitedOr(beta2),
  epsilon: limitedOr(epsilon),
  convention,
}

export const optimiserConfigSchema = kindOf('The optimiser', [
  z.strictObject({ kind: z.literal('sgd') }),
  z.strictObject({ kind: z.literal('momentum'), momentum: limitedOr(momentum), convention }),
  z.strictObject({ kind: z.literal('nesterov'), momentum: limitedOr(momentum), convention }),
  z.strictObject({
    kind: z.literal('adagrad'),
    initial: limitedOr(initial),
    epsilon: limitedOr({ ...epsilon, default: 1e-10 }),
    convention,
  }),
  z.strictObject({
    kind: z.literal('rmsprop'),
    rho: limitedOr(rho),
    epsilon: limitedOr(epsilon),
    convention,
  }),
  z.strictObject({ kind: z.literal('adam'), ...adamFields }),
  z.strictObject({ kind: z.literal('adamw'), ...adamFields }),
])
export type OptimiserConfig = z.infer<typeof optimiserConfigSchema>
export type OptimiserKind = OptimiserConfig['kind']
export const optimiserKinds = optimiserConfigSchema.options.map(
  (option) => option.shape.kind.value,
) as readonly OptimiserKind[]

export const learningRateLimit: Limit = { name: 'The learning rate', min: 1e-7, max: 100, default: 1e-3 }

/** A good first learning rate of each optimiser (Keras' and PyTorch's defaults). */
export const usualLearningRate: Record<OptimiserKind, number> = {
  sgd: 1e-2,
  momentum: 1e-2,
  nesterov: 1e-2,
  adagrad: 1e-2,
  rmsprop: 1e-3,
  adam: 1e-3,
  adamw: 1e-3,
}

/** The decoupled weight decay that an optimiser brings along: AdamW's is PyTorch's default (Keras': 0.004). */
export const usualWeightDecay: Record<OptimiserKind, number> = {
  sgd: 0,
  momentum: 0,
  nesterov: 0,
  adagrad: 0,
  rmsprop: 0,
  adam: 0,
  adamw: 1e-2,
}

/** An optimiser with the numbers that a framework fills in by itself, in that framework's convention. */
export function frameworkOptimiser(framework: Convention, kind: OptimiserKind): OptimiserConfig {
  return optimiserConfigSchema.parse({ kind, ...frameworkDefaults[framework][kind] })
}

const kerasMomentum = { convention: 'keras' }
const kerasAdam = { epsilon: 1e-7, convention: 'keras' }
const frameworkDefaults: Record<Convention, Partial<Record<OptimiserKind, object>>> = {
  pytorch: { rmsprop: { rho: 0.99 } },
  keras: {
    momentum: kerasMomentum,
    nesterov: kerasMomentum,
    adagrad: { initial: 0.1, epsilon: 1e-7, convention: 'keras' },
    rmsprop: { rho: 0.9, epsilon: 1e-7, convention: 'keras' },
    adam: kerasAdam,
    adamw: kerasAdam,
  },
}

export const optimiserWords: Record<OptimiserKind, Words> = {
  sgd: {
    plain: 'Straight downhill',
    term: 'SGD',
    meaning: 'Every step goes against the gradient, as far as the learning rate says.',
  },
  momentum: {
    plain: 'Downhill with a swing',
    term: 'SGD with momentum',
    meaning: 'Steps in the same direction add up, so that long valleys are crossed faster.',
  },
  nesterov: {
    plain: 'Downhill with a swing, looking ahead',
    term: 'Nesterov momentum',
    meaning: 'As momentum, but the slope is taken where the swing leads to, which brakes earlier.',
  },
  adagrad: {
    plain: 'Ever smaller steps for each weight',
    term: 'Adagrad',
    meaning: 'Weights that have changed much already take smaller steps. It slows down for good.',
  },
  rmsprop: {
    plain: 'Steps of a size for each weight',
    term: 'RMSProp',
    meaning: 'As Adagrad, but only the recent past counts, so that it does not come to a halt.',
  },
  adam: {
    plain: 'Steps of a size for each weight, with a swing',
    term: 'Adam',
    meaning: 'Momentum and RMSProp together. Works well without much tuning.',
  },
  adamw: {
    plain: 'As Adam, with weights kept small',
    term: 'AdamW',
    meaning: 'Adam, where every step also shrinks the weights a little, which helps against overfitting.',
  },
}
