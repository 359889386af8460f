import { KestrelError } from '#shared/errors/index.ts'
import type { Node } from '../../graph/types.ts'
import { real } from './value.ts'
import type { Real, Value } from './value.ts'

/** What one operator does: values in, values out, one per output that it defines (fewer may be read). */
export type Kernel = (call: Call) => Value[]
export type KernelTable = Readonly<Record<string, Kernel>>

/** A node with the values that stand at its inputs. */
export class Call {
  readonly node: Node
  /** Version of ONNX's operator set, at least 18. */
  readonly opset: number
  readonly inputs: readonly (Value | undefined)[]

  constructor(node: Node, opset: number, inputs: readonly (Value | undefined)[]) {
    this.node = node
    this.opset = opset
    this.inputs = inputs
  }

  /** An optional input; undefined where it is left out. */
  optional(index: number): Value | undefined {
    return this.inputs[index]
  }

  input(index: number): Value {
    return this.inputs[index] ?? this.fail(`it lacks its input ${index}`)
  }

  /** An input of real numbers. */
  real(index: number): Real {
    const value = this.input(index)
    return value.type === 'float64' ? value : this.fail(`its input ${index} is of the type ${value.type}`)
  }

  optionalReal(index: number): Real | undefined {
    return this.inputs[index] === undefined ? undefined : this.real(index)
  }

  /** @throws KestrelError `bad-request`: always. */
  fail(what: string): never {
    throw new KestrelError(
      'bad-request',
      `"${this.node.name || this.node.op}" (${this.node.op}) cannot be computed: ${what}.`,
    )
  }

  /** @throws KestrelError `operator-unsupported`: always. For forms of a known operator that are left out. */
  lacks(what: string): never {
    throw new KestrelError('operator-unsupported', `The reference engine lacks ${this.node.op} with ${what}.`)
  }
}

/** A kernel that applies a function to every entry of one real input. */
export const mapped =
  (rule: (call: Call) => (x: number) => number): Kernel =>
  (call) => {
    const x = call.real(0)
    return [real(x.shape, x.data.map(rule(call)))]
  }
