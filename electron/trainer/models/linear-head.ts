import { KestrelError } from '#shared/errors/index.ts'
import { GraphBuilder } from '../graph/builder.ts'
import { float32 } from '../graph/tensor.ts'
import { int } from '../graph/types.ts'
import type { Graph } from '../graph/types.ts'

/** Softmax regression on centred, scaled features: logits = W · ((features − mean) / scale) + bias. */
export interface LinearHead {
  /** [classes, features], row by row. */
  weights: Float32Array | Float64Array
  /** [classes] */
  bias: Float32Array | Float64Array
  /** [features] */
  featureMean: Float32Array | Float64Array
  /** [features], none of them 0. */
  featureScale: Float32Array | Float64Array
}

/**
 * The head as one matrix product, `features` [batch, features] → `logits` [batch, classes]: centring and scaling go
 * into weights and bias, in 64 bits. Throws `bad-request` when the sizes do not fit.
 */
export function linearHeadGraph(head: LinearHead): Graph {
  const { weights, bias, featureMean, featureScale } = head
  const classes = bias.length
  const features = featureMean.length
  if (weights.length !== classes * features || featureScale.length !== features) {
    throw new KestrelError('bad-request', 'The sizes of the classifier do not fit each other.')
  }
  const folded = new Float32Array(classes * features)
  const shift = new Float32Array(classes)
  for (let row = 0; row < classes; row++) {
    let offset = bias[row]!
    for (let column = 0; column < features; column++) {
      const scaled = weights[row * features + column]! / featureScale[column]!
      folded[row * features + column] = scaled
      offset -= scaled * featureMean[column]!
    }
    shift[row] = offset
  }
  const builder = new GraphBuilder('head')
  const input = builder.input({ name: 'features', type: 'float32', shape: ['batch', features] })
  const operands = [
    input,
    builder.constant('head/weights', float32([classes, features], folded)),
    builder.constant('head/bias', float32([classes], shift)),
  ]
  const logits = builder.node('Gemm', operands, { transB: int(1) }, 'head/logits')
  builder.output(logits, { name: 'logits', type: 'float32', shape: ['batch', classes] })
  return builder.build()
}
