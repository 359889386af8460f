import { float, floatAttribute, int, intAttribute, ints } from '../../graph/types.ts'
import type { GradientContext, GradientRule } from '../context.ts'

/** Y = α·A'·B' + β·C, where A' and B' are A and B, turned or not. */
const gemm: GradientRule = (c) => {
  const [a, b] = [c.input(0), c.input(1)]
  const alpha = floatAttribute(c.node, 'alpha', 1)
  const beta = floatAttribute(c.node, 'beta', 1)
  const [turnA, turnB] = ['transA', 'transB'].map((name) => intAttribute(c.node, name, 0) === 1)
  const product = (left: string, right: string, turnLeft: boolean, turnRight: boolean): string =>
    c.op('Gemm', [left, right], {
      alpha: float(alpha),
      transA: int(turnLeft ? 1 : 0),
      transB: int(turnRight ? 1 : 0),
    })
  // dA' = dY·B'ᵀ and dB' = A'ᵀ·dY; (dA')ᵀ where A stands turned.
  const byA = (): string => (turnA ? product(b, c.dy, turnB!, true) : product(c.dy, b, false, !turnB))
  const byB = (): string => (turnB ? product(c.dy, a, true, turnA!) : product(a, c.dy, !turnA, false))
  const byC = (): string => c.times(c.unbroadcast(c.dy, c.outputShape(), c.inputShape(2)), beta)
  return [byA, byB, byC].map((rule, index) => (c.needs(index) ? rule() : null))
}

/** The last two axes swapped. */
function turned(c: GradientContext, value: string, rank: number): string {
  const order = Array.from({ length: rank }, (_, axis) => axis)
  return c.op('Transpose', [value], { perm: ints([...order.slice(0, -2), rank - 1, rank - 2]) })
}

/**
 * As numpy.matmul: a vector is a row on the left and a column on the right, leading axes broadcast. Vectors are
 * brought to matrices first, so that one rule is left: dA = dY·Bᵀ, dB = Aᵀ·dY, summed over what was repeated.
 */
const matMul: GradientRule = (c) => {
  const [ownA, ownB] = [c.inputShape(0), c.inputShape(1)]
  const shapeA = ownA.length === 1 ? [1, ...ownA] : ownA
  const shapeB = ownB.length === 1 ? [...ownB, 1] : ownB
  const leading = c
    .outputShape()
    .slice(0, c.outputShape().length - (ownA.length > 1 ? 1 : 0) - (ownB.length > 1 ? 1 : 0))
  const [rows, inner, columns] = [shapeA.at(-2)!, shapeA.at(-1)!, shapeB.at(-1)!]
  const shaped = (value: string, from: readonly number[], to: readonly number[]): string =>
    String(from) === String(to) ? value : c.reshape(value, to)
  const a = (): string => shaped(c.input(0), ownA, shapeA)
  const b = (): string => shaped(c.input(1), ownB, shapeB)
  const dy = shaped(c.dy, c.outputShape(), [...leading, rows, columns])

  const byA = (): string => {
    const product = c.op('MatMul', [dy, turned(c, b(), shapeB.length)])
    return shaped(c.unbroadcast(product, [...leading, rows, inner], shapeA), shapeA, ownA)
  }
  const byB = (): string => {
    // One matrix for all rows of all pictures: one large product instead of many small ones and their sum.
    if (shapeB.length === 2 && shapeA.length > 2) {
      const flat = c.reshape(a(), [-1, inner])
      const product = c.op('Gemm', [flat, c.reshape(dy, [-1, columns])], { transA: int(1) })
      return shaped(product, shapeB, ownB)
    }
    const product = c.op('MatMul', [turned(c, a(), shapeA.length), dy])
    return shaped(c.unbroadcast(product, [...leading, inner, columns], shapeB), shapeB, ownB)
  }
  return [byA, byB].map((rule, index) => (c.needs(index) ? rule() : null))
}

export const matrixGradients: Record<string, GradientRule> = { Gemm: gemm, MatMul: matMul }
