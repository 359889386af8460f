import { intAttribute, intsAttribute } from '../../../graph/types.ts'
import { axisOf, lanesOf } from '../indexing.ts'
import type { Call, Kernel, KernelTable } from '../kernel.ts'
import { fromNumbers, int64, integersOf, numbersOf, real } from '../value.ts'
import type { Value } from '../value.ts'

type Numbers = Float64Array

/** Axes are an input since set 18; none, or an empty list, means all unless `noop_with_empty_axes` says none. */
function axesOf(call: Call, rank: number): number[] | null {
  const given = call.optional(1)
  const written = given === undefined ? (intsAttribute(call.node, 'axes') ?? []) : integersOf(given)
  if (written.length > 0) return written.map((axis) => axisOf(axis, rank))
  if (intAttribute(call.node, 'noop_with_empty_axes', 0) === 1) return null
  return Array.from({ length: rank }, (_, axis) => axis)
}

const reduction =
  (rule: (lane: Numbers, type: Value['type']) => number): Kernel =>
  (call) => {
    const x = call.input(0)
    const values = numbersOf(x)
    const axes = axesOf(call, x.shape.length) ?? []
    const { keptShape, starts, members } = lanesOf(x.shape, axes)
    const keep = intAttribute(call.node, 'keepdims', 1) === 1
    const shape = keep ? keptShape : keptShape.filter((_, axis) => !axes.includes(axis))
    const y = Float64Array.from(starts, (start) =>
      rule(
        Float64Array.from(members, (member) => values[start + member]!),
        x.type,
      ),
    )
    return [fromNumbers(x.type, shape, y)]
  }

const sum = (lane: Numbers): number => lane.reduce((a, b) => a + b, 0)
const largest = (lane: Numbers): number => lane.reduce((a, b) => Math.max(a, b), -Infinity)
const smallest = (lane: Numbers): number => lane.reduce((a, b) => Math.min(a, b), Infinity)

/** ln Σ eˣ, the largest x taken out first so that nothing overflows. */
function logSumExp(lane: Numbers): number {
  const top = largest(lane)
  if (!Number.isFinite(top)) return top
  return top + Math.log(sum(lane.map((each) => Math.exp(each - top))))
}

const softmax =
  (rule: (lane: Numbers) => Numbers): Kernel =>
  (call) => {
    const x = call.real(0)
    const axis = axisOf(intAttribute(call.node, 'axis', -1), x.shape.length)
    const { starts, members } = lanesOf(x.shape, [axis])
    const y = new Float64Array(x.data.length)
    for (const start of starts) {
      const lane = rule(Float64Array.from(members, (member) => x.data[start + member]!))
      members.forEach((member, i) => (y[start + member] = lane[i]!))
    }
    return [real(x.shape, y)]
  }

/** The place of the first (with `select_last_index` the last) entry that no other one beats. */
const argument =
  (beats: (a: number, b: number) => boolean): Kernel =>
  (call) => {
    const x = call.input(0)
    const values = numbersOf(x)
    const axis = axisOf(intAttribute(call.node, 'axis', 0), x.shape.length)
    const last = intAttribute(call.node, 'select_last_index', 0) === 1
    const { keptShape, starts, members } = lanesOf(x.shape, [axis])
    const places = Float64Array.from(starts, (start) => {
      let best = 0
      for (let i = 1; i < members.length; i++) {
        const [now, before] = [values[start + members[i]!]!, values[start + members[best]!]!]
        if (beats(now, before) || (last && now === before)) best = i
      }
      return best
    })
    const keep = intAttribute(call.node, 'keepdims', 1) === 1
    return [int64(keep ? keptShape : keptShape.toSpliced(axis, 1), places)]
  }

/** Sums of everything up to each place; `exclusive` leaves the place itself out, `reverse` begins at the end. */
const cumulativeSum: Kernel = (call) => {
  const x = call.input(0)
  const values = numbersOf(x)
  const axis = axisOf(numbersOf(call.input(1))[0]!, x.shape.length)
  const exclusive = intAttribute(call.node, 'exclusive', 0) === 1
  const reverse = intAttribute(call.node, 'reverse', 0) === 1
  const { starts, members } = lanesOf(x.shape, [axis])
  const y = new Float64Array(values.length)
  for (const start of starts) {
    let total = 0
    for (const member of reverse ? members.toReversed() : members) {
      const next = total + values[start + member]!
      y[start + member] = exclusive ? total : next
      total = next
    }
  }
  return [fromNumbers(x.type, x.shape, y)]
}

/** The k largest (or smallest) along an axis, sorted; of equal ones the earlier comes first. */
const topK: Kernel = (call) => {
  const x = call.input(0)
  const values = numbersOf(x)
  const axis = axisOf(intAttribute(call.node, 'axis', -1), x.shape.length)
  const sign = intAttribute(call.node, 'largest', 1) === 1 ? -1 : 1
  const count = numbersOf(call.input(1))[0]!
  if (count > x.shape[axis]!) call.fail(`${count} are to be chosen of ${x.shape[axis]}`)
  const shape = x.shape.with(axis, count)
  const from = lanesOf(x.shape, [axis])
  const to = lanesOf(shape, [axis])
  const best = new Float64Array(to.starts.length * count)
  const places = new Float64Array(best.length)
  from.starts.forEach((start, lane) => {
    const value = (i: number): number => values[start + from.members[i]!]!
    const order = Array.from(from.members, (_, i) => i).sort((a, b) => sign * (value(a) - value(b)) || a - b)
    to.members.forEach((member, i) => {
      best[to.starts[lane]! + member] = value(order[i]!)
      places[to.starts[lane]! + member] = order[i]!
    })
  })
  return [fromNumbers(x.type, shape, best), int64(shape, places)]
}

export const reductionKernels: KernelTable = {
  ReduceSum: reduction(sum),
  ReduceMean: reduction((lane) => sum(lane) / lane.length),
  // Of nothing the largest is the smallest that there is: −∞, or false.
  ReduceMax: reduction((lane, type) => (type === 'bool' && lane.length === 0 ? 0 : largest(lane))),
  ReduceMin: reduction((lane, type) => (type === 'bool' && lane.length === 0 ? 1 : smallest(lane))),
  ReduceProd: reduction((lane) => lane.reduce((a, b) => a * b, 1)),
  ReduceL1: reduction((lane) => sum(lane.map(Math.abs))),
  ReduceL2: reduction((lane) => Math.sqrt(sum(lane.map((each) => each * each)))),
  ReduceSumSquare: reduction((lane) => sum(lane.map((each) => each * each))),
  ReduceLogSum: reduction((lane) => Math.log(sum(lane))),
  ReduceLogSumExp: reduction(logSumExp),
  Softmax: softmax((lane) => {
    const total = logSumExp(lane)
    return lane.map((each) => Math.exp(each - total))
  }),
  LogSoftmax: softmax((lane) => {
    const total = logSumExp(lane)
    return lane.map((each) => each - total)
  }),
  Hardmax: softmax((lane) => {
    const winner = lane.indexOf(largest(lane))
    return lane.map((_, i) => (i === winner ? 1 : 0))
  }),
  ArgMax: argument((a, b) => a > b),
  ArgMin: argument((a, b) => a < b),
  CumSum: cumulativeSum,
  TopK: topK,
}
