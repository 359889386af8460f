import type { HeadObjective } from '#shared/contract/trainer.ts'

/**
 * A head as the softmax head that answers like it: what predicts, what is exported, and what a fine-tuning begins with. A
 * softmax over an SVM's scores times two: with two classes σ(2z), which follows (1 + z) / 2, what a squared hinge's score
 * says about the probability (Zhang 2004, "Statistical behavior and consistency of classification methods", section 3), and
 * stays in order where that leaves [0, 1]. A ranking rather than a calibrated probability.
 * @param point flat parameters of the head
 */
export const asSoftmax = (objective: HeadObjective, point: Float64Array): Float64Array =>
  objective === 'softmax' ? point : point.map((value) => 2 * value)
