import { toBytes } from '../tensor.ts'
import type { Attribute, Graph, Node, Tensor, ValueInfo } from '../types.ts'
import { validate } from '../validate.ts'
import {
  attributeFields,
  attributeTypes,
  dataTypeNumbers,
  dimensionFields,
  entryFields,
  graphFields,
  modelFields,
  nodeFields,
  opsetFields,
  shapeFields,
  tensorFields,
  tensorTypeFields,
  typeFields,
  valueInfoFields,
} from './schema.ts'
import { WireWriter } from './wire.ts'

/** ONNX file format version 8 goes with operator sets up to 18 and is read by every runtime since 2022. */
const irVersion = 8

/** The bytes of an `.onnx` file. Throws `backbone-damaged` when the graph is not well formed. */
export function writeOnnx(graph: Graph): Uint8Array {
  validate(graph)
  const model = new WireWriter()
  model.int(modelFields.irVersion, irVersion)
  model.text(modelFields.producerName, 'kestrel-studio')
  model.message(modelFields.graph, (message) => writeGraph(message, graph))
  for (const [domain, version] of graph.opsets) {
    model.message(modelFields.opsetImport, (message) => {
      if (domain !== '') message.text(opsetFields.domain, domain)
      message.int(opsetFields.version, version)
    })
  }
  for (const [key, value] of graph.metadata) {
    model.message(modelFields.metadataProps, (message) => {
      message.text(entryFields.key, key)
      message.text(entryFields.value, value)
    })
  }
  return model.bytes()
}

function writeGraph(out: WireWriter, graph: Graph): void {
  for (const node of graph.nodes) out.message(graphFields.node, (message) => writeNode(message, node))
  out.text(graphFields.name, graph.name)
  for (const [name, value] of graph.initialisers) {
    out.message(graphFields.initializer, (message) => writeTensor(message, value, name))
  }
  for (const info of graph.inputs) out.message(graphFields.input, (message) => writeValueInfo(message, info))
  for (const info of graph.outputs)
    out.message(graphFields.output, (message) => writeValueInfo(message, info))
}

function writeNode(out: WireWriter, node: Node): void {
  for (const name of node.inputs) out.text(nodeFields.input, name)
  for (const name of node.outputs) out.text(nodeFields.output, name)
  if (node.name !== '') out.text(nodeFields.name, node.name)
  out.text(nodeFields.opType, node.op)
  for (const [name, attribute] of Object.entries(node.attributes)) {
    out.message(nodeFields.attribute, (message) => writeAttribute(message, name, attribute))
  }
  if (node.domain !== '') out.text(nodeFields.domain, node.domain)
}

function writeAttribute(out: WireWriter, name: string, attribute: Attribute): void {
  out.text(attributeFields.name, name)
  switch (attribute.kind) {
    case 'float':
      out.float(attributeFields.f, attribute.value)
      break
    case 'int':
      out.int(attributeFields.i, attribute.value)
      break
    case 'string':
      out.text(attributeFields.s, attribute.value)
      break
    case 'tensor':
      out.message(attributeFields.t, (message) => writeTensor(message, attribute.value, ''))
      break
    case 'graph':
      out.message(attributeFields.g, (message) => writeGraph(message, attribute.value))
      break
    case 'floats':
      out.floats(attributeFields.floats, attribute.value)
      break
    case 'ints':
      out.ints(attributeFields.ints, attribute.value)
      break
    case 'strings':
      for (const value of attribute.value) out.text(attributeFields.strings, value)
      break
  }
  out.int(attributeFields.type, attributeTypes[attribute.kind])
}

function writeTensor(out: WireWriter, value: Tensor, name: string): void {
  if (value.shape.length > 0) out.ints(tensorFields.dims, value.shape)
  out.int(tensorFields.dataType, dataTypeNumbers[value.type])
  if (value.type === 'string') for (const text of value.data) out.text(tensorFields.stringData, text)
  if (name !== '') out.text(tensorFields.name, name)
  if (value.type !== 'string') out.block(tensorFields.rawData, toBytes(value.data))
}

function writeValueInfo(out: WireWriter, info: ValueInfo): void {
  out.text(valueInfoFields.name, info.name)
  const { type, shape } = info
  if (type === null) return
  out.message(valueInfoFields.type, (typeMessage) => {
    typeMessage.message(typeFields.tensorType, (tensorType) => {
      tensorType.int(tensorTypeFields.elemType, dataTypeNumbers[type])
      if (shape === null) return
      tensorType.message(tensorTypeFields.shape, (shapeMessage) => {
        for (const size of shape) {
          shapeMessage.message(shapeFields.dim, (dimension) => {
            if (typeof size === 'number') dimension.int(dimensionFields.value, size)
            else if (size !== null) dimension.text(dimensionFields.param, size)
          })
        }
      })
    })
  })
}
