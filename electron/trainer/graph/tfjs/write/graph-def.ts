import { toBytes } from '../../tensor.ts'

/**
 * TF.js graph models hold TensorFlow's GraphDef as JSON (github.com/tensorflow/tensorflow, core/framework/graph.proto
 * in protobuf's JSON form: 64-bit integers as text, strings in base64) and the weights beside it.
 */
export type AttributeValue =
  | { type: 'DT_FLOAT' | 'DT_INT32' }
  | { shape: { dim: { size: string }[] } }
  | { i: string }
  | { f: number }
  | { b: boolean }
  | { s: string }
  | { list: { i: string[] } | { s: string[] } }

export interface NodeDef {
  name: string
  op: string
  input?: string[]
  attr: Record<string, AttributeValue>
}

export interface WeightSpec {
  name: string
  shape: number[]
  dtype: 'float32' | 'int32'
}

const base64 = (text: string): string => Buffer.from(text, 'utf8').toString('base64')

export const attr = {
  float: { type: 'DT_FLOAT' } as AttributeValue,
  int32: { type: 'DT_INT32' } as AttributeValue,
  int: (value: number): AttributeValue => ({ i: String(value) }),
  number: (value: number): AttributeValue => ({ f: value }),
  bool: (value: boolean): AttributeValue => ({ b: value }),
  text: (value: string): AttributeValue => ({ s: base64(value) }),
  ints: (values: readonly number[]): AttributeValue => ({ list: { i: values.map(String) } }),
  texts: (values: readonly string[]): AttributeValue => ({ list: { s: values.map(base64) } }),
  shape: (values: readonly number[]): AttributeValue => ({
    shape: { dim: values.map((size) => ({ size: String(size) })) },
  }),
}

/** Collects nodes and weights; names are made unique and free of characters that TF.js gives a meaning to. */
export class GraphDef {
  readonly nodes: NodeDef[] = []
  readonly weights: WeightSpec[] = []
  private readonly chunks: Uint8Array[] = []
  private readonly taken = new Set<string>()

  unique(wanted: string): string {
    const clean = wanted.replace(/[^A-Za-z0-9_./-]/g, '_').replace(/^[^A-Za-z0-9.]+/, '') || 'value'
    let name = clean
    for (let count = 2; this.taken.has(name); count++) name = `${clean}_${count}`
    this.taken.add(name)
    return name
  }

  add(
    op: string,
    input: readonly string[],
    attributes: Record<string, AttributeValue>,
    wanted: string,
  ): string {
    const name = this.unique(wanted)
    this.nodes.push({
      name,
      op,
      ...(input.length === 0 ? {} : { input: [...input] }),
      attr: { T: attr.float, ...attributes },
    })
    return name
  }

  private constant(
    data: Float32Array | Int32Array,
    shape: readonly number[],
    dtype: WeightSpec['dtype'],
    wanted: string,
  ): string {
    const name = this.unique(wanted)
    const type = dtype === 'float32' ? attr.float : attr.int32
    // The values themselves come from the weight files, by this name.
    this.nodes.push({ name, op: 'Const', attr: { dtype: type } })
    this.weights.push({ name, shape: [...shape], dtype })
    this.chunks.push(toBytes(data))
    return name
  }

  floats(data: Float32Array, shape: readonly number[], wanted: string): string {
    return this.constant(data, shape, 'float32', wanted)
  }

  ints(values: readonly number[], wanted: string, shape: readonly number[] = [values.length]): string {
    return this.constant(Int32Array.from(values), shape, 'int32', wanted)
  }

  /** A scalar. */
  int(value: number, wanted: string): string {
    return this.constant(Int32Array.of(value), [], 'int32', wanted)
  }

  /** All weights one after the other, in the order of `weights`. */
  weightBytes(): Uint8Array {
    return new Uint8Array(Buffer.concat(this.chunks))
  }
}
