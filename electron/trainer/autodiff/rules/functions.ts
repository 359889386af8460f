import type { GradientContext, GradientRule } from '../context.ts'
import { slope } from './broadcasting.ts'

/** Steps: their derivative is 0 wherever it is defined. */
const flat: GradientRule = () => [null]

const square = (c: GradientContext): string => c.mul(c.input(0), c.input(0))
const rooted = (c: GradientContext, value: string): string => c.op('Reciprocal', [c.op('Sqrt', [value])])

/** Derivatives as in every table of calculus; y is the function's own value where that saves computing it again. */
export const functionGradients: Record<string, GradientRule> = {
  Neg: slope(() => -1),
  Exp: slope((c) => c.output()),
  Log: slope((c) => c.op('Reciprocal', [c.input(0)])),
  Sqrt: slope((c) => c.div(0.5, c.output())),
  Reciprocal: slope((c) => c.neg(c.mul(c.output(), c.output()))),
  /** 0 at 0, so that an L1 penalty lets a weight of zero rest. */
  Abs: slope((c) => c.op('Sign', [c.input(0)])),
  Sin: slope((c) => c.op('Cos', [c.input(0)])),
  Cos: slope((c) => c.neg(c.op('Sin', [c.input(0)]))),
  /** d erf(x) = 2/√π · exp(−x²). */
  Erf: slope((c) => c.mul(c.op('Exp', [c.neg(c.mul(c.input(0), c.input(0)))]), 2 / Math.sqrt(Math.PI))),
  Tan: slope((c) => c.add(c.mul(c.output(), c.output()), 1)),
  Asin: slope((c) => rooted(c, c.sub(1, square(c)))),
  Acos: slope((c) => c.neg(rooted(c, c.sub(1, square(c))))),
  Atan: slope((c) => c.op('Reciprocal', [c.add(square(c), 1)])),
  Sinh: slope((c) => c.op('Cosh', [c.input(0)])),
  Cosh: slope((c) => c.op('Sinh', [c.input(0)])),
  Asinh: slope((c) => rooted(c, c.add(square(c), 1))),
  Acosh: slope((c) => rooted(c, c.sub(square(c), 1))),
  Atanh: slope((c) => c.op('Reciprocal', [c.sub(1, square(c))])),
  Sign: flat,
  Floor: flat,
  Ceil: flat,
  Round: flat,
}
