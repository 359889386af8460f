import { producers, usedBy } from '../../../graph/edit.ts'
import { numbers } from '../../../graph/tensor.ts'
import type { Graph, Node, Tensor } from '../../../graph/types.ts'

/** Who writes and who reads the values of a graph. */
export class GraphView {
  readonly graph: Graph
  private readonly makers: ReadonlyMap<string, Node>
  private readonly readersOf = new Map<string, Node[]>()
  private readonly outputs: ReadonlySet<string>
  private readonly taken: Set<string>

  constructor(graph: Graph) {
    this.graph = graph
    this.makers = producers(graph)
    this.outputs = new Set(graph.outputs.map(({ name }) => name))
    for (const node of graph.nodes)
      for (const name of new Set(usedBy(node)))
        this.readersOf.set(name, [...(this.readersOf.get(name) ?? []), node])
    this.taken = new Set([
      ...graph.inputs.map(({ name }) => name),
      ...graph.initialisers.keys(),
      ...this.makers.keys(),
    ])
  }

  /** The node that gives a value, if it is this operator. */
  maker(name: string | undefined, op: string, domain = ''): Node | undefined {
    const node = this.makers.get(name ?? '')
    return node?.op === op && node.domain === domain ? node : undefined
  }

  readers(name: string): readonly Node[] {
    return this.readersOf.get(name) ?? []
  }

  /** The one node that reads a value, where nobody else does and the outside does not see it. */
  onlyReader(name: string): Node | undefined {
    const readers = this.readers(name)
    return readers.length === 1 && !this.outputs.has(name) ? readers[0] : undefined
  }

  /** Whether these nodes, and nobody else, read a value. */
  isReadBy(name: string, nodes: readonly (Node | undefined)[]): boolean {
    return !this.outputs.has(name) && this.readers(name).every((reader) => nodes.includes(reader))
  }

  /** A constant that is one number. */
  number(name: string | undefined): number | undefined {
    const value = this.graph.initialisers.get(name ?? '')
    return value?.data.length === 1 && value.type !== 'string' ? numbers(value)[0] : undefined
  }

  /** A name that nothing has yet. */
  fresh(wanted: string): string {
    let name = wanted
    for (let count = 2; this.taken.has(name); count++) name = `${wanted}_${count}`
    this.taken.add(name)
    return name
  }
}

/** What takes the place of nodes, and constants that it needs. */
export class Edit {
  readonly view: GraphView
  private readonly replaced = new Map<Node, readonly Node[]>()
  private readonly constants = new Map<string, Tensor>()

  constructor(view: GraphView) {
    this.view = view
  }

  /** Whether a node has been replaced already: two rewritings of the same node would contradict each other. */
  touches(...nodes: readonly Node[]): boolean {
    return nodes.some((node) => this.replaced.has(node))
  }

  replace(node: Node, by: readonly Node[]): void {
    this.replaced.set(node, by)
  }

  constant(wanted: string, value: Tensor): string {
    const name = this.view.fresh(wanted)
    this.constants.set(name, value)
    return name
  }

  /** A node with one output. */
  node(
    op: string,
    inputs: readonly string[],
    output: string,
    { attributes = {}, domain = '' }: { attributes?: Node['attributes']; domain?: string } = {},
  ): Node {
    return { name: output, op, domain, inputs, outputs: [output], attributes }
  }

  apply(): Graph {
    const { graph } = this.view
    if (this.replaced.size === 0) return graph
    return {
      ...graph,
      nodes: inOrder(graph.nodes.flatMap((node) => this.replaced.get(node) ?? [node])),
      initialisers: new Map([...graph.initialisers, ...this.constants]),
    }
  }
}

/** Nodes after those whose values they read, otherwise in the order given. */
export function inOrder(nodes: readonly Node[]): Node[] {
  const makers = new Map(nodes.flatMap((node) => node.outputs.map((name) => [name, node] as const)))
  const done = new Set<Node>()
  const ordered: Node[] = []
  const visit = (node: Node): void => {
    if (done.has(node)) return
    done.add(node)
    for (const name of usedBy(node)) {
      const maker = makers.get(name)
      if (maker !== undefined) visit(maker)
    }
    ordered.push(node)
  }
  nodes.forEach(visit)
  return ordered
}
