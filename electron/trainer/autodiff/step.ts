import { targetLength } from '#shared/domain/distillation/objective.ts'
import { GraphBuilder } from '../graph/builder.ts'
import { int64s, scalar } from '../graph/tensor.ts'
import { int } from '../graph/types.ts'
import type { Graph, Tensor, ValueInfo } from '../graph/types.ts'
import type { Network } from '../models/network.ts'
import { differentiate } from './differentiate.ts'
import { layoutOf } from './layout.ts'
import type { Layout, ParameterGroup, Piece } from './layout.ts'
import { writeLoss } from './losses.ts'
import type { StepLoss } from './losses.ts'
import type { Optimiser } from './optimisers/types.ts'
import { averaged, clipByGlobalNorm, penalised } from './regularisers.ts'
import { bindBatch, trainingForm, withoutDropout } from './training-form.ts'
import type { DropoutMask } from './training-form.ts'

export interface StepPlan {
  batch: number
  groups: readonly ParameterGroup[]
  loss: StepLoss
  optimiser: Optimiser
  /** Largest allowed norm of the whole gradient, or null. */
  clipNorm: number | null
  /** Whether an exponential moving average of the parameters is kept (its decay is fed as `average_decay`). */
  average: boolean
}

/**
 * One training step as a graph: forward, loss, backward, update.
 *
 * Inputs: the network's own (with this batch size); `targets` [batch, classes] (a student's: see
 * `targetLength`); `row_weights` [batch]; `learning_rate`;
 * the optimiser's scalars as `scalar/NAME`; `statistics_keep` (share of the old running statistics) and `average_decay`
 * where they are used; masks of dropout; and the state: `parameters/G`, `slot/G/NAME`, `average/G`, `statistics`.
 * Outputs: `loss` (without penalties), `correct`, `gradient_norm` (before clipping), and the state of the next step under
 * `next/…`.
 */
export interface TrainingStep {
  graph: Graph
  layout: Layout
  masks: readonly DropoutMask[]
  /** Names of the state, each with its length; the outputs have `next/` before them. */
  state: readonly { name: string; length: number }[]
}

export function trainingStep(network: Network, plan: StepPlan): TrainingStep {
  const layout = layoutOf(network, plan.groups)
  const form = trainingForm(bindBatch(network.graph, plan.batch), network)
  const pen = new StepPen(form.graph, layout)
  const g = pen.builder
  const { logits, classes } = pen.forward(form.graph)
  const columns = plan.loss.kind === 'distillation' ? targetLength(plan.loss) : classes
  const targets = pen.input('targets', [plan.batch, columns])
  const rowWeights = pen.input('row_weights', [plan.batch])
  const { loss, correct } = writeLoss(plan.loss, { builder: g, logits, targets, rowWeights, classes })
  const gradients = differentiate(g, { of: loss, wrt: [...pen.parameters.values()] })

  const flatGradients = layout.groups.map((group, index) => {
    const parts = group.pieces.map(({ name }) => pen.flat(gradients.get(pen.parameters.get(name)!)!))
    const gradient = parts.length === 1 ? parts[0]! : g.node('Concat', parts, { axis: int(0) }, 'gradient')
    return penalised(g, { gradient, parameters: pen.groups[index]!, l1: group.l1, l2: group.l2 })
  })
  const clipped = clipByGlobalNorm(g, flatGradients, plan.clipNorm)
  const rate = pen.input('learning_rate', [])
  const scalars = Object.fromEntries(
    Object.keys(plan.optimiser.scalars(1)).map((name) => [name, pen.input(`scalar/${name}`, [])]),
  )
  const decay = plan.average ? pen.input('average_decay', []) : null
  const outputs: [string, string, number][] = []
  layout.groups.forEach((group, index) => {
    const { length } = group
    const parameters = pen.groups[index]!
    const slots = Object.fromEntries(
      plan.optimiser.slots.map((slot) => [slot, pen.input(`slot/${index}/${slot}`, [length])]),
    )
    const next = plan.optimiser.build({
      builder: g,
      parameters,
      gradient: clipped.gradients[index]!,
      slots,
      scalars,
      learningRate:
        group.learningRateFactor === 1 ? rate : g.node('Mul', [rate, pen.number(group.learningRateFactor)]),
      weightDecay: group.weightDecay,
    })
    outputs.push([`parameters/${index}`, next.parameters, length])
    for (const [slot, value] of Object.entries(next.slots))
      outputs.push([`slot/${index}/${slot}`, value, length])
    if (decay !== null) {
      const average = pen.input(`average/${index}`, [length])
      outputs.push([`average/${index}`, averaged(g, { average, parameters: next.parameters, decay }), length])
    }
  })
  if (layout.statistics.length > 0) {
    const keep = pen.input('statistics_keep', [])
    const ofBatch = g.node(
      'Concat',
      form.statistics.flatMap(({ mean, variance }) => [pen.named(mean), pen.named(variance)]),
      { axis: int(0) },
      'batch_statistics',
    )
    outputs.push([
      'statistics',
      averaged(g, { average: pen.statistics, parameters: ofBatch, decay: keep }),
      layout.statistics.length,
    ])
  }
  const whole = (name: string, value: string): void => g.output(value, { name, type: 'float32', shape: [] })
  whole('loss', loss)
  whole('correct', correct)
  whole('gradient_norm', clipped.norm)
  for (const [name, value, length] of outputs)
    g.output(value, { name: `next/${name}`, type: 'float32', shape: [length] })
  return {
    graph: g.build(),
    layout,
    masks: form.masks,
    state: outputs.map(([name, , length]) => ({ name, length })),
  }
}

/**
 * The network as it answers, with its numbers as inputs (`parameters/G`, `statistics`) and `logits` as output: judges
 * after every epoch without a new session.
 */
export function evaluationGraph(network: Network, groups: readonly ParameterGroup[], batch: number): Graph {
  const layout = layoutOf(network, groups)
  const graph = bindBatch(withoutDropout(network.graph), batch)
  const pen = new StepPen(graph, layout)
  const { logits, classes } = pen.forward(graph)
  pen.builder.output(logits, { name: 'logits', type: 'float32', shape: [batch, classes] })
  return pen.builder.build()
}

/** Writes a network down whose numbers come from flat vectors that are fed in. */
class StepPen {
  readonly builder: GraphBuilder
  /** Flat vector of each group. */
  readonly groups: string[]
  readonly statistics: string
  /** By initialiser: the value that stands for it. */
  readonly parameters = new Map<string, string>()
  private readonly statisticsOf = new Map<string, string>()
  private inside: (name: string) => string = (name) => name

  constructor(graph: Graph, layout: Layout) {
    this.builder = new GraphBuilder('training-step', graph.opsets)
    this.groups = layout.groups.map(({ length }, index) => this.input(`parameters/${index}`, [length]))
    this.statistics = layout.statistics.length > 0 ? this.input('statistics', [layout.statistics.length]) : ''
    layout.groups.forEach(({ pieces }, index) => this.split(this.groups[index]!, pieces, this.parameters))
    if (this.statistics !== '') this.split(this.statistics, layout.statistics.pieces, this.statisticsOf)
  }

  input(name: string, shape: readonly number[]): string {
    return this.builder.input({ name, type: 'float32', shape })
  }

  number(value: number): string {
    return this.builder.constant('number', scalar(value))
  }

  flat(value: string): string {
    return this.builder.node('Reshape', [value, this.builder.constant('flat', int64s([-1]))], {}, 'flat')
  }

  /** Copies the network in; its parameters and statistics are the pieces of the flat vectors. */
  forward(graph: Graph): { logits: string; classes: number } {
    const fed = new Map([...this.parameters, ...this.statisticsOf])
    const bindings = new Map(fed)
    for (const info of graph.inputs) bindings.set(info.name, this.builder.input(info))
    const asInput = (name: string): ValueInfo => ({ name, type: 'float32', shape: null })
    const open: Graph = {
      ...graph,
      inputs: [...graph.inputs, ...[...fed.keys()].map(asInput)],
      initialisers: new Map<string, Tensor>([...graph.initialisers].filter(([name]) => !fed.has(name))),
    }
    this.inside = this.builder.embed(open, bindings)
    const output = graph.outputs[0]!
    return { logits: this.inside(output.name), classes: Number(output.shape?.at(-1)) }
  }

  /** The name that a value of the network has here. */
  named(name: string): string {
    return this.inside(name)
  }

  private split(flat: string, pieces: readonly Piece[], into: Map<string, string>): void {
    if (pieces.length === 0) return
    const sizes = this.builder.constant('sizes', int64s(pieces.map(({ length }) => length)))
    const parts =
      pieces.length === 1
        ? [flat]
        : this.builder.nodes('Split', [flat, sizes], pieces.length, { axis: int(0) }, { wanted: 'piece' })
    pieces.forEach(({ name, shape }, index) => {
      const target = this.builder.constant('shape', int64s(shape))
      into.set(name, this.builder.node('Reshape', [parts[index]!, target], {}, name))
    })
  }
}
