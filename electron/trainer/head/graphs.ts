import type { HeadObjective } from '#shared/contract/trainer.ts'
import { GraphBuilder } from '../graph/builder.ts'
import { int64s, scalar } from '../graph/tensor.ts'
import { int, ints, type Graph } from '../graph/types.ts'

/**
 * Row losses and gradient of linear classifiers as one graph: two matrix products over all pictures and a handful of
 * operators on [pictures, models, classes]. Several models go through it at once, each with its own weights for the
 * pictures (`lockstep.ts`); one of them alone leaves most of the processor's arithmetic idle. Row losses leave the
 * graph one by one and are added up in 64 bits: near the optimum the decrease is smaller than the rounding of a 32-bit sum.
 *
 * Inputs: `features` [n, d]; `turned` [d, n], the same the other way round (twice as fast for the gradient; only with
 * `turned`); `targets` [n, 1, k], 0 and 1; `row_weights` [n, m, 1]; `weights` [m·k, d]; `bias` [m·k].
 * Outputs: `loss` [n, m]; `margin` [n, m], 0 where the true class is on top and less elsewhere; `weight_gradient` [m·k, d],
 * `bias_gradient` [m·k], both sums over rows by their weights.
 */
export function lossAndGradient(objective: HeadObjective, classes: number, turned: boolean): Graph {
  const pen = new Pen(`${objective}-head`)
  const features = pen.input('features', ['n', 'd'])
  const across = turned ? pen.input('turned', ['d', 'n']) : null
  const targets = pen.input('targets', ['n', 1, classes])
  const rowWeights = pen.input('row_weights', ['n', 'm', 1])
  const weights = pen.input('weights', ['mk', 'd'])
  const bias = pen.input('bias', ['mk'])

  const swap = { perm: ints([1, 0]) }
  const scores = pen.op('Gemm', [features, pen.op('Transpose', [weights], swap), bias])
  // 0: as many as there are.
  const z = pen.op('Reshape', [scores, pen.sizes([0, -1, classes])])
  const { loss, margin, slope } =
    objective === 'softmax' ? crossEntropy(pen, z, targets) : squaredHinge(pen, z, targets)
  const weighted = pen.op('Reshape', [pen.op('Mul', [slope, rowWeights]), pen.sizes([0, -1])])
  const gradient = across
    ? pen.op('MatMul', [across, weighted])
    : pen.op('Gemm', [features, weighted], { transA: int(1) })

  pen.output('loss', loss, ['n', 'm'])
  pen.output('margin', margin, ['n', 'm'])
  pen.output('weight_gradient', pen.op('Transpose', [gradient], swap), ['mk', 'd'])
  pen.output('bias_gradient', pen.op('ReduceSum', [weighted, pen.sizes([0])], { keepdims: int(0) }), ['mk'])
  return pen.build()
}

interface RowLoss {
  loss: string
  margin: string
  /** ∂loss/∂z, [n, m, k]. */
  slope: string
}

/** −log p of the true class; p − target. */
function crossEntropy(pen: Pen, z: string, targets: string): RowLoss {
  const logs = pen.op('LogSoftmax', [z], { axis: int(-1) })
  const truth = pen.overClasses('ReduceSum', pen.op('Mul', [logs, targets]))
  return {
    loss: pen.op('Neg', [truth]),
    margin: pen.op('Sub', [truth, pen.overClasses('ReduceMax', logs)]),
    slope: pen.op('Sub', [pen.op('Exp', [logs]), targets]),
  }
}

/**
 * Σₖ max(0, 1 − tₖ·zₖ)² with t = 1 for the true class and −1 for the others: one SVM for each class against the rest, as
 * scikit-learn's `LinearSVC` (Fan et al. 2008, "LIBLINEAR", section 2).
 */
function squaredHinge(pen: Pen, z: string, targets: string): RowLoss {
  const signs = pen.op('Sub', [pen.op('Mul', [targets, pen.number(2)]), pen.number(1)])
  const late = pen.op('Relu', [pen.op('Sub', [pen.number(1), pen.op('Mul', [signs, z])])])
  const truth = pen.overClasses('ReduceSum', pen.op('Mul', [z, targets]))
  return {
    loss: pen.overClasses('ReduceSum', pen.op('Mul', [late, late])),
    margin: pen.op('Sub', [truth, pen.overClasses('ReduceMax', z)]),
    slope: pen.op('Mul', [pen.op('Mul', [signs, pen.number(-2)]), late]),
  }
}

/** Features [n, d] → probabilities [n, k] by a softmax over their scores; for predictions from cached features. */
export function probabilitiesGraph(): Graph {
  const pen = new Pen('head-predictions')
  const inputs = [
    pen.input('features', ['n', 'd']),
    pen.input('weights', ['k', 'd']),
    pen.input('bias', ['k']),
  ]
  const scores = pen.op('Gemm', inputs, { transB: int(1) })
  pen.output('probabilities', pen.op('Softmax', [scores], { axis: int(1) }), ['n', 'k'])
  return pen.build()
}

/** [n, d] → [d, n] */
export function turningGraph(): Graph {
  const pen = new Pen('turned-features')
  pen.output('turned', pen.op('Transpose', [pen.input('features', ['n', 'd'])], { perm: ints([1, 0]) }), [
    'd',
    'n',
  ])
  return pen.build()
}

class Pen {
  private readonly builder: GraphBuilder

  constructor(name: string) {
    this.builder = new GraphBuilder(name)
  }
  input(name: string, shape: readonly (string | number)[]): string {
    return this.builder.input({ name, type: 'float32', shape })
  }
  output(name: string, value: string, shape: readonly (string | number)[]): void {
    this.builder.output(value, { name, type: 'float32', shape })
  }
  op(type: string, inputs: readonly string[], attributes = {}): string {
    return this.builder.node(type, inputs, attributes)
  }
  number(value: number): string {
    return this.builder.constant('number', scalar(value))
  }
  sizes(values: readonly number[]): string {
    return this.builder.constant('sizes', int64s(values))
  }
  /** Over the last axis, which goes. */
  overClasses(reduction: string, value: string): string {
    return this.op(reduction, [value, this.sizes([-1])], { keepdims: int(0) })
  }
  build(): Graph {
    return this.builder.build()
  }
}
