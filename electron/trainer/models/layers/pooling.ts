import { int } from '../../graph/types.ts'
import { slide, type WindowSettings } from './convolution.ts'
import type { Flow, NetworkWriter } from './network-writer.ts'

/** Zeros around the map never win a maximum and do not count in an average. */
export function pool(
  w: NetworkWriter,
  x: Flow,
  name: string,
  settings: WindowSettings & { kind: 'max' | 'average' },
): Flow {
  const { attributes, height, width } = slide(x.shape, settings)
  const op = settings.kind === 'max' ? 'MaxPool' : 'AveragePool'
  return w.op(name, op, [x.value], [x.shape[0] ?? 1, height, width], attributes)
}

/** `[channels, height, width]` → `[channels, 1, 1]` */
export const globalPool = (w: NetworkWriter, x: Flow, name: string, kind: 'max' | 'average'): Flow =>
  w.op(name, kind === 'max' ? 'GlobalMaxPool' : 'GlobalAveragePool', [x.value], [x.shape[0] ?? 1, 1, 1])

/** Everything in one list. */
export const flatten = (w: NetworkWriter, x: Flow, name: string): Flow =>
  w.op(name, 'Flatten', [x.value], [x.shape.reduce((a, b) => a * b, 1)], { axis: int(1) })
