import { dataTypeOf } from '../onnx/schema.ts'
import { intAttribute } from '../types.ts'
import type { DataType, Dimension } from '../types.ts'
import type { Inferred, InferRule, NodeContext } from './context.ts'
import { countable, spread } from './content.ts'
import { broadcast, dividedBy, plus, times } from './dimensions.ts'

const same: InferRule = (context) => [{ type: context.input(0).type, shape: context.input(0).shape }]

type Rule = (...sizes: Dimension[]) => Dimension

/** Numbers only. */
const numeric =
  (rule: (...sizes: number[]) => number): Rule =>
  (...sizes) =>
    sizes.every((size) => typeof size === 'number') ? rule(...sizes) : null

const shapes = (context: NodeContext): ReturnType<typeof broadcast> =>
  broadcast(context.node.inputs.flatMap((name, index) => (name === '' ? [] : [context.input(index).shape])))

/**
 * What a type makes of a number: 32-bit floats are rounded; what whole ones would wrap around to, or a number cannot hold
 * exactly, is not known. Symbols stay: sizes are far from any limit.
 */
function held(type: DataType | null, size: Dimension): Dimension {
  if (typeof size !== 'number') return size
  switch (type) {
    // Whole numbers know no −0.
    case 'int64':
      return Number.isSafeInteger(size) ? size + 0 : null
    case 'int32':
      return size === (size | 0) ? size + 0 : null
    case 'float32':
      return Math.fround(size)
    default:
      return size
  }
}

/** Applies `rule` to the entries of small values, broadcast to the result's shape, where all of them are known. */
function computed(result: Inferred, inputs: readonly Inferred[], rule: Rule): Inferred {
  const to = countable(result.shape)
  if (to === undefined) return result
  const contents = inputs.flatMap(({ content, shape }) => {
    const from = countable(shape)
    return content === undefined || from === undefined ? [] : [spread(content, from, to)]
  })
  if (contents.length < inputs.length) return result
  const count = to.reduce((a, b) => a * b, 1)
  const content = Array.from({ length: count }, (_, index) =>
    held(result.type, rule(...contents.map((each) => each[index] ?? null))),
  )
  return { ...result, content }
}

const isCounted = (type: DataType | null): boolean =>
  type === 'int64' || type === 'int32' || type === 'float32'

const given = (context: NodeContext): Inferred[] =>
  context.node.inputs.flatMap((name, index) => (name === '' ? [] : [context.input(index)]))

/** What shapes are computed with goes on through these; `rule` says what becomes of an entry. */
const mapped =
  (rule: Rule): InferRule =>
  (context) => {
    const { type, shape, content } = context.input(0)
    if (content === undefined) return [{ type, shape }]
    return [{ type, shape, content: content.map((size) => held(type, rule(size))) }]
  }

/** Entries stay as they are, those too that cannot be computed with. */
const identity: InferRule = (context) => [context.input(0)]

/** Arithmetic on shapes, and the scales that come from them, goes on where both sides are known. */
const binary =
  (ruleFor?: (type: DataType | null, context: NodeContext) => Rule): InferRule =>
  (context) => {
    const [a, b] = [context.input(0), context.input(1)]
    const result: Inferred = { type: a.type ?? b.type, shape: shapes(context) }
    return [
      ruleFor === undefined || !isCounted(result.type)
        ? result
        : computed(result, [a, b], ruleFor(result.type, context)),
    ]
  }

const difference: Rule = (a = null, b = null) =>
  a !== null && a === b ? 0 : b === 0 ? a : numeric((x, y) => x! - y!)(a, b)

/** Whole numbers are divided towards zero. */
const quotient =
  (type: DataType | null): Rule =>
  (a = null, b = null) => {
    if (typeof a !== 'number' || typeof b !== 'number') return dividedBy(a, b)
    if (type === 'float32') return a / b
    return b === 0 ? null : Math.trunc(a / b)
  }

/** `fmod = 1`: the remainder of C, with the sign of a; otherwise Python's, with the sign of b. */
const remainder = (_type: DataType | null, { node }: NodeContext): Rule =>
  numeric((a = 0, b = 0) => {
    const rest = a % b
    return intAttribute(node, 'fmod', 0) === 0 && rest !== 0 && rest < 0 !== b < 0 ? rest + b : rest
  })

const variadic =
  (rule?: Rule): InferRule =>
  (context) => {
    const result: Inferred = { type: context.input(0).type, shape: shapes(context) }
    return [rule === undefined || !isCounted(result.type) ? result : computed(result, given(context), rule)]
  }
const toBool: InferRule = (context) => [{ type: 'bool', shape: context.input(0).shape }]
const castLike: InferRule = (context) => [{ type: context.input(1).type, shape: context.input(0).shape }]

const comparison =
  (rule: (a: number, b: number) => boolean): InferRule =>
  (context) => [
    computed(
      { type: 'bool', shape: shapes(context) },
      given(context),
      numeric((a = 0, b = 0) => (rule(a, b) ? 1 : 0)),
    ),
  ]

/** 1 or 0 where it can be told; a free size is not negative, and exporters ask whether it is −1. */
const equalSizes = (a: Dimension, b: Dimension): Dimension => {
  if (a === null || b === null) return null
  if (typeof a === typeof b) return a === b ? 1 : typeof a === 'number' ? 0 : null
  return [a, b].some((size) => typeof size === 'number' && size < 0) ? 0 : null
}

const equal: InferRule = (context) => [
  computed({ type: 'bool', shape: shapes(context) }, given(context), (a = null, b = null) =>
    equalSizes(a, b),
  ),
]

const where: InferRule = (context) => {
  const result = { type: context.input(1).type, shape: shapes(context) }
  const content = computed({ ...result, type: null }, given(context), (chosen, a = null, b = null) =>
    chosen === 1 || a === b ? a : chosen === 0 ? b : null,
  )
  return [{ ...content, type: result.type }]
}

const cast: InferRule = (context) => {
  const from = context.input(0)
  const type = dataTypeOf(intAttribute(context.node, 'to', 0)) ?? null
  const { shape, content } = from
  if (content === undefined || (!isCounted(type) && type !== 'bool')) return [{ type, shape }]
  if (from.type === type) return [from]
  const whole = type === 'int64' || type === 'int32'
  const become = (size: Dimension): Dimension => {
    if (typeof size !== 'number') return type === 'bool' ? null : size
    return type === 'bool' ? (size === 0 ? 0 : 1) : held(type, whole ? Math.trunc(size) : size)
  }
  return [{ type, shape, content: content.map(become) }]
}

const quantize: InferRule = (context) => {
  const { shape } = context.input(0)
  const type: DataType | null = context.has(2) ? context.input(2).type : 'uint8'
  return [{ type, shape }]
}
const dequantize: InferRule = (context) => [{ type: 'float32', shape: context.input(0).shape }]

const unary = [
  ...['Relu', 'LeakyRelu', 'PRelu', 'ThresholdedRelu', 'Elu', 'Selu', 'Celu', 'Gelu', 'Mish', 'Sigmoid'],
  ...['HardSigmoid', 'HardSwish', 'Tanh', 'Softplus', 'Softsign', 'Clip', 'Erf', 'Exp', 'Log', 'Sqrt', 'Abs'],
  ...['Reciprocal', 'Floor', 'Ceil', 'Round', 'Sign', 'Sin', 'Cos', 'Tan', 'Asin', 'Acos', 'Atan'],
  ...['Sinh', 'Cosh', 'Asinh', 'Acosh', 'Atanh', 'Not', 'Shrink', 'Swish', 'Trilu'],
  ...['Softmax', 'LogSoftmax', 'Hardmax', 'LpNormalization', 'MeanVarianceNormalization', 'CumSum'],
]

export const elementwiseRules: Record<string, InferRule> = {
  ...Object.fromEntries(unary.map((op) => [op, same])),
  Identity: identity,
  Neg: mapped(numeric((size = 0) => -size)),
  Abs: mapped((size = null) => (typeof size === 'number' ? Math.abs(size) : size)),
  Sqrt: mapped(numeric((size = 0) => Math.sqrt(size))),
  Floor: mapped((size = null) => (typeof size === 'number' ? Math.floor(size) : size)),
  Ceil: mapped((size = null) => (typeof size === 'number' ? Math.ceil(size) : size)),
  Reciprocal: mapped(numeric((size = 0) => 1 / size)),
  Not: mapped(numeric((size = 0) => 1 - size)),
  Add: binary(
    () =>
      (a = null, b = null) =>
        plus(a, b),
  ),
  Sub: binary(() => difference),
  Mul: binary(
    () =>
      (a = null, b = null) =>
        times(a, b),
  ),
  Div: binary(quotient),
  Pow: binary(() => numeric((a = 0, b = 0) => a ** b)),
  BitShift: binary(),
  BitwiseAnd: binary(),
  BitwiseOr: binary(),
  Mod: binary(remainder),
  Max: variadic(numeric(Math.max)),
  Min: variadic(numeric(Math.min)),
  Sum: variadic((...sizes) => sizes.reduce(plus, 0)),
  Mean: variadic(),
  Equal: equal,
  Less: comparison((a, b) => a < b),
  LessOrEqual: comparison((a, b) => a <= b),
  Greater: comparison((a, b) => a > b),
  GreaterOrEqual: comparison((a, b) => a >= b),
  And: comparison((a, b) => a !== 0 && b !== 0),
  Or: comparison((a, b) => a !== 0 || b !== 0),
  Xor: comparison((a, b) => (a !== 0) !== (b !== 0)),
  IsNaN: toBool,
  IsInf: toBool,
  Where: where,
  Cast: cast,
  CastLike: castLike,
  QuantizeLinear: quantize,
  DequantizeLinear: dequantize,
}
