import { KestrelError } from '#shared/errors/index.ts'
import type { Graph } from './types.ts'

const wrong = (what: string): KestrelError =>
  new KestrelError('backbone-damaged', `The network in this file is not well formed: ${what}.`)

/**
 * Holds a graph to the rules everything else relies on: every value is defined once, before it is used; every output
 * exists. Throws `backbone-damaged`.
 */
export function validate(graph: Graph): void {
  const defined = new Set<string>()
  const define = (name: string): void => {
    if (defined.has(name)) throw wrong(`the value "${name}" is defined twice`)
    defined.add(name)
  }
  for (const input of graph.inputs) {
    if (input.name === '') throw wrong('an input has no name')
    define(input.name)
  }
  for (const name of graph.initialisers.keys()) define(name)
  for (const node of graph.nodes) {
    for (const name of node.inputs) {
      if (name !== '' && !defined.has(name)) {
        throw wrong(`"${node.name || node.op}" uses "${name}", which nothing before it gives`)
      }
    }
    for (const name of node.outputs) if (name !== '') define(name)
  }
  const outputs = new Set<string>()
  for (const output of graph.outputs) {
    if (!defined.has(output.name)) throw wrong(`nothing gives the output "${output.name}"`)
    if (outputs.has(output.name)) throw wrong(`the output "${output.name}" is listed twice`)
    outputs.add(output.name)
  }
}
