import { KestrelError } from '#shared/errors/index.ts'
import type { Attribute, Node, Tensor, ValueInfo } from '../types.ts'

/** What the rewriting of a node may use: of the graph, and to add to it. */
export interface UpgradeTools {
  /** Gives a constant a name like the one that is wanted. */
  constant(wanted: string, value: Tensor): string
  /** A name that is free. */
  value(wanted: string): string
  shapes: ReadonlyMap<string, ValueInfo>
  used: ReadonlyMap<string, number>
}

export const without = (node: Node, ...names: string[]): Record<string, Attribute> =>
  Object.fromEntries(Object.entries(node.attributes).filter(([name]) => !names.includes(name)))

export const unread = (node: Node): KestrelError =>
  new KestrelError(
    'operator-unsupported',
    `This network uses the operator ${node.op} in a form that Kestrel does not read ("${node.name || node.outputs[0]}").`,
  )
