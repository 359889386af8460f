import { float, int } from '../../graph/types.ts'
import type { Flow, NetworkWriter } from './network-writer.ts'

/**
 * Per channel (x − mean) / √(variance + ε) · scale + shift (Ioffe & Szegedy 2015), in its inference form; training
 * replaces the running statistics by those of the batch.
 */
export function batchNorm(w: NetworkWriter, x: Flow, name: string, epsilon = 1e-3): Flow {
  const channels = x.shape[0] ?? 1
  const scale = w.filled(`${name}/scale`, [channels], 'scale', 1)
  const shift = w.filled(`${name}/shift`, [channels], 'shift', 0)
  const { mean, variance } = w.runningStatistics(name, channels)
  const inputs = [x.value, scale, shift, mean, variance]
  const result = w.op(name, 'BatchNormalization', inputs, x.shape, { epsilon: float(epsilon) })
  w.keepStatistics({ mean, variance, output: result.value })
  return result
}

/** The same over the last axis of each token by itself (Ba, Kiros & Hinton 2016). */
export function layerNorm(w: NetworkWriter, x: Flow, name: string, epsilon = 1e-6): Flow {
  const width = x.shape.at(-1) ?? 1
  const scale = w.filled(`${name}/scale`, [width], 'scale', 1)
  const shift = w.filled(`${name}/shift`, [width], 'shift', 0)
  const attributes = { axis: int(-1), epsilon: float(epsilon) }
  return w.op(name, 'LayerNormalization', [x.value, scale, shift], x.shape, attributes)
}
