import { classWeightsOf, rowWeightsOf } from '#shared/domain/training/class-weights.ts'
import type { FittingConfig } from '#shared/domain/training/config.ts'
import { guessingLoss } from '#shared/domain/training/explosion.ts'
import { mixTargets, type MixingDraw } from '#shared/domain/training/mixing.ts'
import type { StepLoss } from '../autodiff/losses.ts'
import type { Judgement } from './fit.ts'
import { judgeLogits, probabilitiesOf } from './judge.ts'

/** What a network is to learn from its pictures, and how well it does. Rows are those of the training's pictures. */
export interface Goal {
  readonly loss: StepLoss
  /** Losses of a network that knows nothing, of steps and as judged. */
  readonly guessing: { training: number; judged: number }
  /** Columns that the last layer gives in front of the classes: what is imitated beside them. */
  readonly imitated: number
  /** @param train rows that are learned from. @returns what a step is given for a batch. */
  lessons(train: readonly number[]): (rows: Int32Array, mixing: MixingDraw) => Lesson
  /** @param outputs what the network gives for these rows, one behind the other. */
  judge(outputs: Float32Array, rows: readonly number[]): Judgement
  /** @returns probabilities [rows, classes] out of what the network gives. */
  answers(outputs: Float32Array): Float32Array
}

export interface Lesson {
  /** [rows, columns of the loss] */
  targets: Float32Array
  /** [rows] */
  weights: Float32Array
}

/** The right label of every picture: what all trainings with labels learn. */
export class ClassificationGoal implements Goal {
  readonly imitated = 0
  readonly loss: StepLoss
  readonly guessing: Goal['guessing']
  private readonly labels: Int32Array
  private readonly classes: number
  private readonly classWeights: FittingConfig['classWeights']

  /** @param labels class of each row */
  constructor(
    labels: Int32Array,
    classes: number,
    { loss, classWeights }: Pick<FittingConfig, 'loss' | 'classWeights'>,
  ) {
    this.labels = labels
    this.classes = classes
    this.classWeights = classWeights
    this.loss = loss
    const training = guessingLoss(loss, classes)
    this.guessing = { training, judged: Math.max(training, Math.log(classes)) }
  }

  lessons(train: readonly number[]): (rows: Int32Array, mixing: MixingDraw) => Lesson {
    const { labels, classes } = this
    const counts = new Array<number>(classes).fill(0)
    for (const row of train) counts[labels[row]!]! += 1
    const classWeights = classWeightsOf(this.classWeights, counts)
    return (rows, mixing) => {
      const own = new Float32Array(rows.length * classes)
      rows.forEach((row, i) => (own[i * classes + labels[row]!] = 1))
      const targets = mixTargets(mixing, own)
      return { targets, weights: rowWeightsOf(targets, classWeights) }
    }
  }

  judge(outputs: Float32Array, rows: readonly number[]): Judgement {
    return judgeLogits(
      outputs,
      rows.map((row) => this.labels[row]!),
      this.classes,
    )
  }

  answers(outputs: Float32Array): Float32Array {
    return probabilitiesOf(outputs, this.classes)
  }
}
