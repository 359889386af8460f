import { KestrelError, toKestrelError } from '../../errors/index.ts'
import { layerResult, type Shape } from './shape.ts'
import { networkLimits, type Layer, type NetworkSpec } from './spec.ts'
import { layerName, layerPlace, shapeWords } from './words.ts'

/** One line of what a network looks like. */
export interface LayerRow {
  /** Where it stands in `layers`, from 0; inside a residual block `[block, layer]`. */
  path: readonly number[]
  layer: Layer
  name: string
  /** Of what comes out for one picture: `[channels, height, width]` or `[length]`. */
  shape: Shape
  /** Learned numbers; for a residual block those of its projection, its layers have lines of their own before it. */
  parameters: number
  /** Running statistics of batch normalisation: kept with the network, not learned. */
  statistics: number
}

export interface NetworkProblem {
  /** Of the layer; empty where it is about the network as a whole. */
  path: readonly number[]
  message: string
  remedy: string
}

export interface NetworkDescription {
  /** Up to the problem, where there is one. */
  rows: readonly LayerRow[]
  parameters: number
  statistics: number
  /** Numbers that one picture becomes on its way through all layers. */
  values: number
  problem: NetworkProblem | null
}

/**
 * Goes through a network layer by layer: what comes out of each, what it learns, and the first thing that does not fit.
 * @param classes number of labels, where it is known: the last layer has to give as many answers.
 */
export function describeNetwork(spec: NetworkSpec, classes?: number): NetworkDescription {
  const rows: LayerRow[] = []
  let problem: NetworkProblem | null = null
  let shape: Shape = [spec.input.channels, spec.input.height, spec.input.width]
  const visit = (layer: Layer, path: readonly number[], input: Shape): Shape => {
    if (problem !== null) return input
    try {
      const result = layerResult(layer, input)
      rows.push({ path, layer, name: layerName(layer), ...result })
      return result.shape
    } catch (error) {
      problem = inWords(error, layer, path)
      return input
    }
  }
  spec.layers.forEach((layer, index) => {
    if (layer.type === 'residual') {
      layer.layers.reduce<Shape>((input, inner, at) => visit(inner, [index, at], input), shape)
    }
    shape = visit(layer, [index], shape)
  })
  const total = (of: (row: LayerRow) => number): number => rows.reduce((sum, row) => sum + of(row), 0)
  const parameters = total((row) => row.parameters)
  const values = total((row) => row.shape.reduce((a, b) => a * b, 1))
  problem ??= tooLarge(parameters, values)
  problem ??= wrongEnd(rows, classes)
  return { rows, parameters, statistics: total((row) => row.statistics), values, problem }
}

/** @throws KestrelError `bad-request` with the first thing that does not fit. */
export function requireSound(spec: NetworkSpec, classes?: number): NetworkDescription {
  const description = describeNetwork(spec, classes)
  if (description.problem !== null) {
    const { message, remedy } = description.problem
    throw new KestrelError('bad-request', message, { remedy })
  }
  return description
}

/**
 * Refuses a training whose batches would not fit into memory, before anything is read.
 * @param batch pictures per step, as many as there are at most.
 * @throws KestrelError `bad-request`
 */
export function requireRoom(spec: NetworkSpec, batch: number): void {
  const { values } = describeNetwork(spec)
  if (values * batch <= networkLimits.batchValues) return
  const most = Math.max(1, Math.floor(networkLimits.batchValues / values))
  throw new KestrelError(
    'bad-request',
    `A batch of ${batch} pictures would become ${millions(values * batch)} numbers on its way through this network; Kestrel goes up to ${millions(networkLimits.batchValues)}.`,
    { remedy: `Use a batch size of at most ${most}, smaller pictures, or fewer filters.` },
  )
}

function inWords(error: unknown, layer: Layer, path: readonly number[]): NetworkProblem {
  const { code, message, remedy = '' } = toKestrelError(error)
  if (code !== 'bad-request') throw error
  return { path, message: `${layerName(layer)} (${layerPlace(path)}): ${message}`, remedy }
}

const millions = (count: number): string => `${Math.round(count / 1e6)} million`

function tooLarge(parameters: number, values: number): NetworkProblem | null {
  if (parameters > networkLimits.parameters)
    return {
      path: [],
      message: `This network would learn ${millions(parameters)} numbers; Kestrel goes up to ${millions(networkLimits.parameters)}.`,
      remedy: 'Use fewer filters or units, or a GLOBAL POOL in place of FLATTEN.',
    }
  if (values > networkLimits.values)
    return {
      path: [],
      message: `One picture would become ${millions(values)} numbers on its way through this network; Kestrel goes up to ${millions(networkLimits.values)}.`,
      remedy: 'Use smaller pictures, fewer filters, or shrink the maps earlier.',
    }
  return null
}

function wrongEnd(rows: readonly LayerRow[], classes: number | undefined): NetworkProblem | null {
  const last = rows.at(-1)
  if (last === undefined) return null
  if (last.shape.length > 1)
    return {
      path: last.path,
      message: `The network ends with ${shapeWords(last.shape)} and not with one number per label.`,
      remedy: 'End with FLATTEN or GLOBAL POOL and FC.',
    }
  if (classes !== undefined && last.shape[0] !== classes)
    return {
      path: last.path,
      message: `The network gives ${last.shape[0]} answers, and there are ${classes} labels.`,
      remedy: `Give the last FC ${classes} units.`,
    }
  return null
}

/**
 * The same network for another number of labels: the units of its last FC are changed.
 * @throws KestrelError `bad-request` where it does not end with FC.
 */
export function withClasses(spec: NetworkSpec, classes: number): NetworkSpec {
  const last = spec.layers.at(-1)
  if (last?.type !== 'fc')
    throw new KestrelError('bad-request', 'This network does not end with FC.', {
      remedy: 'End it with FC, one unit per label.',
    })
  return { ...spec, layers: [...spec.layers.slice(0, -1), { ...last, units: classes }] }
}
