import { createRandom } from '#shared/domain/random.ts'
import { trainingStep } from '../autodiff/step.ts'
import type { StepPlan, TrainingStep } from '../autodiff/step.ts'
import { drawMask } from '../autodiff/training-form.ts'
import { gather } from '../autodiff/layout.ts'
import type { Engine, GraphSession } from '../engines/engine.ts'
import { elementCount, float32, scalar } from '../graph/tensor.ts'
import type { Tensor } from '../graph/types.ts'
import type { Network } from '../models/network.ts'
import { TrainingState } from './state.ts'

/** What a step learns from. Arrays are read during the step only. */
export interface TrainingBatch {
  /** What the network takes, `[rows, …]`. */
  x: Float32Array
  /** [rows, classes], each row sums to 1. */
  targets: Float32Array
  /** [rows] */
  weights: Float32Array
  rows: number
}

export interface StepFigures {
  loss: number
  /** Rows whose class was on top. */
  correct: number
  /** Euclidean length of the whole gradient, before clipping. */
  gradientNorm: number
}

export interface StepSettings {
  learningRate: number
  /** Counted from 1 over the whole training. */
  step: number
  /** Share of the old value in running statistics, and in the average of the parameters. */
  statisticsKeep: number
  averageDecay: number
}

/**
 * Runs training steps: the state double buffered, masks of dropout drawn from the seed and the step's number, so that any
 * step can be repeated.
 *
 * One session per batch size, and each takes memory of its own. The last batch of an epoch is usually shorter: where rows
 * have nothing to do with each other (no batch statistics, no masks) it is filled up with rows that weigh nothing, which
 * changes no gradient.
 */
export class StepRunner {
  readonly state: TrainingState
  private readonly engine: Engine
  private readonly network: Network
  private readonly plan: Omit<StepPlan, 'batch'>
  private readonly seed: number
  private readonly prepared = new Map<number, Promise<{ step: TrainingStep; session: GraphSession }>>()
  private readonly rowsAreIndependent: boolean
  /** The longest batch so far. */
  private longest = 0

  constructor(engine: Engine, network: Network, plan: Omit<StepPlan, 'batch'>, seed: number) {
    this.engine = engine
    this.network = network
    this.plan = plan
    this.seed = seed
    // The layout of the state does not depend on the batch size.
    const { layout, state, masks } = trainingStep(network, { ...plan, batch: 1 })
    this.rowsAreIndependent = network.statistics.length === 0 && masks.length === 0
    const { parameters, statistics } = gather(network, layout)
    this.state = new TrainingState(
      new Map(
        state.map(({ name, length }): [string, Float32Array] => {
          const [kind, group] = name.split('/')
          if (kind === 'statistics') return [name, statistics]
          const starts = kind === 'parameters' || kind === 'average'
          return [name, starts ? parameters[Number(group)]! : new Float32Array(length)]
        }),
      ),
      engine.real,
    )
  }

  async run(given: TrainingBatch, settings: StepSettings): Promise<StepFigures> {
    this.longest = Math.max(this.longest, given.rows)
    const batch = this.rowsAreIndependent ? filledUp(given, this.longest) : given
    const { step, session } = await this.prepare(batch.rows)
    const figures = { loss: null, correct: null, gradient_norm: null }
    const result = await session.run(this.feeds(step, batch, settings), {
      ...figures,
      ...this.state.targets(),
    })
    const number = (name: string): number => Number(result[name]!.data[0])
    const outcome = {
      loss: number('loss'),
      correct: number('correct'),
      gradientNorm: number('gradient_norm'),
    }
    // A step that broke down leaves the numbers before it in place.
    if (Number.isFinite(outcome.loss) && Number.isFinite(outcome.gradientNorm)) this.state.advance()
    return outcome
  }

  async dispose(): Promise<void> {
    for (const opened of this.prepared.values()) await (await opened).session.dispose()
    this.prepared.clear()
  }

  private prepare(rows: number): Promise<{ step: TrainingStep; session: GraphSession }> {
    const known = this.prepared.get(rows)
    if (known) return known
    const step = trainingStep(this.network, { ...this.plan, batch: rows })
    const opening = this.engine
      .open(step.graph, { purpose: 'training' })
      .then((session) => ({ step, session }))
    this.prepared.set(rows, opening)
    return opening
  }

  private feeds(step: TrainingStep, batch: TrainingBatch, settings: StepSettings): Record<string, Tensor> {
    const feeds: Record<string, Tensor> = { ...this.state.feeds() }
    const [input] = this.network.graph.inputs
    const shape = [batch.rows, ...input!.shape!.slice(1).map(Number)]
    feeds[input!.name] = float32(shape, batch.x.subarray(0, elementCount(shape)))
    const classes = batch.targets.length / batch.rows
    feeds['targets'] = float32([batch.rows, classes], batch.targets)
    feeds['row_weights'] = float32([batch.rows], batch.weights)
    feeds['learning_rate'] = scalar(settings.learningRate)
    for (const [name, value] of Object.entries(this.plan.optimiser.scalars(settings.step)))
      feeds[`scalar/${name}`] = scalar(value)
    if (this.network.statistics.length > 0) feeds['statistics_keep'] = scalar(settings.statisticsKeep)
    if (this.plan.average) feeds['average_decay'] = scalar(settings.averageDecay)
    const random = createRandom(this.seed, `dropout ${settings.step}`)
    for (const mask of step.masks) {
      const values = new Float32Array(elementCount(mask.shape))
      drawMask(mask, random.float, values)
      feeds[mask.name] = float32(mask.shape, values)
    }
    return feeds
  }
}

/** With rows of zeros behind its own, which weigh nothing. */
function filledUp(batch: TrainingBatch, rows: number): TrainingBatch {
  if (batch.rows === rows) return batch
  const longer = (values: Float32Array, perRow: number): Float32Array => {
    const whole = new Float32Array(perRow * rows)
    whole.set(values.subarray(0, perRow * batch.rows))
    return whole
  }
  return {
    rows,
    x: longer(batch.x, Math.floor(batch.x.length / batch.rows)),
    targets: longer(batch.targets, batch.targets.length / batch.rows),
    weights: longer(batch.weights, 1),
  }
}
