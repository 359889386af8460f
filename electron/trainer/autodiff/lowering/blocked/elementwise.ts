import { elementCount } from '../../../graph/tensor.ts'
import { blockedShape, type Shape, type Value } from '../layouts.ts'
import { affine } from './maps.ts'
import type { BlockedPen, BlockedRule } from './pen.ts'

/** Operators that look at one place at a time, whatever lies where. */
const operators = new Set([
  ...['Relu', 'LeakyRelu', 'PRelu', 'ThresholdedRelu', 'Elu', 'Selu', 'Celu', 'Gelu', 'Mish', 'Sigmoid'],
  ...['HardSigmoid', 'HardSwish', 'Tanh', 'Softplus', 'Softsign', 'Clip', 'Erf', 'Exp', 'Log', 'Sqrt', 'Abs'],
  ...['Neg', 'Reciprocal', 'Floor', 'Ceil', 'Round', 'Sign', 'Sin', 'Cos', 'Identity', 'Not', 'Cast'],
  ...['Add', 'Sub', 'Mul', 'Div', 'Pow', 'Max', 'Min', 'Sum', 'Mean', 'Where'],
  ...['Equal', 'Less', 'LessOrEqual', 'Greater', 'GreaterOrEqual', 'And', 'Or'],
])

export const isElementwise = (op: string): boolean => operators.has(op)

/** How an operand spreads over the map. */
type Reach = 'none' | 'map' | 'number' | 'channel' | 'picture'

function reachOf(operand: Shape, map: Shape): Reach | null {
  if (String(operand) === String(map)) return 'map'
  if (elementCount(operand) === 1) return 'number'
  const lead = map.length - operand.length
  const at = (axis: number): number => operand[axis - lead] ?? 1
  if (lead < 0 || at(2) !== 1 || at(3) !== 1 || at(1) !== map[1]) return null
  return at(0) === map[0] ? 'picture' : 'channel'
}

/** Maps in blocks stay so; what is one number per channel or per channel of a picture is spread over them. */
export const elementwise: BlockedRule = (pen) => {
  const shape = pen.outputShape()
  const { node } = pen
  if (!pen.blockable(shape)) return null
  const reaches = node.inputs.map((name, index) =>
    name === '' ? 'none' : reachOf(pen.inputShape(index), shape),
  )
  if (reaches.includes(null)) return null
  if (!reaches.some((reach, index) => reach === 'map' && pen.isBlocked(index))) return null
  const wide = reaches.findIndex((reach) => reach === 'channel' || reach === 'picture')
  if (wide >= 0) return [affineForm(pen, reaches as Reach[], wide) ?? opened(pen, reaches as Reach[])]
  const inputs = reaches.map((reach, index) =>
    reach === 'none' ? '' : reach === 'map' ? pen.blocked(index) : pen.input(index),
  )
  return [{ ...pen.op(node.op, inputs, shape, node.attributes), layout: 'blocked' }]
}

/**
 * Sums and products with one number per channel as a convolution per channel; null for other operators. The pictures of a
 * batch lie behind each other as channels do: one number per channel of a picture is one per channel of a larger picture.
 */
function affineForm(pen: BlockedPen, reaches: readonly Reach[], wide: number): Value | null {
  const { op, inputs } = pen.node
  if (inputs.length !== 2 || reaches[1 - wide] !== 'map') return null
  const map = pen.blocked(1 - wide)
  const [batch, channels, ...sizes] = map.shape as [number, number, number, number]
  const count = reaches[wide] === 'picture' ? batch * channels : channels
  const x = count === channels ? map : pen.as(map, [1, count, ...sizes])
  const numbers = pen.reshape(pen.input(wide), [count])
  const ones = (): Value => pen.filled([count], 1)
  const negative = (): Value => pen.each('Neg', [numbers], numbers)
  const result =
    op === 'Mul'
      ? affine(pen, x, numbers, null)
      : op === 'Div' && wide === 1
        ? affine(pen, x, pen.each('Reciprocal', [numbers], numbers), null)
        : op === 'Add' || op === 'Sum'
          ? affine(pen, x, ones(), numbers)
          : op === 'Sub'
            ? wide === 1
              ? affine(pen, x, ones(), negative())
              : affine(pen, x, pen.filled([count], -1), numbers)
            : null
  return result && pen.as(result, map.shape)
}

/** Any operator: the axes as they lie, so that ONNX's broadcasting finds its numbers. */
function opened(pen: BlockedPen, reaches: readonly Reach[]): Value {
  const shape = pen.outputShape()
  const { block, node } = pen
  const inputs = reaches.map((reach, index) => {
    if (reach === 'none') return ''
    if (reach === 'map') return pen.opened(pen.blocked(index))
    const value = pen.input(index)
    if (reach === 'number') return value
    const pictures = reach === 'picture' ? shape[0]! : 1
    return pen.reshape(value, [pictures, shape[1]! / block, 1, block])
  })
  return pen.as(pen.op(node.op, inputs, blockedShape(shape, block), node.attributes), shape)
}
