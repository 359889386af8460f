import type { Initialiser } from '#shared/domain/network/index.ts'
import { ints } from '../../graph/types.ts'
import { activation } from '../layers/activations.ts'
import { denseFans } from '../layers/initialisers.ts'
import type { Flow, NetworkWriter } from '../layers/network-writer.ts'

/** What transformers and their like begin with (deviation 0.02; Dosovitskiy et al. 2021, Liu et al. 2022). */
export const narrow: Initialiser = { normal: 0.02 }

/** A dense layer on the last axis, whatever stands before it: `[…, from]` → `[…, units]`. */
export function linear(w: NetworkWriter, x: Flow, name: string, units: number): Flow {
  const from = x.shape.at(-1) ?? 1
  const shape = [...x.shape.slice(0, -1), units]
  const weight = w.weight(`${name}/weight`, [from, units], narrow, denseFans(from, units))
  const product = w.op(`${name}/product`, 'MatMul', [x.value, weight], shape)
  return w.op(name, 'Add', [product.value, w.filled(`${name}/bias`, [units], 'bias', 0)], shape)
}

/** Four times as wide, GELU, and back. */
export function feedForward(w: NetworkWriter, x: Flow, name: string): Flow {
  const width = x.shape.at(-1) ?? 1
  const wide = activation(w, linear(w, x, `${name}/expand`, 4 * width), `${name}/gelu`, 'gelu')
  return linear(w, wide, `${name}/project`, width)
}

/** Axes swapped, that of the batch standing where it is. */
export const turn = (w: NetworkWriter, x: Flow, name: string, order: readonly number[]): Flow =>
  w.op(
    name,
    'Transpose',
    [x.value],
    order.map((axis) => x.shape[axis - 1] ?? 1),
    { perm: ints([0, ...order]) },
  )
