import { samePadding, type Initialiser, type Padding, type Placement } from '#shared/domain/network/index.ts'
import { int, ints } from '../../graph/types.ts'
import type { Attributes } from '../../graph/types.ts'
import { convFans } from './initialisers.ts'
import type { Flow, NetworkWriter } from './network-writer.ts'

export interface WindowSettings {
  size: number
  stride: number
  /** As in layer specs; where the window does not come out even, what is left over is not seen. */
  padding: Padding
}

function place(input: number, { size, stride, padding }: WindowSettings): Placement {
  if (padding === 'same') return samePadding(input, size, stride)
  const zeros = padding === 'valid' ? 0 : padding
  return {
    output: Math.floor((input + 2 * zeros - size) / stride) + 1,
    before: zeros,
    behind: zeros,
  }
}

/** ONNX attributes of a square window on `[channels, height, width]`, and the size of what comes out. */
export function slide(
  shape: readonly number[],
  window: WindowSettings,
): { attributes: Attributes; height: number; width: number } {
  const rows = place(shape[1] ?? 1, window)
  const columns = place(shape[2] ?? 1, window)
  return {
    attributes: {
      kernel_shape: ints([window.size, window.size]),
      strides: ints([window.stride, window.stride]),
      pads: ints([rows.before, columns.before, rows.behind, columns.behind]),
    },
    height: rows.output,
    width: columns.output,
  }
}

export interface ConvSettings {
  filters: number
  size: number
  stride?: number
  /** Default `same`. */
  padding?: Padding
  /** Each group of filters sees its own share of the channels. */
  groups?: number
  /** Default: none. */
  bias?: boolean
  initialiser: Initialiser
}

/** `[channels, height, width]` → `[filters, height′, width′]` */
export function conv(w: NetworkWriter, x: Flow, name: string, settings: ConvSettings): Flow {
  const { filters, size, stride = 1, padding = 'same', groups = 1, bias = false, initialiser } = settings
  const kernel = [filters, (x.shape[0] ?? 1) / groups, size, size]
  const { attributes, height, width } = slide(x.shape, { size, stride, padding })
  const inputs = [x.value, w.weight(`${name}/weight`, kernel, initialiser, convFans(kernel, groups))]
  if (bias) inputs.push(w.filled(`${name}/bias`, [filters], 'bias', 0))
  const grouped = groups === 1 ? attributes : { ...attributes, group: int(groups) }
  return w.op(name, 'Conv', inputs, [filters, height, width], grouped)
}

/** One filter per channel. */
export function depthwise(
  w: NetworkWriter,
  x: Flow,
  name: string,
  settings: Omit<ConvSettings, 'filters' | 'groups'>,
): Flow {
  const channels = x.shape[0] ?? 1
  return conv(w, x, name, { ...settings, filters: channels, groups: channels })
}
