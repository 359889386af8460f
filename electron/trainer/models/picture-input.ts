import { preprocessingOf, asTheyAre } from '#shared/domain/preprocessing/scaling.ts'
import type { Preprocessing } from '#shared/domain/preprocessing/definition.ts'
import { KestrelError } from '#shared/errors/index.ts'
import { prune, usedBy } from '../graph/edit.ts'
import { inferShapes } from '../graph/infer/index.ts'
import { openBatch } from '../graph/open-batch.ts'
import { liftConstants } from '../graph/optimise.ts'
import type { Dimension, Graph } from '../graph/types.ts'
import { saidBy } from './classifier-metadata.ts'
import { scalingSteps } from './input-scaling.ts'
import {
  bytesAsFloats,
  layoutOf,
  startAt,
  takesAnySize,
  withBatchAxis,
  withoutReading,
} from './picture-reading.ts'
import { unsupported } from './unsupported.ts'

export interface PictureInput {
  /** The same network, its batch open and its size fixed. */
  graph: Graph
  width: number
  height: number
  /** Whether it wants [batch, height, width, channels]. */
  channelsLast: boolean
}

/** Sizes that published networks take, the usual one first. */
const usualSizes = [224, 299, 227, 256, 384, 192, 160, 128, 112, 96, 64, 48, 32, 28] as const

/**
 * The network of a file as one for batches of pictures of one size: what reads pictures of any size is left out, bytes become
 * floats, one output is chosen where there are several. `preprocessing` is what the file says itself of the pictures that
 * `graph` takes: a Kestrel export, or a network for bytes; null for others.
 * @throws KestrelError `backbone-unsupported` for what does not take one colour picture and nothing else.
 */
export function openPicture(file: Graph): PictureInput & { preprocessing: Preprocessing | null } {
  const whole = withoutUnread(withMainOutput(liftConstants(file)))
  const [input] = whole.inputs
  requirePicture(whole)
  const isAnySize = input!.shape?.length === 3 || takesAnySize(input!)
  const read = isAnySize ? withoutReading(whole) : null
  const batched = read ?? (input!.shape?.length === 3 ? withBatchAxis(whole) : whole)
  const takesBytes = batched.inputs[0]?.type === 'uint8'
  const opened = fixInput(bytesAsFloats(batched), sizeThatFits(batched))
  const { recorded } = saidBy(file)
  // Kestrel's own exports, and whatever else resizes bytes to bytes: what comes after that is their preprocessing.
  if (read !== null && takesBytes && !opened.channelsLast) return withoutScaling(opened, recorded)
  const isForSize = recorded?.size.width === opened.width && recorded.size.height === opened.height
  if (read === null && recorded !== null && isForSize && !takesBytes && !opened.channelsLast)
    return { ...opened, preprocessing: recorded }
  return {
    ...opened,
    preprocessing: input!.type === 'uint8' ? preprocessingOf(opened, asTheyAre) : null,
  }
}

/** Where there are several answers: the one that the most of the network goes into, of equals the first. */
function withMainOutput(graph: Graph): Graph {
  if (graph.outputs.length <= 1) return graph
  const sizes = graph.outputs.map((output) => prune({ ...graph, outputs: [output] }).nodes.length)
  return prune({ ...graph, outputs: [graph.outputs[sizes.indexOf(Math.max(...sizes))]!] })
}

/** Without inputs that nothing reads. */
function withoutUnread(graph: Graph): Graph {
  const read = new Set(graph.nodes.flatMap(usedBy))
  return { ...graph, inputs: graph.inputs.filter(({ name }) => read.has(name)) }
}

function requirePicture(graph: Graph): void {
  const [input, ...others] = graph.inputs
  if (input === undefined || others.length > 0)
    throw unsupported(
      'it does not have exactly one input',
      'Choose a network that takes a picture and nothing else.',
    )
  if (input.shape === null)
    throw unsupported(
      'it does not say the sizes of its input',
      'Save it again with the shape of its input, such as [batch, 3, 224, 224].',
    )
  if (input.shape.length !== 4 && input.shape.length !== 3) throw unsupported('its input is not a picture')
  if (layoutOf(input.shape) === null)
    throw unsupported(
      'its input does not have three colour channels',
      'Choose a network for colour pictures; one for grey pictures has to be made for three channels first.',
    )
  if (input.type !== 'float32' && input.type !== 'uint8' && input.type !== 'float16')
    throw unsupported(
      `its input has the number type ${input.type ?? 'unknown'}`,
      'Save it with an input of float32 or uint8.',
    )
}

/** Checks that a network takes pictures in batches and fixes their size; `defaultSize` where it takes any. */
export function fixInput(graph: Graph, defaultSize: number = usualSizes[0]): PictureInput {
  requirePicture(graph)
  const input = graph.inputs[0]!
  if (input.shape?.length !== 4) throw unsupported('its input is not a picture')
  const channelsLast = input.shape[1] !== 3
  const fixed = (size: Dimension | undefined): number =>
    typeof size === 'number' && size > 0 ? size : defaultSize
  const height = fixed(input.shape[channelsLast ? 1 : 2])
  const width = fixed(input.shape[channelsLast ? 2 : 3])
  if (height > 4096 || width > 4096) throw unsupported('its pictures are larger than 4096 pixels')
  const shape = channelsLast ? ['batch', height, width, 3] : ['batch', 3, height, width]
  const open = { ...graph, inputs: [{ ...input, shape }] }
  const [batch] = input.shape
  return {
    graph: typeof batch === 'number' && batch > 0 ? openBatch(open, batch) : open,
    ...{ width, height, channelsLast },
  }
}

/** Some networks say that they take any size, and then multiply with weights for one. */
function sizeThatFits(graph: Graph): number {
  if (!takesAnySize(graph.inputs[0]!)) return usualSizes[0]
  const fitting = usualSizes.find((size) => {
    try {
      inferShapes(fixInput(graph, size).graph)
      return true
    } catch (error) {
      if (error instanceof KestrelError && error.code === 'backbone-damaged') return false
      throw error
    }
  })
  if (fitting === undefined)
    throw unsupported(
      'none of the usual picture sizes fits its layers',
      'Save it again with the height and width of its pictures in the shape of its input.',
    )
  return fitting
}

/**
 * Leaves out the scaling before a network's own layers, which the app does from here on. What the file says of it counts
 * where its operators do the same (a network may go on to scale by itself), otherwise all that they do.
 */
function withoutScaling(
  opened: PictureInput,
  recorded: Preprocessing | null,
): PictureInput & { preprocessing: Preprocessing } {
  const { graph, width, height } = opened
  const shapes = inferShapes(graph)
  const steps = scalingSteps(graph)
    .map((step) => ({ ...step, info: shapes.get(step.value), own: preprocessingOf(opened, step.scaling) }))
    .filter(({ info, own }) => info?.type === 'float32' && layoutOf(info.shape) === 'first' && isUsable(own))
  const said = recorded && steps.find(({ own }) => isAlike(own, recorded))
  const last = said ?? steps.at(-1)
  if (last?.info === undefined) return { ...opened, preprocessing: preprocessingOf(opened, asTheyAre) }
  const info = { ...last.info, shape: ['batch', 3, height, width] }
  return {
    ...opened,
    graph: last.value === graph.inputs[0]?.name ? graph : startAt(graph, info),
    preprocessing: said && recorded ? recorded : last.own,
  }
}

const isUsable = ({ mean, divisor }: Preprocessing): boolean =>
  [...mean, ...divisor].every(Number.isFinite) && divisor.every((number) => number !== 0)

/** Up to what is lost when numbers are written down in 32 bits. */
function isAlike(a: Preprocessing, b: Preprocessing): boolean {
  const close = (x: number, index: number, of: readonly number[]): boolean =>
    Math.abs(x - (of[index] ?? NaN)) <= 1e-6 * Math.max(1, Math.abs(x))
  return (
    a.channelOrder === b.channelOrder &&
    a.size.width === b.size.width &&
    a.size.height === b.size.height &&
    a.mean.every((number, index) => close(number, index, b.mean)) &&
    a.divisor.every((number, index) => close(number, index, b.divisor))
  )
}
