import type { TrainRequest } from '#shared/contract/trainer.ts'
import { groupRate } from '#shared/domain/training/config.ts'
import { KestrelError } from '#shared/errors/index.ts'
import { layoutOf, scatter } from '../autodiff/layout.ts'
import type { ParameterGroup } from '../autodiff/layout.ts'
import { engineFor } from '../engines/choose.ts'
import { asSoftmax } from '../head/objective.ts'
import type { EarlierHead } from '../head/store.ts'
import type { RequestContext } from '../host/context.ts'
import { composeBatchClassifier } from '../models/classifier.ts'
import { attachHead } from '../models/fine-tune.ts'
import type { Split } from '../models/fine-tune.ts'
import type { LinearHead } from '../models/linear-head.ts'
import type { Network } from '../models/network.ts'
import { Boundary } from './boundary.ts'
import { checkpointOf } from './checkpoint-place.ts'
import type { FitOutcome } from './fit.ts'
import { goalFor } from '../distill/goal-for.ts'
import { withImitation, withoutImitation } from '../distill/imitation.ts'
import type { Goal } from './goal.ts'
import { GradientFit } from './gradient-fit.ts'
import { groupsOf } from './groups.ts'
import { secondsSince } from './outcome.ts'
import type { TrainingData } from './training-data.ts'

export type Which = 'selection' | 'final'

interface Opened {
  learner: GradientFit
  network: Network
  /** Columns of its last layer in front of the classes. */
  imitated: number
}

/** The two rounds of a fine-tuning: with the validation pictures as judges, and with them among those learned from. */
export class Tuning {
  private readonly request: TrainRequest
  private readonly context: RequestContext
  private readonly data: TrainingData
  private readonly parts: Split
  private readonly head: EarlierHead
  private readonly learners = new Map<Which, Opened>()
  private boundary: Promise<Boundary> | null = null
  private goal: Promise<Goal> | null = null
  private epochsBefore = 0

  constructor(
    request: TrainRequest,
    context: RequestContext,
    data: TrainingData,
    parts: Split,
    head: EarlierHead,
  ) {
    this.request = request
    this.context = context
    this.data = data
    this.parts = parts
    this.head = head
  }

  async round(which: Which, train: readonly number[], val: readonly number[]): Promise<FitOutcome> {
    const { request, context } = this
    const { learner } = await this.open(which)
    const fitting = request.gradients!.fitting
    const began = performance.now()
    context.progress('fitting', 0, fitting.epochs * train.length)
    return await learner.run({
      ...{ train, val },
      shouldStop: () => context.stop.asked !== null,
      onEpoch: (metric) => context.metric({ ...metric, step: metric.step + this.epochsBefore }),
      onBatch: (done, total) => {
        const seconds = secondsSince(began)
        context.progress('fitting', done, Math.max(total, done + 1), seconds > 0.5 ? done / seconds : null)
      },
      checkpoint: checkpointOf(request, this.data, which),
    })
  }

  /** The second round. Stopped in it, what it has reached so far is the model. */
  async again(epochsBefore: number): Promise<FitOutcome | null> {
    this.epochsBefore = epochsBefore
    // Memory for the second round; its sessions open again when the first one is asked.
    await this.learners.get('selection')?.learner.dispose()
    try {
      const outcome = await this.round('final', this.data.rows('train', 'val'), [])
      // Half a second round has seen less than the whole first one.
      return outcome.stopped === null || outcome.stopped === 'early' ? outcome : null
    } catch (error) {
      // The first round's model is whole, so that this is no failure; the cause is for the log.
      if (!(error instanceof KestrelError && ['stopped', 'training-diverged'].includes(error.code)))
        console.error('the second round ended before its time:', error)
      return null
    }
  }

  async predict(which: Which, rows: readonly number[], outcome: FitOutcome): Promise<Float32Array> {
    const { learner } = await this.open(which)
    return await learner.predict(rows, outcome.vectors)
  }

  /** Trunk, adapted blocks and head as one file. */
  model(which: Which, outcome: FitOutcome): Uint8Array {
    const { learner, network, imitated } = this.learners.get(which)!
    const layout = layoutOf(network, this.groups(network))
    const trained = scatter(network.graph, layout, learner.answering(outcome.vectors))
    return composeBatchClassifier({
      trunk: this.parts.trunk,
      head: withoutImitation(trained, imitated),
      preprocessing: this.request.backbone!.preprocessing,
      classes: this.request.classes,
    })
  }

  async dispose(): Promise<void> {
    for (const { learner } of this.learners.values()) await learner.dispose()
    this.learners.clear()
    await (await this.boundary)?.dispose()
  }

  private groups(network: Network): ParameterGroup[] {
    const { fitting } = this.request.gradients!
    const head = this.parts.blocks.length
    return groupsOf(network, fitting.regularisation, (block) =>
      groupRate(fitting, block === head ? 'head' : 'base'),
    )
  }

  private async open(which: Which): Promise<Opened> {
    const known = this.learners.get(which)
    if (known) return known
    const { request, data } = this
    const { fitting, augmentation, unfreezeAtOnce } = request.gradients!
    const start = unfreezeAtOnce
      ? { classes: request.classes.length, seed: request.seed }
      : linearHead(this.head, which)
    this.goal ??= goalFor(request, data, this.context)
    const goal = await this.goal
    const network = withImitation(attachHead(this.parts, start), goal.imitated, request.seed)
    const engine = await engineFor(request.engine)
    // Both rounds have the same frozen part: what it gives for a picture is computed once for both.
    this.boundary ??= Boundary.open(engine, this.parts.trunk)
    const learner = new GradientFit({
      ...{ network, fitting, augmentation, data, engine },
      boundary: await this.boundary,
      groups: this.groups(network),
      goal,
      seed: request.seed,
    })
    const opened = { learner, network, imitated: goal.imitated }
    this.learners.set(which, opened)
    return opened
  }
}

function linearHead(head: EarlierHead, which: Which): LinearHead {
  const { classes, featureLength, objective } = head.file
  const fitted = head.array(which)
  const weights = classes.length * featureLength
  if (fitted?.length !== weights + classes.length)
    throw new KestrelError('model-unreadable', 'The classifier of this training is damaged.')
  const point = asSoftmax(objective, fitted)
  return {
    weights: point.subarray(0, weights),
    bias: point.subarray(weights),
    featureMean: head.scaling.mean,
    featureScale: head.scaling.factor.map((factor) => 1 / factor),
  }
}
