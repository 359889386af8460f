import type { GraphBuilder } from '../graph/builder.ts'
import { int64s, scalar } from '../graph/tensor.ts'
import type { Attributes } from '../graph/types.ts'

/**
 * What all rules of one differentiation write with: constants that are needed again are written once, and gradients that
 * are constant along some axes are spread out as late as possible.
 */
export class Pens {
  readonly builder: GraphBuilder
  /** Shapes of the gradients that may be narrower than the value they belong to (axes of size 1). */
  readonly narrow = new Map<string, readonly number[]>()
  private readonly constants = new Map<string, string>()
  private readonly wide = new Map<string, string>()

  private readonly prefix: string

  /** @param prefix of the names of what is written, for who reads the graph. */
  constructor(builder: GraphBuilder, prefix = 'gradient') {
    this.builder = builder
    this.prefix = prefix
  }

  op(type: string, inputs: readonly (string | number)[], attributes: Attributes = {}): string {
    const names = inputs.map((input) => (typeof input === 'number' ? this.number(input) : input))
    return this.builder.node(type, names, attributes, `${this.prefix}/${type}`)
  }

  /**
   * A constant. What 32 bits cannot hold is written as the sum of two numbers, so that the 64-bit engine computes with
   * the number itself (to 48 bits) and a gradient check sees no rounding of constants; runtimes fold the sum away.
   */
  number(value: number): string {
    return this.once(`number ${value}`, () => {
      const near = Math.fround(value)
      const constant = (part: number): string => this.builder.constant(`${this.prefix}/number`, scalar(part))
      const rest = value - near
      return rest === 0 || !Number.isFinite(rest)
        ? constant(near)
        : this.op('Add', [constant(near), constant(rest)])
    })
  }

  integers(values: readonly number[]): string {
    return this.once(`integers ${values.join(',')}`, () =>
      this.builder.constant(`${this.prefix}/integers`, int64s(values)),
    )
  }

  /** A gradient in the full shape of the value it belongs to. */
  widened(gradient: string, shape: readonly number[]): string {
    const own = this.narrow.get(gradient)
    if (own === undefined || String(own) === String(shape)) return gradient
    const known = this.wide.get(gradient)
    if (known !== undefined) return known
    const wide = this.op('Expand', [gradient, this.integers(shape)])
    this.wide.set(gradient, wide)
    return wide
  }

  private once(key: string, make: () => string): string {
    const known = this.constants.get(key)
    if (known !== undefined) return known
    const made = make()
    this.constants.set(key, made)
    return made
  }
}
