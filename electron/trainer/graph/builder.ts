import { KestrelError } from '#shared/errors/index.ts'
import { usedBy, withInputs } from './edit.ts'
import { ownOpset } from './types.ts'
import type { Attributes, Graph, Node, Tensor, ValueInfo } from './types.ts'

/**
 * Writes a graph down node by node. Names are made unique here, so that callers may use speaking names freely.
 */
export class GraphBuilder {
  private readonly taken = new Set<string>()
  private readonly inputs: ValueInfo[] = []
  private readonly outputs: ValueInfo[] = []
  private readonly nodeList: Node[] = []
  private readonly initialisers = new Map<string, Tensor>()
  private readonly name: string
  private readonly opsets: ReadonlyMap<string, number>

  constructor(name: string, opsets: ReadonlyMap<string, number> = new Map([['', ownOpset]])) {
    this.name = name
    this.opsets = opsets
  }

  /** `wanted`, or `wanted_2`, `wanted_3` … when it is taken. */
  unique(wanted: string): string {
    let name = wanted
    for (let count = 2; this.taken.has(name); count++) name = `${wanted}_${count}`
    this.taken.add(name)
    return name
  }

  input(info: ValueInfo): string {
    const name = this.unique(info.name)
    this.inputs.push({ ...info, name })
    return name
  }

  constant(wanted: string, value: Tensor): string {
    const name = this.unique(wanted)
    this.initialisers.set(name, value)
    return name
  }

  /** Adds a node with one output and returns the name of that output, which is also the node's. */
  node(op: string, inputs: readonly string[], attributes: Attributes = {}, wanted: string = op): string {
    const name = this.unique(wanted)
    this.nodeList.push({ name, op, domain: '', inputs, outputs: [name], attributes })
    return name
  }

  /** Adds a node with several outputs, or of another domain than ONNX's own, and returns the names of its outputs. */
  nodes(
    op: string,
    inputs: readonly string[],
    outputs: number,
    attributes: Attributes = {},
    { wanted = op, domain = '' }: { wanted?: string; domain?: string } = {},
  ): string[] {
    const name = this.unique(wanted)
    const names = [name, ...Array.from({ length: outputs - 1 }, () => this.unique(wanted))]
    this.nodeList.push({ name, op, domain, inputs, outputs: names, attributes })
    return names
  }

  /** Adds a node as it stands elsewhere, with other inputs. Returns the names of its outputs; `''` stays. */
  copy(node: Node, inputs: readonly string[]): string[] {
    const outputs = node.outputs.map((name) => (name === '' ? '' : this.unique(name)))
    // Runtimes want the names of nodes to be unique as well.
    this.nodeList.push({ ...node, name: outputs.find((name) => name !== '') ?? '', inputs, outputs })
    return outputs
  }

  /**
   * Copies another graph in. `bindings` gives for each of its inputs the value here that takes its place; the result
   * gives for each of its values the name it has here. New names begin with `prefix`.
   */
  embed(graph: Graph, bindings: ReadonlyMap<string, string>, prefix = ''): (name: string) => string {
    const names = new Map(bindings)
    const renamed = (name: string): string => {
      const known = name === '' ? '' : names.get(name)
      if (known === undefined) throw new KestrelError('internal', `The value "${name}" is not bound.`)
      return known
    }
    for (const input of graph.inputs) renamed(input.name)
    for (const [name, value] of graph.initialisers) names.set(name, this.constant(prefix + name, value))
    for (const node of graph.nodes) {
      const inputs = node.inputs.map(renamed)
      const outputs = node.outputs.map((name) => {
        if (name === '') return ''
        const own = this.unique(prefix + name)
        names.set(name, own)
        return own
      })
      this.nodeList.push({ ...node, name: node.name === '' ? '' : prefix + node.name, inputs, outputs })
    }
    return renamed
  }

  /** Makes `value` an output of the graph, under the name that `info` gives it. */
  output(value: string, info: ValueInfo): void {
    const producer = this.nodeList.find((node) => node.outputs.includes(value))
    const listed = this.outputs.some((other) => other.name === value)
    if (value === info.name && !listed) {
      this.outputs.push(info)
      return
    }
    if (this.taken.has(info.name)) this.moveAside(info.name)
    this.taken.add(info.name)
    if (producer === undefined || listed) {
      this.nodeList.push({
        name: info.name,
        op: 'Identity',
        domain: '',
        inputs: [value],
        outputs: [info.name],
        attributes: {},
      })
    } else {
      this.swap(value, info.name)
    }
    this.outputs.push(info)
  }

  private swap(from: string, to: string): void {
    const names = new Map([[from, to]])
    this.nodeList.forEach((node, index) => {
      if (!usedBy(node).includes(from) && !node.outputs.includes(from)) return
      const outputs = node.outputs.map((name) => names.get(name) ?? name)
      this.nodeList[index] = { ...withInputs(node, names), outputs }
    })
  }

  /** Gives a value inside the graph another name. What the outside knows by its name stays: throws `internal`. */
  private moveAside(name: string): void {
    const outside = [...this.inputs, ...this.outputs].some((info) => info.name === name)
    if (outside) {
      throw new KestrelError('internal', `The name "${name}" is taken in the graph "${this.name}".`)
    }
    const free = this.unique(name)
    this.swap(name, free)
    const constant = this.initialisers.get(name)
    if (constant === undefined) return
    this.initialisers.delete(name)
    this.initialisers.set(free, constant)
  }

  build(metadata: ReadonlyMap<string, string> = new Map()): Graph {
    return {
      name: this.name,
      inputs: this.inputs,
      outputs: this.outputs,
      initialisers: this.initialisers,
      nodes: this.nodeList,
      opsets: this.opsets,
      metadata,
      producer: '',
    }
  }
}
