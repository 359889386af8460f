import { GraphBuilder } from '../../../graph/builder.ts'
import { int } from '../../../graph/types.ts'
import type { Attribute, Attributes, Node } from '../../../graph/types.ts'
import { blockedDomain, blockedShape, type Shape, type Value } from '../layouts.ts'
import { LoweringPen, type LoweringPlace } from '../pen.ts'
import { attributesOf, type MapWindow } from '../window.ts'

/** A rule for the runtime's own layout; null where it does not suit the node, which then becomes standard operators. */
export type BlockedRule = (pen: BlockedPen) => (Value | null)[] | null

/** Writes a branch of an If. It reads values from around it, so its own names must differ from all of those. */
class BranchBuilder extends GraphBuilder {
  private readonly around: GraphBuilder

  constructor(around: GraphBuilder, name: string) {
    super(name)
    this.around = around
  }

  override unique(wanted: string): string {
    return this.around.unique(wanted)
  }
}

/** Writes in the runtime's own layout. */
export class BlockedPen extends LoweringPen {
  /** Channels per block. */
  readonly block: number

  constructor(node: Node, place: LoweringPlace, block: number) {
    super(node, place)
    this.block = block
  }

  blockable(shape: Shape): boolean {
    return this.place.layouts.blockable(shape)
  }

  /** Whether an input is there in blocks without work. */
  isBlocked(index: number): boolean {
    return this.place.layouts.isBlocked(this.node.inputs[index] ?? '')
  }

  blocked(index: number): Value {
    return this.in(index, 'blocked')
  }

  /** An operator of the runtime's own domain; what comes out lies in blocks. */
  own(type: string, inputs: readonly (Value | string)[], shape: Shape, attributes: Attributes): Value {
    const names = inputs.map((input) => (typeof input === 'string' ? input : input.name))
    const [name] = this.place.builder.nodes(type, names, 1, attributes, {
      domain: blockedDomain,
      wanted: `${this.node.name || this.node.op}/${type}`,
    })
    return { name: name!, shape, layout: 'blocked' }
  }

  /**
   * A convolution. `filter` lies as the runtime wants it; `sum` is added to what comes out, in its place.
   * @param shape of what comes out.
   */
  convolution(
    x: Value,
    filter: Value,
    window: MapWindow,
    shape: Shape,
    { bias, sum }: { bias?: Value; sum?: Value } = {},
  ): Value {
    const optional = [bias ?? '', sum ?? '']
    while (optional.at(-1) === '') optional.pop()
    return this.own('Conv', [x, filter, ...optional], shape, attributesOf(window))
  }

  /** The numbers as they lie: [batch, channels / block, places, block]. */
  opened(value: Value): Value {
    return this.reshape({ ...value, layout: 'plain' }, blockedShape(value.shape, this.block))
  }

  /** The same numbers under another shape; whoever says so knows how they lie. */
  as(value: Value, shape: Shape): Value {
    return { ...this.reshape(value, shape), layout: 'blocked' }
  }

  /** Rows and columns apart, the place of the channel in its block last: [batch · channels / block, height, width, block]. */
  rows(value: Value): Value {
    const [batch, channels, height, width] = value.shape as [number, number, number, number]
    const blocks = (batch * channels) / this.block
    return this.reshape({ ...value, layout: 'plain' }, [blocks, height, width, this.block])
  }

  /** One of two ways, chosen while the graph runs: `then` where the condition holds. */
  choose(
    condition: Value,
    shape: Shape,
    ways: Readonly<Record<'then' | 'otherwise', (inner: BlockedPen) => Value>>,
  ): Value {
    const branch = (way: (inner: BlockedPen) => Value): Attribute => {
      const builder = new BranchBuilder(this.place.builder, this.node.name || this.node.op)
      const result = way(new BlockedPen(this.node, { ...this.place, builder }, this.block))
      builder.output(result.name, { name: result.name, type: 'float32', shape })
      return { kind: 'graph', value: builder.build() }
    }
    const [then_branch, else_branch] = [branch(ways.then), branch(ways.otherwise)]
    return this.op('If', [condition], shape, { then_branch, else_branch })
  }

  reorderInput(value: Value, shape: Shape, channelsLast = false): Value {
    return this.own('ReorderInput', [value], shape, channelsLast ? { channels_last: int(1) } : {})
  }
}
