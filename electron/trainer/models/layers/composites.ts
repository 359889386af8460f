import type { ActivationName, Initialiser } from '#shared/domain/network/index.ts'
import { activation } from './activations.ts'
import { conv, type ConvSettings } from './convolution.ts'
import type { Flow, NetworkWriter } from './network-writer.ts'
import { batchNorm } from './normalisation.ts'
import { globalPool } from './pooling.ts'

export interface ConvNormSettings extends ConvSettings {
  /** Left out: linear. */
  activation?: ActivationName
  epsilon?: number
}

/** Convolution → batch normalisation → activation: what most published architectures consist of. */
export function convNorm(w: NetworkWriter, x: Flow, name: string, settings: ConvNormSettings): Flow {
  const convolved = conv(w, x, name, settings)
  const normal = batchNorm(w, convolved, `${name}/norm`, settings.epsilon)
  return settings.activation === undefined
    ? normal
    : activation(w, normal, `${name}/${settings.activation}`, settings.activation)
}

export const depthwiseNorm = (
  w: NetworkWriter,
  x: Flow,
  name: string,
  settings: Omit<ConvNormSettings, 'filters' | 'groups'>,
): Flow => convNorm(w, x, name, { ...settings, filters: x.shape[0] ?? 1, groups: x.shape[0] ?? 1 })

/** Squeeze-and-excitation (Hu, Shen & Sun 2018): maps weighed by a gate made from their means. */
export function squeezeExcite(
  w: NetworkWriter,
  x: Flow,
  name: string,
  settings: {
    /** Between the two layers. */
    units: number
    inner: ActivationName
    gate: ActivationName
    initialiser: Initialiser
  },
): Flow {
  const { units, inner, gate, initialiser } = settings
  const channels = x.shape[0] ?? 1
  const squeezed = globalPool(w, x, `${name}/squeeze`, 'average')
  const reduced = conv(w, squeezed, `${name}/reduce`, { filters: units, size: 1, bias: true, initialiser })
  const small = activation(w, reduced, `${name}/${inner}`, inner)
  const expanded = conv(w, small, `${name}/expand`, { filters: channels, size: 1, bias: true, initialiser })
  const factor = activation(w, expanded, `${name}/gate`, gate)
  return w.op(name, 'Mul', [x.value, factor.value], x.shape)
}

export const add = (w: NetworkWriter, a: Flow, b: Flow, name: string): Flow =>
  w.op(name, 'Add', [a.value, b.value], a.shape)
