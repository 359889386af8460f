import { positiveAxis } from '../../graph/infer/dimensions.ts'
import { stringAttribute } from '../../graph/types.ts'
import type { GradientContext, GradientRule } from '../context.ts'

/** One axis of a Slice: `count` rows from `start` on, `step` apart; a negative step goes backwards. */
interface Cut {
  axis: number
  start: number
  step: number
  count: number
}

function cutsOf(c: GradientContext): Cut[] {
  const [shape, out] = [c.inputShape(0), c.outputShape()]
  const starts = c.integers(1)
  const axes = c.has(3) ? c.integers(3) : starts.map((_, index) => index)
  const steps = c.has(4) ? c.integers(4) : starts.map(() => 1)
  return axes.map((written, index) => {
    const axis = positiveAxis(written, shape.length)
    const size = shape[axis]!
    const [given, step] = [starts[index]!, steps[index]!]
    const start = given < 0 ? given + size : given
    // Clamped as onnx.ai/onnx/operators says: a walk backwards begins on the last row at most.
    const clamped = Math.min(Math.max(start, 0), step < 0 ? size - 1 : size)
    return { axis, start: clamped, step, count: out[axis]! }
  })
}

/** Rows that were read get their gradient back, all others zeros: axis by axis. */
const slice: GradientRule = (c) => {
  const shape = c.inputShape(0)
  const reached = [...c.outputShape()]
  if (reached.includes(0)) return [null]
  let gradient = c.dy
  for (const { axis, start, step, count } of cutsOf(c)) {
    const stride = Math.abs(step)
    if (step < 0) gradient = c.flip(gradient, axis)
    const first = step < 0 ? start - (count - 1) * stride : start
    gradient = apart(c, gradient, reached, axis, stride)
    const length = (count - 1) * stride + 1
    gradient = c.surround(gradient, shape.length, axis, first, shape[axis]! - first - length)
    reached[axis] = shape[axis]!
  }
  return [gradient]
}

/** Puts `stride` − 1 zeros between the rows of an axis of a value of shape `shape`. */
function apart(
  c: GradientContext,
  value: string,
  shape: readonly number[],
  axis: number,
  stride: number,
): string {
  if (stride === 1 || shape[axis] === 1) return value
  const [before, behind] = [shape.slice(0, axis), shape.slice(axis + 1)]
  const count = shape[axis]!
  const columns = c.reshape(value, [...before, count, 1, ...behind])
  const spaced = c.surround(columns, shape.length + 1, axis + 1, 0, stride - 1)
  const joined = c.reshape(spaced, [...before, count * stride, ...behind])
  return c.cut(joined, axis, 0, (count - 1) * stride + 1)
}

/** How a border is filled from the rows that are there; each hands its gradient back to where it was read. */
type Fold = (border: string, place: { before: boolean; rows: number; size: number }) => string

const foldOf = (c: GradientContext, rank: number, axis: number): Record<string, Fold> => ({
  /** The outermost row, again and again. */
  edge: (border, { before, size }) => {
    const row = c.sum(border, [axis], true)
    return before ? c.surround(row, rank, axis, 0, size - 1) : c.surround(row, rank, axis, size - 1, 0)
  },
  /** A mirror that stands on the outermost row. */
  reflect: (border, { before, rows, size }) => {
    const back = c.flip(border, axis)
    const rest = size - 1 - rows
    return before ? c.surround(back, rank, axis, 1, rest) : c.surround(back, rank, axis, rest, 1)
  },
  /** The other end. */
  wrap: (border, { before, rows, size }) =>
    before ? c.surround(border, rank, axis, size - rows, 0) : c.surround(border, rank, axis, 0, size - rows),
})

const pad: GradientRule = (c) => {
  const shape = c.inputShape(0)
  const rank = shape.length
  const mode = stringAttribute(c.node, 'mode', 'constant')
  const reached = [...c.outputShape()]
  let gradient = c.dy
  for (const { axis, before, behind } of padsOf(c)) {
    const size = shape[axis]!
    // Negative pads cut rows off, which get zeros.
    const first = Math.max(before, 0)
    const kept = c.cut(gradient, axis, first, reached[axis]! - first - Math.max(behind, 0))
    let sum = c.surround(kept, rank, axis, Math.max(-before, 0), Math.max(-behind, 0))
    if (mode !== 'constant') {
      const fold = foldOf(c, rank, axis)[mode]
      if (fold === undefined) throw c.refusal(`fills the border in the way "${mode}"`)
      const borders = [
        { before: true, rows: before, start: 0 },
        { before: false, rows: behind, start: reached[axis]! - behind },
      ].filter(({ rows }) => rows !== 0)
      for (const border of borders) {
        const most = mode === 'edge' ? Infinity : mode === 'reflect' ? size - 1 : size
        if (border.rows < 0 || border.rows > most) throw c.refusal('pads by more than there is, or cuts off')
        sum = c.add(sum, fold(c.cut(gradient, axis, border.start, border.rows), { ...border, size }))
      }
    }
    gradient = sum
    reached[axis] = size
  }
  // A filler that learns gets everything that no pixel gets.
  const filler = (): string => {
    const all = c.dy
    const axes = shape.map((_, axis) => axis)
    const whole = c.sub(c.sum(all, axes, false), c.sum(gradient, axes, false))
    return c.reshape(whole, c.inputShape(2))
  }
  return [gradient, null, c.needs(2) ? filler() : null]
}

function padsOf(c: GradientContext): { axis: number; before: number; behind: number }[] {
  const rank = c.inputShape(0).length
  const pads = c.integers(1)
  const axes = c.has(3)
    ? c.integers(3).map((axis) => positiveAxis(axis, rank))
    : c.inputShape(0).map((_, axis) => axis)
  return axes.flatMap((axis, index) => {
    const [before, behind] = [pads[index]!, pads[index + axes.length]!]
    return before === 0 && behind === 0 ? [] : [{ axis, before, behind }]
  })
}

export const borderGradients: Record<string, GradientRule> = { Slice: slice, Pad: pad }
