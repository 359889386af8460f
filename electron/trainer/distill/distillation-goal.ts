import { guessingDistillation, targetLength } from '#shared/domain/distillation/objective.ts'
import type { DistillationLoss } from '#shared/domain/distillation/objective.ts'
import { mixTargets, type MixingDraw } from '#shared/domain/training/mixing.ts'
import { KestrelError } from '#shared/errors/index.ts'
import type { Judgement } from '../loop/fit.ts'
import type { Goal, Lesson } from '../loop/goal.ts'
import { judgeLogits, probabilitiesOf } from '../loop/judge.ts'
import type { TeacherOutputs } from './teacher.ts'

/** To say what a teacher says: its features, its answers, or both; and the right label where there is one. */
export class DistillationGoal implements Goal {
  readonly loss: DistillationLoss
  readonly guessing: Goal['guessing']
  readonly imitated: number
  private readonly teacher: TeacherOutputs
  private readonly labels: Int32Array | null

  /** @param labels class of each row, −1 where there is none; null: none at all. */
  constructor(loss: DistillationLoss, teacher: TeacherOutputs, labels: Int32Array | null) {
    this.loss = loss
    this.teacher = teacher
    this.labels = labels
    this.imitated = loss.featureLength
    const guessing = guessingDistillation(loss)
    this.guessing = { training: guessing, judged: loss.classes > 0 ? Math.log(loss.classes) : guessing }
  }

  lessons(): (rows: Int32Array, mixing: MixingDraw) => Lesson {
    const { featureLength, classes } = this.loss
    const { features, soft } = this.teacher
    const columns = targetLength(this.loss)
    return (rows, mixing) => {
      const targets = new Float32Array(rows.length * columns)
      rows.forEach((row, i) => {
        const at = i * columns
        if (features) targets.set(features.subarray(row * featureLength, (row + 1) * featureLength), at)
        if (soft) targets.set(soft.subarray(row * classes, (row + 1) * classes), at + featureLength)
        const label = this.labels?.[row] ?? -1
        if (label >= 0 && classes > 0) targets[at + featureLength + classes + label] = 1
      })
      return { targets: mixTargets(mixing, targets), weights: new Float32Array(rows.length).fill(1) }
    }
  }

  judge(outputs: Float32Array, rows: readonly number[]): Judgement {
    const { classes } = this.loss
    if (classes === 0) return this.judgeFeatures(outputs, rows)
    return judgeLogits(
      this.classColumns(outputs),
      rows.map((row) => this.labels?.[row] ?? -1),
      classes,
    )
  }

  answers(outputs: Float32Array): Float32Array {
    if (this.loss.classes === 0)
      throw new KestrelError('internal', 'A student of features alone knows no labels.')
    return probabilitiesOf(this.classColumns(outputs), this.loss.classes)
  }

  /** Mean over rows; accuracy is the mean cosine. */
  private judgeFeatures(outputs: Float32Array, rows: readonly number[]): Judgement {
    const { featureLength: length } = this.loss
    const features = this.teacher.features!
    let [loss, cosines] = [0, 0]
    rows.forEach((row, i) => {
      const given = outputs.subarray(i * length, (i + 1) * length)
      const wanted = features.subarray(row * length, (row + 1) * length)
      let [product, givenSquare, wantedSquare, apart] = [0, 0, 0, 0]
      for (let k = 0; k < length; k++) {
        const [a, b] = [given[k]!, wanted[k]!]
        product += a * b
        givenSquare += a * a
        wantedSquare += b * b
        apart += (a - b) ** 2
      }
      const cosine = product / Math.sqrt(givenSquare * wantedSquare + 1e-6)
      cosines += cosine
      loss += this.loss.features === 'cosine' ? 1 - cosine : apart / length
    })
    const count = Math.max(1, rows.length)
    return { loss: loss / count, accuracy: cosines / count }
  }

  private classColumns(outputs: Float32Array): Float32Array {
    const { featureLength, classes } = this.loss
    if (featureLength === 0) return outputs
    const columns = featureLength + classes
    const rows = outputs.length / columns
    const found = new Float32Array(rows * classes)
    for (let row = 0; row < rows; row++)
      found.set(outputs.subarray(row * columns + featureLength, (row + 1) * columns), row * classes)
    return found
  }
}
