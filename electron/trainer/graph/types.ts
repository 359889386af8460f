/**
 * A network as a graph of ONNX operators: the one representation that readers produce, transformations change,
 * writers write and engines run. Values are named and written once (static single assignment); nodes stand in
 * topological order. Graphs are treated as immutable: every transformation returns a new one.
 */

export const dataTypes = [
  'float32',
  'uint8',
  'int8',
  'uint16',
  'int16',
  'int32',
  'int64',
  'string',
  'bool',
  'float16',
  'float64',
  'uint32',
  'uint64',
  'bfloat16',
] as const
export type DataType = (typeof dataTypes)[number]

/**
 * Storage of each type: `bool` as bytes 0/1, `float16` and `bfloat16` as their bits, 64-bit integers as BigInt.
 * Strings are for labels carried through, never computed with.
 */
export interface DataOf {
  float32: Float32Array
  float64: Float64Array
  float16: Uint16Array
  bfloat16: Uint16Array
  int8: Int8Array
  uint8: Uint8Array
  int16: Int16Array
  uint16: Uint16Array
  int32: Int32Array
  uint32: Uint32Array
  int64: BigInt64Array
  uint64: BigUint64Array
  bool: Uint8Array
  string: string[]
}

/** A constant: `data.length` is the product of `shape`, row-major; a scalar has shape `[]`. */
export type Tensor = { [T in DataType]: { type: T; shape: readonly number[]; data: DataOf[T] } }[DataType]

/** A known size, a symbol such as `batch` that is the same wherever it stands, or null where nothing is known. */
export type Dimension = number | string | null

/** `shape` is null where not even the rank is known; `type` is null where the type is not known. */
export interface ValueInfo {
  name: string
  type: DataType | null
  shape: readonly Dimension[] | null
}

export type Attribute =
  | { kind: 'int'; value: number }
  | { kind: 'float'; value: number }
  | { kind: 'string'; value: string }
  | { kind: 'tensor'; value: Tensor }
  | { kind: 'ints'; value: readonly number[] }
  | { kind: 'floats'; value: readonly number[] }
  | { kind: 'strings'; value: readonly string[] }
  /** Body of If, Loop, Scan: carried through, never looked into. */
  | { kind: 'graph'; value: Graph }

export type Attributes = Readonly<Record<string, Attribute>>

export interface Node {
  name: string
  /** ONNX operator type, such as `Conv`. */
  op: string
  /** `''` is ONNX's own operator set. */
  domain: string
  /** Value names; `''` stands for an optional input that is left out. */
  inputs: readonly string[]
  outputs: readonly string[]
  attributes: Attributes
}

export interface Graph {
  name: string
  inputs: readonly ValueInfo[]
  outputs: readonly ValueInfo[]
  initialisers: ReadonlyMap<string, Tensor>
  nodes: readonly Node[]
  /** Operator set version by domain; `''` is ONNX's own. */
  opsets: ReadonlyMap<string, number>
  /** What the model file says about itself (ONNX `metadata_props`). */
  metadata: ReadonlyMap<string, string>
  /** Program that wrote the file this was read from; `''` when built here. */
  producer: string
}

/** The operator set that Kestrel's own graphs are written in. Resize needs 18 for its antialiasing filter. */
export const ownOpset = 18

export const int = (value: number): Attribute => ({ kind: 'int', value })
export const float = (value: number): Attribute => ({ kind: 'float', value })
export const string = (value: string): Attribute => ({ kind: 'string', value })
export const floats = (value: readonly number[]): Attribute => ({ kind: 'floats', value })
export const ints = (value: readonly number[]): Attribute => ({ kind: 'ints', value })
export const tensorAttribute = (value: Tensor): Attribute => ({ kind: 'tensor', value })

/** Reads an attribute of the expected kind, or gives the operator's default. */
export function intAttribute(node: Node, name: string, fallback: number): number {
  const attribute = node.attributes[name]
  return attribute?.kind === 'int' ? attribute.value : fallback
}

export function floatAttribute(node: Node, name: string, fallback: number): number {
  const attribute = node.attributes[name]
  return attribute?.kind === 'float' ? attribute.value : fallback
}

export function stringAttribute(node: Node, name: string, fallback: string): string {
  const attribute = node.attributes[name]
  return attribute?.kind === 'string' ? attribute.value : fallback
}

export function intsAttribute(node: Node, name: string): readonly number[] | undefined {
  const attribute = node.attributes[name]
  return attribute?.kind === 'ints' ? attribute.value : undefined
}
