import type { DataType } from '../types.ts'

/**
 * Field and type numbers of ONNX files, as published in the ONNX project's onnx.proto (github.com/onnx/onnx). Only
 * what an image network's file holds is listed; everything else is skipped when read.
 */

export const modelFields = {
  irVersion: 1,
  producerName: 2,
  producerVersion: 3,
  graph: 7,
  opsetImport: 8,
  metadataProps: 14,
  functions: 25,
} as const

export const opsetFields = { domain: 1, version: 2 } as const
export const entryFields = { key: 1, value: 2 } as const

export const graphFields = {
  node: 1,
  name: 2,
  initializer: 5,
  input: 11,
  output: 12,
  sparseInitializer: 15,
} as const

export const nodeFields = { input: 1, output: 2, name: 3, opType: 4, attribute: 5, domain: 7 } as const

export const attributeFields = {
  name: 1,
  f: 2,
  i: 3,
  s: 4,
  t: 5,
  g: 6,
  floats: 7,
  ints: 8,
  strings: 9,
  type: 20,
} as const

export const attributeTypes = {
  float: 1,
  int: 2,
  string: 3,
  tensor: 4,
  graph: 5,
  floats: 6,
  ints: 7,
  strings: 8,
} as const

export const tensorFields = {
  dims: 1,
  dataType: 2,
  segment: 3,
  floatData: 4,
  int32Data: 5,
  stringData: 6,
  int64Data: 7,
  name: 8,
  rawData: 9,
  doubleData: 10,
  uint64Data: 11,
  dataLocation: 14,
} as const

export const valueInfoFields = { name: 1, type: 2 } as const
export const typeFields = { tensorType: 1 } as const
export const tensorTypeFields = { elemType: 1, shape: 2 } as const
export const shapeFields = { dim: 1 } as const
export const dimensionFields = { value: 1, param: 2 } as const

/** Number of each data type in files. */
export const dataTypeNumbers: Record<DataType, number> = {
  float32: 1,
  uint8: 2,
  int8: 3,
  uint16: 4,
  int16: 5,
  int32: 6,
  int64: 7,
  string: 8,
  bool: 9,
  float16: 10,
  float64: 11,
  uint32: 12,
  uint64: 13,
  bfloat16: 16,
}

const typesByNumber = new Map(
  Object.entries(dataTypeNumbers).map(([type, number]) => [number, type as DataType] as const),
)

export const dataTypeOf = (number: number): DataType | undefined => typesByNumber.get(number)
