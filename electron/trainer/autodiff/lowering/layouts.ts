import { KestrelError } from '#shared/errors/index.ts'
import type { GraphBuilder } from '../../graph/builder.ts'
import { dataTypeNumbers } from '../../graph/onnx/schema.ts'
import { elementCount, int64s } from '../../graph/tensor.ts'
import { int, ints } from '../../graph/types.ts'
import type { Attributes, DataType } from '../../graph/types.ts'

export type Shape = readonly number[]

/**
 * How the numbers of a value [batch, channels, height, width] lie in memory:
 * - `plain`: as ONNX has it;
 * - `last`: channels last, [batch, height, width, channels];
 * - `blocked`: the runtime's own, [batch, channels / block, height, width, block], while its tensors say that they were
 *   plain. Element by element it can be computed with like any other value.
 *
 * Values of any other rank are always plain.
 */
export type Layout = 'plain' | 'last' | 'blocked'

/** A value of the graph that is being written. `shape` is what its tensor says. */
export interface Value {
  name: string
  shape: Shape
  layout: Layout
}

/** The domain of the runtime's own layout (onnxruntime/core/graph/contrib_ops/nchwc_schema_defs.cc). */
export const blockedDomain = 'com.microsoft.nchwc'

/** A value of the original graph and the layouts it has been written in so far. */
interface Entry {
  type: DataType | null
  /** As the graph has it. */
  shape: Shape
  forms: Map<Layout, string>
}

/**
 * Where the values of the original graph went, in which layouts. What is asked for in another layout is turned around
 * once, at the first time somebody asks.
 */
export class Layouts {
  private readonly builder: GraphBuilder
  /** Channels per block; 1 where there is no blocked layout. */
  readonly block: number
  private readonly entries = new Map<string, Entry>()
  /** What has been written in blocks, with its shape. */
  readonly maps = new Map<string, Shape>()

  constructor(builder: GraphBuilder, block: number) {
    this.builder = builder
    this.block = block
  }

  define(name: string, written: string, layout: Layout, shape: Shape, type: DataType | null): void {
    this.entries.set(name, { type, shape, forms: new Map([[layout, written]]) })
    if (layout === 'blocked') this.maps.set(written, shape)
  }

  /** Whether a map of this shape can be blocked, and is anything but a row of numbers in all layouts. */
  blockable(shape: Shape): boolean {
    const [, channels, rows, columns] = shape
    return this.block > 1 && shape.length === 4 && channels! % this.block === 0 && rows! * columns! > 1
  }

  /** Whether the value is there in the blocked layout without work. */
  isBlocked(name: string): boolean {
    return this.entries.get(name)?.forms.has('blocked') ?? false
  }

  get(name: string, layout: Layout): Value {
    const entry = this.entries.get(name)
    if (entry === undefined) throw new KestrelError('internal', `"${name}" has not been written yet.`)
    const { forms, shape } = entry
    const shapeThere = layout === 'last' ? lastShape(shape) : shape
    let found = forms.get(layout)
    if (found === undefined) {
      found = this.turn(name, entry, layout)
      forms.set(layout, found)
      if (layout === 'blocked') this.maps.set(found, shape)
    }
    return { name: found, shape: shapeThere, layout }
  }

  private turn(name: string, { type, shape, forms }: Entry, to: Layout): string {
    const [from, written] = [...forms][0]!
    const [, channels, rows, columns] = shape
    if (rows! * columns! === 1) {
      // One number per channel lies the same way in all layouts.
      return to === 'last' || from === 'last'
        ? this.reshaped(name, written, to === 'last' ? lastShape(shape) : shape)
        : written
    }
    if (from !== 'blocked' && to !== 'blocked')
      return this.builder.node(
        'Transpose',
        [written],
        { perm: ints(to === 'last' ? [0, 2, 3, 1] : [0, 3, 1, 2]) },
        `${name}/${to}`,
      )
    const last: Attributes = to === 'last' || from === 'last' ? { channels_last: int(1) } : {}
    const reorder = (value: string): string =>
      to === 'blocked'
        ? this.own('ReorderInput', value, last, name, to)
        : this.own('ReorderOutput', value, { channels: int(channels!), ...last }, name, to)
    if (type === null || type === 'float32') return reorder(written)
    // The runtime turns real numbers around only.
    const cast = (value: string, type: DataType): string =>
      this.builder.node('Cast', [value], { to: int(dataTypeNumbers[type]) }, `${name}/${to}`)
    return cast(reorder(cast(written, 'float32')), type)
  }

  private own(op: string, value: string, attributes: Attributes, name: string, to: Layout): string {
    return this.builder.nodes(op, [value], 1, attributes, {
      domain: blockedDomain,
      wanted: `${name}/${to}`,
    })[0]!
  }

  private reshaped(name: string, value: string, shape: Shape): string {
    const sizes = this.builder.constant(`${name}/shape`, int64s(shape))
    return this.builder.node('Reshape', [value, sizes], {}, `${name}/shaped`)
  }
}

const lastShape = ([batch, channels, rows, columns]: Shape): Shape => [batch!, rows!, columns!, channels!]

/** The numbers of a blocked value as they lie: [batch, channels / block, height · width, block]. */
export const blockedShape = ([batch, channels, ...sizes]: Shape, block: number): Shape => [
  batch!,
  channels! / block,
  elementCount(sizes),
  block,
]
