import { dataTypeOf } from '../../../graph/onnx/schema.ts'
import { intAttribute } from '../../../graph/types.ts'
import { broadcastOffsets, broadcastShape } from '../indexing.ts'
import { mapped } from '../kernel.ts'
import type { Call, Kernel, KernelTable } from '../kernel.ts'
import { erf, roundToEven } from '../special.ts'
import { append, fromNumbers, isWhole, kept, numbersOf, take } from '../value.ts'
import type { Value } from '../value.ts'

type Binary = (a: number, b: number) => number

/** Applies a rule to every pair of entries, after broadcasting. */
function combine(a: Value, b: Value, type: Value['type'], rule: Binary): Value {
  const shape = broadcastShape(a.shape, b.shape)
  const [left, right] = [numbersOf(a), numbersOf(b)]
  const [atLeft, atRight] = [broadcastOffsets(a.shape, shape), broadcastOffsets(b.shape, shape)]
  const data = new Float64Array(atLeft.length)
  for (let i = 0; i < data.length; i++) data[i] = rule(left[atLeft[i]!]!, right[atRight[i]!]!)
  return fromNumbers(type, shape, data)
}

/** `rule` may depend on the attributes and on whether whole numbers are computed with. */
const arithmetic =
  (rule: (call: Call, whole: boolean) => Binary): Kernel =>
  (call) => {
    const [a, b] = [call.input(0), call.input(1)]
    return [combine(a, b, a.type, rule(call, isWhole(a)))]
  }

const comparison =
  (rule: (a: number, b: number) => boolean): Kernel =>
  (call) => [combine(call.input(0), call.input(1), 'bool', (a, b) => (rule(a, b) ? 1 : 0))]

/** Any number of inputs, taken two by two from the left. */
const variadic =
  (rule: Binary, finish: (sum: number, count: number) => number = (sum) => sum): Kernel =>
  (call) => {
    const values = call.node.inputs.map((_, index) => call.input(index))
    const [first, ...others] = values
    if (first === undefined) return call.fail('it has no input')
    const all = others.reduce((sum, value) => combine(sum, value, first.type, rule), first)
    return [
      fromNumbers(
        all.type,
        all.shape,
        Float64Array.from(numbersOf(all), (each) => finish(each, values.length)),
      ),
    ]
  }

/** One input of any number type. */
const unary =
  (rule: (x: number) => number): Kernel =>
  (call) => {
    const x = call.input(0)
    return [fromNumbers(x.type, x.shape, Float64Array.from(numbersOf(x), rule))]
  }

const test =
  (rule: (x: number) => boolean): Kernel =>
  (call) => {
    const x = call.input(0)
    return [
      fromNumbers(
        'bool',
        x.shape,
        Float64Array.from(numbersOf(x), (each) => (rule(each) ? 1 : 0)),
      ),
    ]
  }

/** `fmod = 1`: the remainder of C, with the sign of a; otherwise Python's, with the sign of b. */
const mod = arithmetic(({ node }) =>
  intAttribute(node, 'fmod', 0) === 1
    ? (a, b) => a % b
    : (a, b) => {
        const rest = a % b
        return rest !== 0 && rest < 0 !== b < 0 ? rest + b : rest
      },
)

/** min(max(x, low), high): where the bounds cross, `high` wins. */
const clip: Kernel = (call) => {
  const x = call.input(0)
  const bound = (index: number, fallback: number): number => {
    const value = call.optional(index)
    return value === undefined ? fallback : numbersOf(value)[0]!
  }
  const [low, high] = [bound(1, -Infinity), bound(2, Infinity)]
  return [
    fromNumbers(
      x.type,
      x.shape,
      Float64Array.from(numbersOf(x), (each) => Math.min(Math.max(each, low), high)),
    ),
  ]
}

const where: Kernel = (call) => {
  const [condition, a, b] = [call.input(0), call.input(1), call.input(2)]
  const shape = broadcastShape(condition.shape, a.shape, b.shape)
  const yes = numbersOf(condition)
  const [atYes, atA, atB] = [condition, a, b].map((value) => broadcastOffsets(value.shape, shape))
  const indices = atYes!.map((at, i) => (yes[at] ? atA![i]! : a.data.length + atB![i]!))
  return [take(append([a, b]), shape, indices)]
}

const cast: Kernel = (call) => {
  const to = dataTypeOf(intAttribute(call.node, 'to', 0))
  if (to === undefined) return call.fail('its type is not known')
  return [castTo(call.input(0), kept(to))]
}

/** Text that says a number becomes it; numbers do not become text. */
function castTo(x: Value, to: Value['type']): Value {
  if (x.type === to) return x
  return fromNumbers(to, x.shape, x.type === 'string' ? Float64Array.from(x.data, Number) : numbersOf(x))
}

const castLike: Kernel = (call) => [castTo(call.input(0), call.input(1).type)]

const isInfinite: Kernel = (call) => {
  const positive = intAttribute(call.node, 'detect_positive', 1) === 1
  const negative = intAttribute(call.node, 'detect_negative', 1) === 1
  return test((x) => (x === Infinity && positive) || (x === -Infinity && negative))(call)
}

export const elementwiseKernels: KernelTable = {
  Add: arithmetic(() => (a, b) => a + b),
  Sub: arithmetic(() => (a, b) => a - b),
  Mul: arithmetic(() => (a, b) => a * b),
  // Whole numbers are divided towards zero: `fromNumbers` cuts the fraction off.
  Div: arithmetic(() => (a, b) => a / b),
  Pow: arithmetic(() => (a, b) => a ** b),
  Mod: mod,
  Max: variadic(Math.max),
  Min: variadic(Math.min),
  Sum: variadic((a, b) => a + b),
  Mean: variadic(
    (a, b) => a + b,
    (sum, count) => sum / count,
  ),
  Equal: comparison((a, b) => a === b),
  Less: comparison((a, b) => a < b),
  LessOrEqual: comparison((a, b) => a <= b),
  Greater: comparison((a, b) => a > b),
  GreaterOrEqual: comparison((a, b) => a >= b),
  And: comparison((a, b) => a !== 0 && b !== 0),
  Or: comparison((a, b) => a !== 0 || b !== 0),
  Xor: comparison((a, b) => (a !== 0) !== (b !== 0)),
  Not: test((x) => x === 0),
  IsNaN: test(Number.isNaN),
  IsInf: isInfinite,
  Neg: unary((x) => -x),
  Abs: unary(Math.abs),
  Sign: unary(Math.sign),
  Floor: mapped(() => Math.floor),
  Ceil: mapped(() => Math.ceil),
  Round: mapped(() => roundToEven),
  Exp: mapped(() => Math.exp),
  Log: mapped(() => Math.log),
  Sqrt: mapped(() => Math.sqrt),
  Reciprocal: mapped(() => (x) => 1 / x),
  Erf: mapped(() => erf),
  Sin: mapped(() => Math.sin),
  Cos: mapped(() => Math.cos),
  Tan: mapped(() => Math.tan),
  Asin: mapped(() => Math.asin),
  Acos: mapped(() => Math.acos),
  Atan: mapped(() => Math.atan),
  Sinh: mapped(() => Math.sinh),
  Cosh: mapped(() => Math.cosh),
  Asinh: mapped(() => Math.asinh),
  Acosh: mapped(() => Math.acosh),
  Atanh: mapped(() => Math.atanh),
  Clip: clip,
  Where: where,
  Cast: cast,
  CastLike: castLike,
}
