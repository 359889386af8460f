import type { Attribute, DataType, Dimension, Graph, Node, Tensor, ValueInfo } from '../types.ts'
import { validate } from '../validate.ts'
import {
  attributeFields as af,
  attributeTypes,
  dataTypeOf,
  dimensionFields,
  entryFields,
  graphFields,
  modelFields,
  nodeFields,
  opsetFields,
  shapeFields,
  tensorTypeFields,
  typeFields,
  valueInfoFields,
} from './schema.ts'
import { readTensor } from './tensors.ts'
import { damaged, unsupported, WireReader, wireTypes } from './wire.ts'

/** Backbones are tens of megabytes; this is far above any of them and far below what memory holds. */
export const maxModelBytes = 2 ** 31 - 1
const maxSubgraphDepth = 4

const { varint, bytes, fixed32 } = wireTypes

/**
 * Reads an `.onnx` file. Operators that Kestrel does not know are carried through. Throws `backbone-damaged` for bytes
 * that are not ONNX and `backbone-unsupported` for parts of ONNX that stay out (weights in other files, sparse
 * weights, functions inside the model).
 */
export function readOnnx(file: Uint8Array): Graph {
  if (file.length > maxModelBytes) throw unsupported('it is larger than 2 GB')
  let graphMessage: WireReader | undefined
  let producer = ''
  const opsets = new Map<string, number>()
  const metadata = new Map<string, string>()
  const model = new WireReader(file)
  model.fields((field, wire) => {
    switch (field) {
      case modelFields.producerName:
        producer = model.expect(wire, bytes).text()
        break
      case modelFields.graph:
        graphMessage = model.expect(wire, bytes).message()
        break
      case modelFields.opsetImport: {
        const { domain, version } = readOpset(model.expect(wire, bytes).message())
        opsets.set(domain, version)
        break
      }
      case modelFields.metadataProps: {
        const { key, value } = readEntry(model.expect(wire, bytes).message())
        metadata.set(key, value)
        break
      }
      case modelFields.functions:
        throw unsupported('it defines functions of its own')
    }
  })
  if (graphMessage === undefined) throw damaged('it holds no network')
  if (!opsets.has('')) opsets.set('', 1)
  const graph = readGraph(graphMessage, opsets, 0)
  const whole: Graph = { ...graph, metadata, producer }
  validate(whole)
  return whole
}

function readOpset(message: WireReader): { domain: string; version: number } {
  let domain = ''
  let version = 1
  message.fields((field, wire) => {
    if (field === opsetFields.domain) domain = message.expect(wire, bytes).text()
    if (field === opsetFields.version) version = message.expect(wire, varint).signed()
  })
  return { domain: domain === 'ai.onnx' ? '' : domain, version }
}

function readEntry(message: WireReader): { key: string; value: string } {
  let key = ''
  let value = ''
  message.fields((field, wire) => {
    if (field === entryFields.key) key = message.expect(wire, bytes).text()
    if (field === entryFields.value) value = message.expect(wire, bytes).text()
  })
  return { key, value }
}

function readGraph(message: WireReader, opsets: ReadonlyMap<string, number>, depth: number): Graph {
  if (depth > maxSubgraphDepth) throw unsupported('its loops are nested too deeply')
  let name = ''
  const nodes: Node[] = []
  const inputs: ValueInfo[] = []
  const outputs: ValueInfo[] = []
  const initialisers = new Map<string, Tensor>()
  message.fields((field, wire) => {
    switch (field) {
      case graphFields.name:
        name = message.expect(wire, bytes).text()
        break
      case graphFields.node:
        nodes.push(readNode(message.expect(wire, bytes).message(), opsets, depth))
        break
      case graphFields.initializer: {
        const initialiser = readTensor(message.expect(wire, bytes).message())
        if (initialisers.has(initialiser.name)) throw damaged(`"${initialiser.name}" is defined twice`)
        initialisers.set(initialiser.name, initialiser.value)
        break
      }
      case graphFields.input:
        inputs.push(readValueInfo(message.expect(wire, bytes).message()))
        break
      case graphFields.output:
        outputs.push(readValueInfo(message.expect(wire, bytes).message()))
        break
      case graphFields.sparseInitializer:
        throw unsupported('its weights are stored sparsely')
    }
  })
  return {
    name,
    // Until ONNX 1.4 every weight was listed among the inputs too.
    inputs: inputs.filter((info) => !initialisers.has(info.name)),
    outputs,
    initialisers,
    nodes,
    opsets,
    metadata: new Map(),
    producer: '',
  }
}

function readNode(message: WireReader, opsets: ReadonlyMap<string, number>, depth: number): Node {
  let name = ''
  let op = ''
  let domain = ''
  const inputs: string[] = []
  const outputs: string[] = []
  const attributes: Record<string, Attribute> = {}
  message.fields((field, wire) => {
    switch (field) {
      case nodeFields.input:
        inputs.push(message.expect(wire, bytes).text())
        break
      case nodeFields.output:
        outputs.push(message.expect(wire, bytes).text())
        break
      case nodeFields.name:
        name = message.expect(wire, bytes).text()
        break
      case nodeFields.opType:
        op = message.expect(wire, bytes).text()
        break
      case nodeFields.domain:
        domain = message.expect(wire, bytes).text()
        break
      case nodeFields.attribute: {
        const attribute = readAttribute(message.expect(wire, bytes).message(), opsets, depth)
        Object.defineProperty(attributes, attribute.name, {
          value: attribute.value,
          enumerable: true,
          configurable: true,
          writable: true,
        })
        break
      }
    }
  })
  return { name, op, domain: domain === 'ai.onnx' ? '' : domain, inputs, outputs, attributes }
}

function readAttribute(
  message: WireReader,
  opsets: ReadonlyMap<string, number>,
  depth: number,
): { name: string; value: Attribute } {
  let name = ''
  let type = 0
  let f = 0
  let i = 0
  let s = ''
  let t: Tensor | undefined
  let g: Graph | undefined
  const floats: number[] = []
  const ints: number[] = []
  const strings: string[] = []
  message.fields((field, wire) => {
    if (field === af.name) name = message.expect(wire, bytes).text()
    else if (field === af.f) f = message.expect(wire, fixed32).float()
    else if (field === af.i) i = message.expect(wire, varint).signed()
    else if (field === af.s) s = message.expect(wire, bytes).text()
    else if (field === af.t) t = readTensor(message.expect(wire, bytes).message()).value
    else if (field === af.g) g = readGraph(message.expect(wire, bytes).message(), opsets, depth + 1)
    else if (field === af.floats) message.repeated(wire, (reader) => reader.float(), floats)
    else if (field === af.ints) message.repeated(wire, (reader) => reader.signed(), ints)
    else if (field === af.strings) strings.push(message.expect(wire, bytes).text())
    else if (field === af.type) type = message.expect(wire, varint).varint()
  })
  switch (type) {
    case attributeTypes.float:
      return { name, value: { kind: 'float', value: f } }
    case attributeTypes.int:
      return { name, value: { kind: 'int', value: i } }
    case attributeTypes.string:
      return { name, value: { kind: 'string', value: s } }
    case attributeTypes.floats:
      return { name, value: { kind: 'floats', value: floats } }
    case attributeTypes.ints:
      return { name, value: { kind: 'ints', value: ints } }
    case attributeTypes.strings:
      return { name, value: { kind: 'strings', value: strings } }
    case attributeTypes.tensor:
      if (t === undefined) throw damaged(`the attribute "${name}" has no value`)
      return { name, value: { kind: 'tensor', value: t } }
    case attributeTypes.graph:
      if (g === undefined) throw damaged(`the attribute "${name}" has no value`)
      return { name, value: { kind: 'graph', value: g } }
    default:
      throw unsupported(`the attribute "${name}" has a type that Kestrel does not read`)
  }
}

function readValueInfo(message: WireReader): ValueInfo {
  let name = ''
  let type: DataType | null = null
  let shape: Dimension[] | null = null
  message.fields((field, wire) => {
    if (field === valueInfoFields.name) name = message.expect(wire, bytes).text()
    if (field !== valueInfoFields.type) return
    const typeMessage = message.expect(wire, bytes).message()
    typeMessage.fields((typeField, typeWire) => {
      if (typeField !== typeFields.tensorType) return
      const tensorType = typeMessage.expect(typeWire, bytes).message()
      tensorType.fields((field, wire) => {
        if (field === tensorTypeFields.elemType)
          type = dataTypeOf(tensorType.expect(wire, varint).varint()) ?? null
        if (field === tensorTypeFields.shape) shape = readShape(tensorType.expect(wire, bytes).message())
      })
    })
  })
  return { name, type, shape }
}

function readShape(message: WireReader): Dimension[] {
  const shape: Dimension[] = []
  message.fields((field, wire) => {
    if (field !== shapeFields.dim) return
    const dimension = message.expect(wire, bytes).message()
    let size: Dimension = null
    dimension.fields((part, partWire) => {
      if (part === dimensionFields.value) size = dimension.expect(partWire, varint).signed()
      if (part === dimensionFields.param) size = dimension.expect(partWire, bytes).text() || null
    })
    shape.push(size)
  })
  return shape
}
