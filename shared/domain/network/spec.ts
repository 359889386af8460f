import { z } from 'zod'

/**
 * A network as a person describes it: what goes in, and one layer after the other. Saved as JSON that can be read and
 * written by hand; what is left out has a default. `describe.ts` says what comes out of each layer, the trainer
 * (`models/layers`) turns it into a graph.
 */

/** What a description may ask for at most. Guards against files made to exhaust memory, far above what is sensible. */
export const networkLimits = {
  /** Pixels, width and height. */
  side: 1024,
  layers: 200,
  filters: 4096,
  units: 16_384,
  /** Width and height of a filter or of a pooling window. */
  window: 63,
  stride: 32,
  padding: 31,
  /** Learned numbers in all. */
  parameters: 100_000_000,
  /** Numbers that one picture becomes on its way through all layers. */
  values: 64_000_000,
  /** The same for a whole batch: 2.6 GB in 32 bits, and a training holds them twice. */
  batchValues: 640_000_000,
} as const

/** How first weights are drawn; the bounds and their sources are in the trainer's `models/layers/initialisers.ts`. */
export const initialiserNames = [
  'zeros',
  /** Normal, deviation 0.01. */
  'small',
  /** Normal, deviation 1: saturates or explodes. To see why the others exist. */
  'too-large',
  'glorot-uniform',
  'glorot-normal',
  'he-uniform',
  'he-normal',
  'lecun-uniform',
  'lecun-normal',
] as const

const initialiserSchema = z.union(
  [
    z.enum(initialiserNames),
    z.strictObject({
      /** Standard deviation of a normal distribution around 0. */
      normal: z.number().positive().max(100),
    }),
  ],
  { error: `one of "${initialiserNames.join('", "')}", or { "normal": 0.05 } for another deviation` },
)
export type Initialiser = z.infer<typeof initialiserSchema>

export const activationNames = [
  'sigmoid',
  'tanh',
  'relu',
  'relu6',
  'leaky-relu',
  'prelu',
  'elu',
  'gelu',
  'silu',
  'hard-sigmoid',
  'hard-swish',
  'hard-tanh',
] as const
export type ActivationName = (typeof activationNames)[number]

const whole = (from: number, to: number) => z.int().min(from).max(to)

/**
 * Zeros around a map: so many on each side; `same`: as many as make the output as large as the input divided by the
 * stride (rounded up), an odd one behind, as TensorFlow has it; `valid`: none.
 */
const paddingSchema = z.union([whole(0, networkLimits.padding), z.enum(['same', 'valid'])], {
  error: `a whole number from 0 to ${networkLimits.padding}, "same" or "valid"`,
})
export type Padding = z.infer<typeof paddingSchema>

const filterWindow = {
  size: whole(1, networkLimits.window),
  stride: whole(1, networkLimits.stride).default(1),
  padding: paddingSchema.default('same'),
}
const weights = {
  bias: z.boolean().default(true),
  /** Left out: the network's. */
  initialiser: initialiserSchema.optional(),
}

const convSchema = z.strictObject({
  type: z.literal('conv'),
  filters: whole(1, networkLimits.filters),
  ...filterWindow,
  ...weights,
})
/** One filter per map. */
const depthwiseSchema = z.strictObject({ type: z.literal('depthwise-conv'), ...filterWindow, ...weights })
/** One filter per map, then 1×1 filters over all of them; the bias stands at the end. */
const separableSchema = z.strictObject({
  type: z.literal('separable-conv'),
  filters: whole(1, networkLimits.filters),
  ...filterWindow,
  ...weights,
})
const activationSchema = z.strictObject({
  type: z.literal('activation'),
  function: z.enum(activationNames),
  /** Of `leaky-relu` below zero; 0.01 when left out (Maas et al. 2013). */
  slope: z.number().min(0).max(1).optional(),
})
/** Padding never wins a maximum and does not count in an average. */
const poolSchema = z.strictObject({
  type: z.literal('pool'),
  kind: z.enum(['max', 'average']).default('max'),
  size: whole(1, networkLimits.window).default(2),
  stride: whole(1, networkLimits.stride).default(2),
  padding: paddingSchema.default('valid'),
})
const batchNormSchema = z.strictObject({
  type: z.literal('batch-norm'),
  /** Added to the variance. */
  epsilon: z.number().min(1e-8).max(1).default(1e-3),
})
const dropoutSchema = z.strictObject({
  type: z.literal('dropout'),
  /** The part that is left out in training. */
  rate: z.number().min(0).max(0.95),
  /** Single numbers, or whole maps (Tompson et al. 2015). */
  drop: z.enum(['units', 'channels']).default('units'),
})
const flattenSchema = z.strictObject({ type: z.literal('flatten') })
const globalPoolSchema = z.strictObject({
  type: z.literal('global-pool'),
  kind: z.enum(['average', 'max']).default('average'),
})
const fcSchema = z.strictObject({
  type: z.literal('fc'),
  units: whole(1, networkLimits.units),
  ...weights,
})
/** Weighs the maps by what all of them together show (Hu et al. 2018). */
const squeezeExciteSchema = z.strictObject({
  type: z.literal('squeeze-excite'),
  /** So many times fewer units than maps in between. */
  reduction: whole(1, 64).default(4),
  initialiser: initialiserSchema.optional(),
})

const plainLayers = [
  convSchema,
  depthwiseSchema,
  separableSchema,
  activationSchema,
  poolSchema,
  batchNormSchema,
  dropoutSchema,
  squeezeExciteSchema,
] as const

const typesOf = (schemas: readonly { shape: { type: z.ZodLiteral<string> } }[]): string =>
  `one of ${schemas.map(({ shape }) => shape.type.value).join(', ')}`

const innerLayerSchema = z.discriminatedUnion('type', plainLayers, { error: typesOf(plainLayers) })
/** What can stand inside a residual block: what keeps maps maps. */
export type InnerLayer = z.infer<typeof innerLayerSchema>

/**
 * Adds what goes in to what its layers make of it (He et al. 2016). Where the two differ in shape, a 1×1 convolution
 * brings what goes in to that of the layers (a "projection"), normalised when one of the layers is a batch-norm.
 */
const residualSchema = z.strictObject({
  type: z.literal('residual'),
  layers: z.array(innerLayerSchema).min(1).max(32),
})

const allLayers = [...plainLayers, flattenSchema, globalPoolSchema, fcSchema, residualSchema] as const
export const layerSchema = z.discriminatedUnion('type', allLayers, { error: typesOf(allLayers) })
export type Layer = z.infer<typeof layerSchema>
export type LayerOf<T extends Layer['type']> = Extract<Layer, { type: T }>

/**
 * What is done to a picture (numbers from −1 to 1) before the first layer. Measured on the training pictures only, and
 * part of the trained network, so that it is the same in training, testing and export.
 */
export const inputScalings = ['none', 'mean-image', 'per-channel-mean', 'standardise'] as const
export type InputScaling = (typeof inputScalings)[number]

export const networkSpecSchema = z.strictObject({
  version: z.literal(1),
  name: z.string().trim().min(1).max(100),
  input: z.strictObject({
    width: whole(1, networkLimits.side),
    height: whole(1, networkLimits.side),
    /** 3: colour; 1: grey. */
    channels: z.literal([1, 3]).default(3),
  }),
  preprocessing: z.enum(inputScalings).default('none'),
  /** Of every layer that names none. */
  initialiser: initialiserSchema.default('he-normal'),
  layers: z.array(layerSchema).min(1).max(networkLimits.layers),
})
/** The last layer gives the logits, one per class; softmax belongs to the loss. */
export type NetworkSpec = z.infer<typeof networkSpecSchema>
/** A description as it may be written, defaults left out. */
export type NetworkSpecInput = z.input<typeof networkSpecSchema>
