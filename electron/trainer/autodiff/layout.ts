import { KestrelError } from '#shared/errors/index.ts'
import { elementCount, float32, toFloat32 } from '../graph/tensor.ts'
import type { Graph, Tensor } from '../graph/types.ts'
import type { Network } from '../models/network.ts'

/**
 * Where each parameter lies in the flat vectors that a training step reads and writes. One vector per group keeps a
 * step short (an optimiser is a handful of operators, whatever the network) and a checkpoint simple.
 */
export interface ParameterGroup {
  name: string
  /** Names of initialisers, in the order in which they lie behind each other. */
  parameters: readonly string[]
  /** Times the learning rate of the schedule. */
  learningRateFactor: number
  /** Decoupled weight decay; 0 for none. */
  weightDecay: number
  /** Coupled penalties λ₁·Σ|w| and ½·λ₂·Σw², added to the gradient; 0 for none. */
  l1: number
  l2: number
}

export interface Piece {
  name: string
  shape: readonly number[]
  offset: number
  length: number
}

export interface Layout {
  groups: readonly (ParameterGroup & { pieces: readonly Piece[]; length: number })[]
  /** Running means and variances, in pairs, as the network lists them. */
  statistics: { pieces: readonly Piece[]; length: number }
}

/** @throws KestrelError `internal` when a name is not an initialiser of the network. */
export function layoutOf(network: Network, groups: readonly ParameterGroup[]): Layout {
  const pieces = (names: readonly string[]): { pieces: Piece[]; length: number } => {
    let length = 0
    const found = names.map((name): Piece => {
      const value = network.graph.initialisers.get(name)
      if (value === undefined)
        throw new KestrelError('internal', `"${name}" is not among the numbers of the network.`)
      const piece = { name, shape: value.shape, offset: length, length: elementCount(value.shape) }
      length += piece.length
      return piece
    })
    return { pieces: found, length }
  }
  return {
    groups: groups.map((group) => ({ ...group, ...pieces(group.parameters) })),
    statistics: pieces(network.statistics.flatMap(({ mean, variance }) => [mean, variance])),
  }
}

/** The numbers of a network, gathered by a layout. */
export interface NetworkNumbers {
  /** One vector per group. */
  parameters: Float32Array[]
  statistics: Float32Array
}

/** Copies the numbers out of a network. */
export function gather(network: Network, layout: Layout): NetworkNumbers {
  const fill = ({ pieces, length }: { pieces: readonly Piece[]; length: number }): Float32Array => {
    const flat = new Float32Array(length)
    for (const { name, offset } of pieces) flat.set(toFloat32(network.graph.initialisers.get(name)!), offset)
    return flat
  }
  return { parameters: layout.groups.map(fill), statistics: fill(layout.statistics) }
}

/** The same graph with other numbers in it (copies). */
export function scatter(graph: Graph, layout: Layout, numbers: NetworkNumbers): Graph {
  const initialisers = new Map<string, Tensor>(graph.initialisers)
  const put = (pieces: readonly Piece[], flat: Float32Array): void => {
    for (const { name, shape, offset, length } of pieces)
      initialisers.set(name, float32(shape, flat.slice(offset, offset + length)))
  }
  layout.groups.forEach(({ pieces }, group) => put(pieces, numbers.parameters[group]!))
  put(layout.statistics.pieces, numbers.statistics)
  return { ...graph, initialisers }
}
