import { KestrelError } from '#shared/errors/index.ts'
import type { DataType, Dimension, Node, ValueInfo } from '../types.ts'

export type Shape = readonly Dimension[] | null

/** Shapes that networks compute with have a handful of entries; larger constants are weights. */
export const maxContent = 64

export interface Inferred {
  type: DataType | null
  shape: Shape
  /** Entries of a small integer value where they are known: the shapes that networks compute with. */
  content?: readonly Dimension[]
}

/** What is known about the inputs of the node at hand. */
export interface NodeContext {
  node: Node
  opset: number
  input(index: number): Inferred
  has(index: number): boolean
  /** Known entries of an integer input, all of them numbers. */
  integers(index: number): readonly number[] | undefined
}

/** Gives one entry per output; missing ones are taken as unknown. */
export type InferRule = (context: NodeContext) => Inferred[]

export const unknown: Inferred = { type: null, shape: null }

export function mismatch(node: Node, what: string): KestrelError {
  return new KestrelError(
    'backbone-damaged',
    `The network in this file does not fit together at "${node.name || node.op}" (${node.op}): ${what}.`,
  )
}

export const infoOf = (name: string, inferred: Inferred): ValueInfo => ({
  name,
  type: inferred.type,
  shape: inferred.shape,
})
