import { floatAttribute, stringAttribute } from '../../graph/types.ts'
import type { GradientContext, GradientRule, Operand } from '../context.ts'
import { slope, through } from './broadcasting.ts'

/** Flat at 0: the gradient of zero there, as everybody takes it. */
const relu = slope((c) => c.above(c.output(), 0))

/** `left` for x ≤ 0 and 1 for x > 0. */
const withLeftSlope = (c: GradientContext, left: number): string =>
  c.add(c.mul(c.above(c.input(0), 0), 1 - left), left)

const leakyRelu = slope((c) => withLeftSlope(c, floatAttribute(c.node, 'alpha', 0.01)))

/** y = x for x > 0, slope·x for x ≤ 0. */
const pRelu: GradientRule = (c) => {
  const [x, a] = [c.input(0), c.input(1)]
  const byInput = (): string => {
    const right = c.above(x, 0)
    return c.add(right, c.mul(c.sub(1, right), a))
  }
  return [through(c, 0, byInput), through(c, 1, () => c.op('Min', [x, 0]))]
}

/**
 * What is a line with the slope `right` for x > 0 and an exponential for x ≤ 0, whose derivative is an affine function of
 * its own value: y·scale + offset.
 */
const exponentialUnit = (c: GradientContext, right: number, scale: number, offset: number): string => {
  const positive = c.above(c.input(0), 0)
  const left = c.mul(c.sub(1, positive), c.add(c.times(c.output(), scale), offset))
  return c.add(c.times(positive, right), left)
}

/** α(eˣ − 1) on the left (Clevert et al. 2016). */
const elu = slope((c) => exponentialUnit(c, 1, 1, floatAttribute(c.node, 'alpha', 1)))

/** γα(eˣ − 1) on the left, γx on the right (Klambauer et al. 2017); the default numbers are ONNX's, rounded to 32 bits. */
const selu = slope((c) => {
  const alpha = floatAttribute(c.node, 'alpha', 1.67326319217681884765625)
  const gamma = floatAttribute(c.node, 'gamma', 1.05070102214813232421875)
  return exponentialUnit(c, gamma, 1, gamma * alpha)
})

/** α(e^(x/α) − 1) on the left (Barron 2017). */
const celu = slope((c) => exponentialUnit(c, 1, 1 / floatAttribute(c.node, 'alpha', 1), 1))

/** x·Φ(x), or its approximation with tanh (Hendrycks & Gimpel 2016). */
const gelu = slope((c) => {
  const x = c.input(0)
  const square = c.mul(x, x)
  if (stringAttribute(c.node, 'approximate', 'none') === 'none') {
    const cumulative = c.mul(c.add(c.op('Erf', [c.mul(x, Math.SQRT1_2)]), 1), 0.5)
    const density = c.mul(c.op('Exp', [c.mul(square, -0.5)]), 1 / Math.sqrt(2 * Math.PI))
    return c.add(cumulative, c.mul(x, density))
  }
  const [scale, cubic] = [Math.sqrt(2 / Math.PI), 0.044715]
  const inner = c.mul(c.mul(x, c.add(c.mul(square, cubic), 1)), scale)
  const tanh = c.op('Tanh', [inner])
  const byInner = c.sub(1, c.mul(tanh, tanh))
  const inside = c.mul(c.add(c.mul(square, 3 * cubic), 1), scale)
  return c.mul(c.add(c.add(tanh, 1), c.mul(x, c.mul(byInner, inside))), 0.5)
})

/** x·tanh(softplus(x)) (Misra 2019). */
const mish = slope((c) => {
  const x = c.input(0)
  const tanh = c.op('Tanh', [c.op('Softplus', [x])])
  const byX = c.mul(c.sub(1, c.mul(tanh, tanh)), c.op('Sigmoid', [x]))
  return c.add(tanh, c.mul(x, byX))
})

/** x·σ(αx), SiLU for α = 1 (Ramachandran, Zoph & Le 2017). */
const swish = slope((c) => {
  const alpha = floatAttribute(c.node, 'alpha', 1)
  const gate = c.op('Sigmoid', [c.times(c.input(0), alpha)])
  const rest = c.mul(c.output(), c.sub(1, gate))
  return c.add(gate, c.times(rest, alpha))
})

/** 0 up to a distance from 0 on both sides, slope 1 beyond. */
const shrink = slope((c) => c.above(c.op('Abs', [c.input(0)]), floatAttribute(c.node, 'lambd', 0.5)))

const sigmoid = slope((c) => c.mul(c.output(), c.sub(1, c.output())))
const tanh = slope((c) => c.sub(1, c.mul(c.output(), c.output())))
const softplus = slope((c) => c.op('Sigmoid', [c.input(0)]))

/** x/(1 + |x|): the derivative 1/(1 + |x|)² is (1 − |y|)². */
const softsign = slope((c) => {
  const rest = c.sub(1, c.op('Abs', [c.output()]))
  return c.mul(rest, rest)
})

/** 1.0 strictly between two bounds; an empty name stands for no bound. */
function inside(c: GradientContext, value: string, low: Operand, high: Operand): string {
  const conditions = [
    ...(low === '' ? [] : [c.op('Greater', [value, low])]),
    ...(high === '' ? [] : [c.op('Less', [value, high])]),
  ]
  return c.mask(conditions.reduce((a, b) => c.op('And', [a, b])))
}

const hardSigmoid = slope((c) => c.mul(inside(c, c.output(), 0, 1), floatAttribute(c.node, 'alpha', 0.2)))

/** x·clip(x/6 + 1/2, 0, 1) (Howard et al. 2019): 0 up to −3, 1 from 3 on, x/3 + 1/2 between. */
const hardSwish = slope((c) => {
  const x = c.input(0)
  const line = c.add(c.div(x, 3), 0.5)
  return c.add(c.mul(inside(c, x, -3, 3), line), c.mask(c.op('GreaterOrEqual', [x, 3])))
})

const thresholdedRelu = slope((c) => c.above(c.input(0), floatAttribute(c.node, 'alpha', 1)))

/** Flat at the bounds, as ReLU6 is in Keras and PyTorch. Learned bounds get what they hold back. */
const clip: GradientRule = (c) => {
  const x = c.input(0)
  const [low, high] = [c.input(1), c.input(2)]
  const held = (index: number, operator: string): string | null =>
    c.needs(index)
      ? c.unbroadcast(
          c.mul(c.dy, c.mask(c.op(operator, [x, c.input(index)]))),
          c.outputShape(),
          c.inputShape(index),
        )
      : null
  return [
    !c.needs(0) ? null : low === '' && high === '' ? c.narrowDy : c.timesDy(inside(c, x, low, high)),
    held(1, 'LessOrEqual'),
    held(2, 'GreaterOrEqual'),
  ]
}

export const activationGradients: Record<string, GradientRule> = {
  Relu: relu,
  LeakyRelu: leakyRelu,
  PRelu: pRelu,
  Elu: elu,
  Selu: selu,
  Celu: celu,
  Gelu: gelu,
  Mish: mish,
  Swish: swish,
  Shrink: shrink,
  Sigmoid: sigmoid,
  HardSigmoid: hardSigmoid,
  HardSwish: hardSwish,
  Tanh: tanh,
  Softplus: softplus,
  Softsign: softsign,
  ThresholdedRelu: thresholdedRelu,
  Clip: clip,
}
