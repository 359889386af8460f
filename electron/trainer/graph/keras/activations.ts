import { z } from 'zod'
import { float, int } from '../types.ts'
import { scalar } from '../tensor.ts'
import { damagedIn, graphAxis, settings, single, unsupportedIn } from './context.ts'
import type { KerasValue, LayerContext, LayerReader } from './context.ts'

/** Keras' activations by name (keras.io/api/layers/activations) as ONNX nodes; returns the value's name. */
export function activate(value: KerasValue, activation: unknown, context: LayerContext): KerasValue {
  const name = activationName(activation, context)
  const { builder, label } = context
  const x = value.name
  const node = (op: string, inputs: string[], attributes = {}): string =>
    builder.node(op, inputs, attributes, `${label}/${op}`)
  const constant = (number: number): string => builder.constant(`${label}/constant`, scalar(number))
  const result = (): string => {
    switch (name) {
      case 'linear':
        return x
      case 'relu':
        return node('Relu', [x])
      case 'relu6':
        return node('Clip', [x, constant(0), constant(6)])
      case 'sigmoid':
        return node('Sigmoid', [x])
      case 'tanh':
        return node('Tanh', [x])
      case 'elu':
        return node('Elu', [x], { alpha: float(1) })
      case 'selu':
        return node('Selu', [x])
      case 'leaky_relu':
        return node('LeakyRelu', [x], { alpha: float(0.2) })
      case 'softplus':
        return node('Softplus', [x])
      case 'softsign':
        return node('Softsign', [x])
      case 'exponential':
        return node('Exp', [x])
      case 'swish':
      case 'silu':
        return node('Mul', [x, node('Sigmoid', [x])])
      case 'mish':
        return node('Mul', [x, node('Tanh', [node('Softplus', [x])])])
      case 'hard_sigmoid':
        // Keras 3 took PyTorch's slope of 1/6 in place of 0.2.
        return node('HardSigmoid', [x], {
          alpha: float(context.kerasMajor >= 3 ? 1 / 6 : 0.2),
          beta: float(0.5),
        })
      case 'hard_swish':
      case 'hard_silu':
        return node('Mul', [x, node('HardSigmoid', [x], { alpha: float(1 / 6), beta: float(0.5) })])
      case 'gelu': {
        // x · (1 + erf(x / √2)) / 2; ONNX has it as one operator only from opset 20.
        const erf = node('Erf', [node('Div', [x, constant(Math.SQRT2)])])
        return node('Mul', [node('Mul', [x, node('Add', [erf, constant(1)])]), constant(0.5)])
      }
      case 'softmax':
        return node('Softmax', [x], { axis: int(graphAxis(-1, value.shape.length, context)) })
      case 'log_softmax':
        return node('LogSoftmax', [x], { axis: int(graphAxis(-1, value.shape.length, context)) })
      default:
        throw unsupportedIn(context, `the activation "${name}" is not known`)
    }
  }
  return { name: result(), shape: value.shape }
}

/** `"relu"`, null, or Keras 3's `{ class_name, config }` around either. */
function activationName(activation: unknown, context: LayerContext): string {
  if (activation === null || activation === undefined) return 'linear'
  if (typeof activation === 'string') return activation
  const wrapped = z.object({ class_name: z.string(), config: z.unknown() }).safeParse(activation)
  if (!wrapped.success) throw damagedIn(context, 'its activation is not named')
  const { class_name: className, config } = wrapped.data
  if (className === 'function' && typeof config === 'string') return config
  return className.replace(/([a-z])([A-Z])/g, '$1_$2').toLowerCase()
}

const activationLayer: LayerReader = (inputs, context) =>
  activate(single(inputs, context), context.layer.config['activation'], context)

/** relu6 as TensorFlow writes it into a graph of its own operators. */
const named =
  (activation: string): LayerReader =>
  (inputs, context) =>
    activate(single(inputs, context), activation, context)

const slope = z.union([z.number(), z.tuple([z.number()]).transform(([value]) => value)])
const reluSchema = z.object({
  max_value: slope.nullish(),
  negative_slope: slope.nullish(),
  threshold: slope.nullish(),
})

/** ReLU(max_value, negative_slope, threshold): keras.io/api/layers/activation_layers/relu */
const reluLayer: LayerReader = (inputs, context) => {
  const value = single(inputs, context)
  const { max_value: top, negative_slope: negative, threshold } = settings(context, reluSchema)
  if (threshold) throw unsupportedIn(context, 'a threshold other than 0 is not read')
  const { builder, label } = context
  let name = value.name
  if (negative) {
    name = builder.node('LeakyRelu', [name], { alpha: float(negative) }, `${label}/LeakyRelu`)
    if (top !== null && top !== undefined) {
      name = builder.node('Min', [name, builder.constant(`${label}/max`, scalar(top))], {}, `${label}/Min`)
    }
  } else if (top !== null && top !== undefined) {
    const bounds = [
      builder.constant(`${label}/min`, scalar(0)),
      builder.constant(`${label}/max`, scalar(top)),
    ]
    name = builder.node('Clip', [name, ...bounds], {}, `${label}/Clip`)
  } else {
    name = builder.node('Relu', [name], {}, `${label}/Relu`)
  }
  return { name, shape: value.shape }
}

const leakyLayer: LayerReader = (inputs, context) => {
  const value = single(inputs, context)
  const { alpha, negative_slope: negative } = settings(
    context,
    z.object({ alpha: slope.nullish(), negative_slope: slope.nullish() }),
  )
  const attributes = { alpha: float(alpha ?? negative ?? 0.3) }
  return {
    name: context.builder.node('LeakyRelu', [value.name], attributes, `${context.label}/LeakyRelu`),
    shape: value.shape,
  }
}

const eluLayer: LayerReader = (inputs, context) => {
  const value = single(inputs, context)
  const { alpha } = settings(context, z.object({ alpha: slope.nullish() }))
  const name = context.builder.node('Elu', [value.name], { alpha: float(alpha ?? 1) }, `${context.label}/Elu`)
  return { name, shape: value.shape }
}

const softmaxLayer: LayerReader = (inputs, context) => {
  const value = single(inputs, context)
  const { axis } = settings(context, z.object({ axis: z.int().default(-1) }))
  const attributes = { axis: int(graphAxis(axis, value.shape.length, context)) }
  return {
    name: context.builder.node('Softmax', [value.name], attributes, `${context.label}/Softmax`),
    shape: value.shape,
  }
}

export const activationReaders: Record<string, LayerReader> = {
  Activation: activationLayer,
  ReLU: reluLayer,
  LeakyReLU: leakyLayer,
  ELU: eluLayer,
  Softmax: softmaxLayer,
  'tf.nn.relu': named('relu'),
  'tf.nn.relu6': named('relu6'),
  'tf.nn.silu': named('silu'),
}
