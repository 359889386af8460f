import { dataTypeOf } from '../onnx/schema.ts'
import { intAttribute } from '../types.ts'
import type { DataType, Dimension } from '../types.ts'
import type { Inferred, InferRule, NodeContext } from './context.ts'
import { broadcast, plus, times } from './dimensions.ts'

const same: InferRule = (context) => [{ type: context.input(0).type, shape: context.input(0).shape }]

/** What shapes are computed with goes on through these; `rule` says what becomes of an entry. */
const mapped =
  (rule: (size: Dimension) => Dimension): InferRule =>
  (context) => {
    const { type, shape, content } = context.input(0)
    return [{ type, shape, ...(content === undefined ? {} : { content: content.map(rule) }) }]
  }

const shapes = (context: NodeContext): ReturnType<typeof broadcast> =>
  broadcast(context.node.inputs.flatMap((name, index) => (name === '' ? [] : [context.input(index).shape])))

const entry = (content: readonly Dimension[], index: number): Dimension =>
  content[content.length === 1 ? 0 : index] ?? null

/** Applies `rule` to the entries of small integer values, where all of them are known. */
function entries(
  contexts: readonly Inferred[],
  rule: (...sizes: Dimension[]) => Dimension,
): readonly Dimension[] | undefined {
  const contents = contexts.flatMap(({ content }) => (content === undefined ? [] : [content]))
  if (contents.length < contexts.length) return undefined
  const length = Math.max(...contents.map((content) => content.length))
  return Array.from({ length }, (_, index) => rule(...contents.map((content) => entry(content, index))))
}

/** What 64-bit integers wrap around to, or a number cannot hold exactly, is not known. */
const exact = (size: Dimension): Dimension =>
  typeof size === 'number' && !Number.isSafeInteger(size) ? null : size

const withContent = (result: Inferred, content: readonly Dimension[] | undefined): Inferred =>
  content === undefined ? result : { ...result, content }

/** Integer arithmetic on shapes goes on where both sides are known. */
const binary =
  (rule?: (a: Dimension, b: Dimension) => Dimension): InferRule =>
  (context) => {
    const [a, b] = [context.input(0), context.input(1)]
    const result: Inferred = { type: a.type ?? b.type, shape: shapes(context) }
    const whole = result.type === 'int64' || result.type === 'int32'
    if (!whole) return [result]
    return [withContent(result, rule && entries([a, b], (x, y) => exact(rule(x ?? null, y ?? null))))]
  }

const numeric =
  (rule: (a: number, b: number) => number) =>
  (a: Dimension, b: Dimension): Dimension =>
    typeof a === 'number' && typeof b === 'number' ? rule(a, b) : null

const variadic: InferRule = (context) => [{ type: context.input(0).type, shape: shapes(context) }]
const toBool: InferRule = (context) => [{ type: 'bool', shape: context.input(0).shape }]
const castLike: InferRule = (context) => [{ type: context.input(1).type, shape: context.input(0).shape }]
const comparison: InferRule = (context) => [{ type: 'bool', shape: shapes(context) }]

/** 1 or 0 where it can be told; a free size is not negative, and exporters ask whether it is −1. */
const equalSizes = (a: Dimension, b: Dimension): Dimension => {
  if (a === null || b === null) return null
  if (typeof a === typeof b) return a === b ? 1 : typeof a === 'number' ? 0 : null
  return [a, b].some((size) => typeof size === 'number' && size < 0) ? 0 : null
}

const equal: InferRule = (context) => {
  const [a, b] = [context.input(0), context.input(1)]
  const content = entries([a, b], (x, y) => equalSizes(x ?? null, y ?? null))
  return [withContent({ type: 'bool', shape: shapes(context) }, content)]
}

const where: InferRule = (context) => {
  const [condition, yes, no] = [context.input(0), context.input(1), context.input(2)]
  const content = entries([condition, yes, no], (chosen, a, b) =>
    chosen === 1 ? (a ?? null) : chosen === 0 ? (b ?? null) : null,
  )
  return [withContent({ type: yes.type, shape: shapes(context) }, content)]
}

const cast: InferRule = (context) => {
  const { type: from, shape, content } = context.input(0)
  const type = dataTypeOf(intAttribute(context.node, 'to', 0)) ?? null
  const whole = type === 'int64' || type === 'int32'
  if (content === undefined || !whole) return [{ type, shape }]
  return [
    {
      type,
      shape,
      content: content.map((size) =>
        typeof size === 'number' && from !== type ? exact(Math.trunc(size)) : size,
      ),
    },
  ]
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
  Identity: mapped((size) => size),
  Neg: mapped((size) => (typeof size === 'number' ? -size : null)),
  Add: binary(plus),
  Sub: binary(numeric((a, b) => a - b)),
  Mul: binary(times),
  Div: binary(numeric((a, b) => Math.trunc(a / b))),
  Pow: binary(),
  BitShift: binary(),
  BitwiseAnd: binary(),
  BitwiseOr: binary(),
  Mod: binary(),
  Max: variadic,
  Min: variadic,
  Sum: variadic,
  Mean: variadic,
  Equal: equal,
  Less: comparison,
  LessOrEqual: comparison,
  Greater: comparison,
  GreaterOrEqual: comparison,
  And: comparison,
  Or: comparison,
  Xor: comparison,
  IsNaN: toBool,
  IsInf: toBool,
  Where: where,
  Cast: cast,
  CastLike: castLike,
  QuantizeLinear: quantize,
  DequantizeLinear: dequantize,
}
