import type { Initialiser } from '#shared/domain/network/index.ts'
import { trainingDomain } from '../../graph/training-operators.ts'
import { float, int } from '../../graph/types.ts'
import { denseFans } from './initialisers.ts'
import type { Flow, NetworkWriter } from './network-writer.ts'

/** `[length]` → `[units]` */
export function dense(
  w: NetworkWriter,
  x: Flow,
  name: string,
  { units, bias = true, initialiser }: { units: number; bias?: boolean; initialiser: Initialiser },
): Flow {
  const length = x.shape[0] ?? 1
  const inputs = [x.value, w.weight(`${name}/weight`, [units, length], initialiser, denseFans(length, units))]
  if (bias) inputs.push(w.filled(`${name}/bias`, [units], 'bias', 0))
  return w.op(name, 'Gemm', inputs, [units], { transB: int(1) })
}

/** Marks the place; inference passes it over, a training step puts a mask there. */
export function dropout(w: NetworkWriter, x: Flow, name: string, rate: number, channels = false): Flow {
  const attributes = { ratio: float(rate), channels: int(channels ? 1 : 0) }
  const [value = ''] = w.builder.nodes('Dropout', [x.value], 1, attributes, {
    wanted: name,
    domain: trainingDomain,
  })
  return { value, shape: x.shape }
}
