import type { GradientRule } from '../context.ts'
import { slope } from './broadcasting.ts'

/** Steps: their derivative is 0 wherever it is defined. */
const flat: GradientRule = () => [null]

/** Derivatives as in every table of calculus; y is the function's own value where that saves computing it again. */
export const functionGradients: Record<string, GradientRule> = {
  Neg: slope(() => -1),
  Exp: slope((c) => c.output()),
  Log: slope((c) => c.op('Reciprocal', [c.input(0)])),
  Sqrt: slope((c) => c.div(0.5, c.output())),
  Reciprocal: slope((c) => c.neg(c.mul(c.output(), c.output()))),
  /** 0 at 0, so that an L1 penalty lets a weight of zero rest. */
  Abs: slope((c) => c.sign(c.input(0))),
  Sin: slope((c) => c.op('Cos', [c.input(0)])),
  Cos: slope((c) => c.neg(c.op('Sin', [c.input(0)]))),
  /** d erf(x) = 2/√π · exp(−x²). */
  Erf: slope((c) => c.mul(c.op('Exp', [c.neg(c.mul(c.input(0), c.input(0)))]), 2 / Math.sqrt(Math.PI))),
  Sign: flat,
  Floor: flat,
  Ceil: flat,
  Round: flat,
}
