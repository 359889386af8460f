import { asTheyAre, symmetric, toOne } from '#shared/domain/preprocessing/scaling.ts'
import type { Scaling } from '#shared/domain/preprocessing/scaling.ts'
import { usedBy } from '../graph/edit.ts'
import { numbers } from '../graph/tensor.ts'
import type { Graph, Node } from '../graph/types.ts'

/** How far a network's own arithmetic has brought the numbers of the picture: `(x - mean) / divisor` so far. */
export interface ScalingStep {
  /** Value that holds them. */
  value: string
  scaling: Scaling
}

type Triple = Scaling['mean']

/** Operators that move numbers or write them in another type. */
const passing = new Set(['Identity', 'Cast', 'Transpose', 'Unsqueeze', 'Squeeze', 'Resize', 'Upsample'])

/**
 * What a network does to the numbers of its picture before its first layer, step by step, beginning with the input as it
 * is: constants added, subtracted, multiplied and divided by, one or three of them, and red swapped with blue. Constants
 * have to be initialisers (`liftConstants`).
 */
export function scalingSteps(graph: Graph): ScalingStep[] {
  const outputs = new Set(graph.outputs.map(({ name }) => name))
  const steps: ScalingStep[] = [{ value: graph.inputs[0]?.name ?? '', scaling: asTheyAre }]
  for (;;) {
    const { value, scaling } = steps.at(-1)!
    // Where the picture goes two ways, this is not its scaling any more; its shape may be asked for.
    const readers = graph.nodes.filter((each) => each.op !== 'Shape' && usedBy(each).includes(value))
    const node = readers.length === 1 && !outputs.has(value) ? readers[0] : undefined
    const [output, ...others] = node?.outputs ?? []
    const next = node && others.length === 0 ? after(node, value, scaling, graph) : null
    if (next === null || output === undefined) return steps
    steps.push({ value: output, scaling: next })
  }
}

function after(node: Node, value: string, scaling: Scaling, graph: Graph): Scaling | null {
  if (node.domain !== '') return null
  const isFirst = node.inputs[0] === value
  if (passing.has(node.op)) return isFirst ? scaling : null
  const { mean, divisor, channelOrder } = scaling
  if (node.op === 'Gather') {
    const order = graph.initialisers.get(node.inputs[1] ?? '')
    if (!isFirst || order === undefined || numbers(order).join() !== '2,1,0') return null
    return { ...scaling, channelOrder: channelOrder === 'RGB' ? 'BGR' : 'RGB' }
  }
  const operand = perChannel(node.inputs[isFirst ? 1 : 0], graph)
  if (operand === null) return null
  const c: Triple = channelOrder === 'BGR' ? [operand[2], operand[1], operand[0]] : operand
  const each = (make: (m: number, d: number, c: number) => [number, number]): Scaling => {
    const made = c.map((number, channel) => make(mean[channel]!, divisor[channel]!, number))
    return {
      channelOrder,
      mean: made.map(([m]) => m) as Triple,
      divisor: made.map(([, d]) => d) as Triple,
    }
  }
  switch (node.op) {
    case 'Add':
      return each((m, d, number) => [m - number * d, d])
    case 'Sub':
      // number − (x − m) / d  =  (x − (m + number · d)) / −d
      return each((m, d, number) => [m + number * d, isFirst ? d : -d])
    case 'Mul':
      return each((m, d, number) => [m, d / number])
    case 'Div':
      return isFirst ? each((m, d, number) => [m, d * number]) : null
    default:
      return null
  }
}

/** A constant of one number or one for each colour; null for any other. */
function perChannel(name: string | undefined, graph: Graph): Triple | null {
  const value = graph.initialisers.get(name ?? '')
  if (value === undefined || value.type === 'string' || value.data.length > 3) return null
  const [red, green = red, blue = green] = numbers(value)
  return red === undefined || green === undefined || blue === undefined || value.data.length === 2
    ? null
    : [red, green, blue]
}

/**
 * The range of numbers that a network which scales its pictures itself takes: 0 … 255, 0 … 1 or −1 … 1, told by what it
 * does to them; null where it does nothing, or nothing that tells. Channels are in RGB order outside it.
 */
export function rangeWanted(graph: Graph): Scaling | null {
  const { mean, divisor } = scalingSteps(graph).at(-1)!.scaling
  if (![...mean, ...divisor].every(Number.isFinite) || divisor.some((number) => number <= 0)) return null
  const [lowest, highest] = [Math.min(...mean), Math.max(...mean)]
  const [narrowest, widest] = [Math.min(...divisor), Math.max(...divisor)]
  // Nobody takes a mean colour of more than 2, or divides by 20, where white is 1.
  if (narrowest >= 20 || Math.max(highest, -lowest) >= 2) return asTheyAre
  if (lowest >= -1.05 && highest <= -0.95) return symmetric
  const isUntouched = highest === 0 && lowest === 0 && widest >= 0.1
  return lowest >= 0 && highest <= 1.05 && widest <= 2 && !isUntouched ? toOne : null
}
