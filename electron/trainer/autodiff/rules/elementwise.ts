import { numbers } from '../../graph/tensor.ts'
import { dataTypeNumbers } from '../../graph/onnx/schema.ts'
import { int, intAttribute } from '../../graph/types.ts'
import type { GradientRule } from '../context.ts'
import { through } from './broadcasting.ts'

const pass: GradientRule = (c) => [c.narrowDy]

const add: GradientRule = (c) => c.node.inputs.map((_, index) => through(c, index, () => 1))

const subtract: GradientRule = (c) => [through(c, 0, () => 1), through(c, 1, () => -1)]

const multiply: GradientRule = (c) =>
  [0, 1].map((index) => through(c, index, () => c.input(1 - index), c.inputShape(1 - index)))

/** d(a/b) = da/b − (a/b)·db/b. */
const divide: GradientRule = (c) => {
  const reciprocal = c.op('Reciprocal', [c.input(1)])
  return [
    through(c, 0, () => reciprocal, c.inputShape(1)),
    through(c, 1, () => c.neg(c.mul(c.output(), reciprocal))),
  ]
}

/** d(a^b) = b·a^(b−1)·da + a^b·ln(a)·db; the exponents that networks use have a shorter form. */
const power: GradientRule = (c) => {
  const [a, b, y] = [c.input(0), c.input(1), c.output()]
  const constant = c.constant(1)
  const exponent = constant && constant.data.length === 1 ? numbers(constant)[0] : undefined
  const byBase = (): string => {
    if (exponent === undefined) {
      // ONNX lets the exponents be whole numbers, which nothing else can be mixed with.
      const real = c.inputType(1) === c.inputType(0) ? b : c.op('Cast', [b], { to: int(1) })
      return c.mul(real, c.op('Pow', [a, c.sub(real, 1)]))
    }
    if (exponent === 2) return c.mul(a, 2)
    if (exponent === 0.5) return c.div(0.5, y)
    return c.mul(c.op('Pow', [a, c.number(exponent - 1)]), exponent)
  }
  // 0^b stays 0 for b > 0 whatever b does, though ln(0) is −∞: the logarithm of 1 is taken there.
  const byExponent = (): string => c.mul(y, c.op('Log', [c.add(a, c.equal(a, 0))]))
  return [through(c, 0, byBase), through(c, 1, byExponent)]
}

/** The largest hands its gradient on; where several tie they share it equally. */
const extreme: GradientRule = (c) => {
  if (c.node.inputs.length === 1) return pass(c)
  const chosen = c.node.inputs.map((name) => c.equal(name, c.output()))
  const count = chosen.reduce((a, b) => c.add(a, b))
  const share = c.div(c.dy, count)
  return chosen.map((mask, index) =>
    c.needs(index) ? c.unbroadcast(c.mul(share, mask), c.outputShape(), c.inputShape(index)) : null,
  )
}

const mean: GradientRule = (c) =>
  c.node.inputs.map((_, index) => through(c, index, () => 1 / c.node.inputs.length))

const where: GradientRule = (c) => {
  const condition = c.input(0)
  return [
    null,
    through(c, 1, () => c.mask(condition), c.inputShape(0)),
    through(c, 2, () => c.mask(c.op('Not', [condition])), c.inputShape(0)),
  ]
}

/** Between real types: the gradient goes back into the type of the input. */
const cast: GradientRule = (c) => {
  const type = c.inputType(0)
  const goes = intAttribute(c.node, 'to', 0)
  if (type === null || dataTypeNumbers[type] === goes) return pass(c)
  return [c.op('Cast', [c.dy], { to: int(dataTypeNumbers[type]) })]
}

/** As it stands in files: nothing is dropped. */
const dropout: GradientRule = (c) => {
  if (c.has(2)) throw c.refusal('drops values by itself when it trains')
  return pass(c)
}

export const elementwiseGradients: Record<string, GradientRule> = {
  Add: add,
  Sub: subtract,
  Mul: multiply,
  Div: divide,
  Pow: power,
  Max: extreme,
  Min: extreme,
  Sum: add,
  Mean: mean,
  Where: where,
  Cast: cast,
  Identity: pass,
  Dropout: dropout,
  /** The place of a dropout; a training step has a product with a mask there. */
  'kestrel::Dropout': pass,
}
