import { KestrelError } from '#shared/errors/index.ts'
import type { Graph, Tensor, ValueInfo } from '../../graph/types.ts'
import { ownOpset } from '../../graph/types.ts'
import { upgradeOpset } from '../../graph/upgrade.ts'
import type { Engine, Feeds, GraphSession } from '../engine.ts'
import { Call } from './kernel.ts'
import { kernelOf } from './kernels/index.ts'
import { kept, valueOf } from './value.ts'
import type { Value } from './value.ts'

/**
 * The graph read aloud: every operator in plain 64-bit TypeScript, one after the other, as ONNX's pages and the papers
 * define it. Slow and obviously right; it lowers nothing, fuses nothing and shares nothing with the engines it judges.
 * Real numbers are 64-bit whatever the graph calls them, so rounding to 32 or 16 bits is not imitated.
 */
export const referenceEngine: Engine = {
  id: 'reference',
  device: 'cpu',
  real: 'float64',
  open: (graph) => Promise.resolve().then(() => new ReferenceSession(upgradeOpset(graph))),
}

/** Operators of a graph that the reference engine cannot compute, by name (`domain::Operator` outside ONNX's own). */
export function missingOperators(graph: Graph): string[] {
  const missing = graph.nodes.filter(({ domain, op }) => kernelOf(domain, op) === undefined)
  return [...new Set(missing.map(({ domain, op }) => (domain === '' ? op : `${domain}::${op}`)))].sort()
}

class ReferenceSession implements GraphSession {
  private readonly graph: Graph
  private readonly constants: ReadonlyMap<string, Value>
  private open = true

  constructor(graph: Graph) {
    const missing = missingOperators(graph)
    if (missing.length > 0)
      throw new KestrelError(
        'operator-unsupported',
        `This network uses operators that the reference engine lacks: ${missing.join(', ')}.`,
      )
    this.graph = graph
    this.constants = new Map([...graph.initialisers].map(([name, value]) => [name, valueOf(value)]))
  }

  run(feeds: Feeds, wanted?: Readonly<Record<string, Tensor | null>>): Promise<Record<string, Tensor>> {
    return Promise.resolve().then(() => this.compute(feeds, wanted))
  }

  dispose(): Promise<void> {
    this.open = false
    return Promise.resolve()
  }

  private compute(
    feeds: Feeds,
    wanted: Readonly<Record<string, Tensor | null>> = Object.fromEntries(
      this.graph.outputs.map(({ name }) => [name, null]),
    ),
  ): Record<string, Tensor> {
    if (!this.open) throw new KestrelError('internal', 'A network was used after it had been closed.')
    const values = new Map(this.constants)
    for (const info of this.graph.inputs) values.set(info.name, fed(info, feeds))
    const opset = this.graph.opsets.get('') ?? ownOpset
    for (const node of this.needed(Object.keys(wanted))) {
      const kernel = kernelOf(node.domain, node.op)!
      const inputs = node.inputs.map((name) => (name === '' ? undefined : values.get(name)))
      const results = kernel(new Call(node, opset, inputs))
      node.outputs.forEach((name, index) => {
        const result = results[index]
        if (name !== '' && result !== undefined) values.set(name, result)
      })
    }
    return Object.fromEntries(
      Object.entries(wanted).map(([name, into]) => [name, handedOut(name, values.get(name), into)]),
    )
  }

  /** The nodes that some of the outputs depend on. */
  private needed(outputs: readonly string[]): Graph['nodes'] {
    const names = new Set(outputs)
    const nodes = this.graph.nodes.toReversed().filter((node) => {
      if (!node.outputs.some((name) => names.has(name))) return false
      for (const name of node.inputs) names.add(name)
      return true
    })
    return nodes.toReversed()
  }
}

function fed({ name, type, shape }: ValueInfo, feeds: Feeds): Value {
  const given = feeds[name]
  if (given === undefined) throw new KestrelError('bad-request', `The input "${name}" was not given.`)
  const fits =
    shape === null ||
    (shape.length === given.shape.length &&
      shape.every((size, axis) => typeof size !== 'number' || size === given.shape[axis]))
  if (!fits)
    throw new KestrelError(
      'bad-request',
      `The input "${name}" has the shape [${shape.join(', ')}] and got [${given.shape.join(', ')}].`,
    )
  const value = valueOf(given)
  if (type !== null && kept(type) !== value.type)
    throw new KestrelError('bad-request', `The input "${name}" is ${type} and got ${given.type}.`)
  return value
}

/** A copy, so that nobody outside shares numbers with a constant or with what was fed in. */
function handedOut(name: string, value: Value | undefined, into: Tensor | null): Tensor {
  if (value === undefined) throw new KestrelError('bad-request', `The network has no output "${name}".`)
  if (into === null) return { ...value, data: value.data.slice() } as Value
  if (into.type !== value.type || into.data.length !== value.data.length)
    throw new KestrelError(
      'bad-request',
      `The output "${name}" is ${value.type} [${value.shape.join(', ')}] and was to go into ${into.type} [${into.shape.join(', ')}].`,
    )
  const to = into.data as { [index: number]: Value['data'][number] }
  value.data.forEach((each: Value['data'][number], index: number) => (to[index] = each))
  return into
}
