import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { KestrelError } from '#shared/errors/index.ts'
import { createRandom } from '#shared/domain/random.ts'
import { GraphBuilder } from '../../../electron/trainer/graph/builder.ts'
import { readOnnx, writeOnnx } from '../../../electron/trainer/graph/onnx/index.ts'
import { WireReader, WireWriter } from '../../../electron/trainer/graph/onnx/wire.ts'
import { float32, halfToNumber, int64s, tensor, transpose } from '../../../electron/trainer/graph/tensor.ts'
import { float, int, ints, string } from '../../../electron/trainer/graph/types.ts'
import type { Attribute, Graph, Tensor } from '../../../electron/trainer/graph/types.ts'
import { validate } from '../../../electron/trainer/graph/validate.ts'

const name = fc.string({ minLength: 1, maxLength: 12 })
const integer = fc.oneof(
  fc.maxSafeInteger(),
  fc.constantFrom(0, 1, -1, 127, 128, -128, 2 ** 31, -(2 ** 31), 2 ** 63),
)
const real = fc.float()

const shape = fc.array(fc.integer({ min: 0, max: 4 }), { maxLength: 4 })
const tensors: fc.Arbitrary<Tensor> = shape.chain((sizes) => {
  const count = sizes.reduce((a, b) => a * b, 1)
  const exactly = { minLength: count, maxLength: count }
  return fc.oneof(
    fc.float32Array(exactly).map((data) => tensor('float32', sizes, data)),
    fc.float64Array(exactly).map((data) => tensor('float64', sizes, data)),
    fc.bigInt64Array(exactly).map((data) => tensor('int64', sizes, data)),
    fc.bigUint64Array(exactly).map((data) => tensor('uint64', sizes, data)),
    fc.int32Array(exactly).map((data) => tensor('int32', sizes, data)),
    fc.uint32Array(exactly).map((data) => tensor('uint32', sizes, data)),
    fc.int8Array(exactly).map((data) => tensor('int8', sizes, data)),
    fc.uint8Array(exactly).map((data) => tensor('uint8', sizes, data)),
    fc.uint16Array(exactly).map((data) => tensor('float16', sizes, data)),
    fc.uint16Array(exactly).map((data) => tensor('bfloat16', sizes, data)),
    fc.uint8Array(exactly).map((data) =>
      tensor(
        'bool',
        sizes,
        data.map((value) => value & 1),
      ),
    ),
    fc.array(fc.string(), exactly).map((data) => tensor('string', sizes, data)),
  )
})

const attribute: fc.Arbitrary<Attribute> = fc.oneof(
  integer.map((value): Attribute => ({ kind: 'int', value })),
  real.map((value): Attribute => ({ kind: 'float', value })),
  fc.string().map((value): Attribute => ({ kind: 'string', value })),
  fc.array(integer, { maxLength: 5 }).map((value): Attribute => ({ kind: 'ints', value })),
  fc.array(real, { maxLength: 5 }).map((value): Attribute => ({ kind: 'floats', value })),
  fc.array(fc.string(), { maxLength: 5 }).map((value): Attribute => ({ kind: 'strings', value })),
  tensors.map((value): Attribute => ({ kind: 'tensor', value })),
)
const attributes = fc.dictionary(name, attribute, { maxKeys: 4, noNullPrototype: true })

/** Well-formed graphs: each node reads what stands before it. */
const graphs: fc.Arbitrary<Graph> = fc
  .record({
    initialisers: fc.array(tensors, { maxLength: 4 }),
    nodes: fc.array(
      fc.record({
        op: name,
        domain: fc.constantFrom('', 'com.example'),
        attributes,
        reads: fc.array(fc.nat(), { maxLength: 3 }),
        named: fc.boolean(),
      }),
      { minLength: 1, maxLength: 6 },
    ),
    dimensions: fc.array(fc.oneof(fc.nat(100), fc.constant('batch'), fc.constant(null)), { maxLength: 4 }),
    metadata: fc.array(fc.tuple(name, fc.string()), { maxLength: 3 }),
  })
  .map(({ initialisers, nodes, dimensions, metadata }): Graph => {
    const values = ['input', ...initialisers.map((_, index) => `w${index}`)]
    const written = nodes.map((node, index) => {
      const inputs = node.reads.map((at) => values[at % values.length]!)
      values.push(`v${index}`)
      const { op, domain } = node
      return {
        name: node.named ? `n${index}` : '',
        op,
        domain,
        inputs,
        outputs: [`v${index}`],
        attributes: node.attributes,
      }
    })
    return {
      name: 'drawn',
      inputs: [{ name: 'input', type: 'float32', shape: dimensions }],
      outputs: [{ name: values.at(-1)!, type: null, shape: null }],
      initialisers: new Map(initialisers.map((value, index) => [`w${index}`, value])),
      nodes: written,
      opsets: new Map([
        ['', 18],
        ['com.example', 1],
      ]),
      metadata: new Map(metadata),
      producer: 'kestrel-studio',
    }
  })

describe('ONNX files', () => {
  test('what is written is read back as the same graph', () => {
    fc.assert(
      fc.property(graphs, (graph) => {
        expect(readOnnx(writeOnnx(graph))).toEqual(graph)
      }),
      { numRuns: 200, seed: 5 },
    )
  })

  test('subgraphs are carried through', () => {
    const inner = new GraphBuilder('branch')
    inner.output(inner.node('Relu', ['outer'], {}, 'relu'), {
      name: 'branch_out',
      type: 'float32',
      shape: [2],
    })
    const graph: Graph = {
      ...inner.build(),
      name: 'main',
      inputs: [
        { name: 'outer', type: 'float32', shape: [2] },
        { name: 'flag', type: 'bool', shape: [] },
      ],
      nodes: [
        {
          name: 'if',
          op: 'If',
          domain: '',
          inputs: ['flag'],
          outputs: ['y'],
          attributes: { then_branch: { kind: 'graph', value: inner.build() } },
        },
      ],
      outputs: [{ name: 'y', type: 'float32', shape: [2] }],
      producer: 'kestrel-studio',
    }
    expect(readOnnx(writeOnnx(graph))).toEqual(graph)
  })

  test('weights listed among the inputs, as files before 2019 have them, are no inputs', () => {
    const builder = new GraphBuilder('old')
    const x = builder.input({ name: 'x', type: 'float32', shape: [1] })
    const w = builder.constant('w', float32([1], [2]))
    builder.output(builder.node('Mul', [x, w], {}, 'y'), { name: 'y', type: 'float32', shape: [1] })
    const bytes = writeOnnx(builder.build())
    const model = new WireWriter()
    model.block(7, graphWithInput(bytes, 'w'))
    expect(readOnnx(model.bytes()).inputs.map((info) => info.name)).toEqual(['x'])
  })

  test('weights in other files, sparse weights and functions are refused in words', () => {
    const model = new WireWriter()
    model.message(7, (graph) =>
      graph.message(5, (value) => {
        value.ints(1, [1])
        value.int(2, 1)
        value.text(8, 'w')
        value.int(14, 1)
      }),
    )
    expect(() => readOnnx(model.bytes())).toThrow(/lie in other files/)
    const functions = new WireWriter()
    functions.message(25, (message) => message.text(1, 'f'))
    expect(() => readOnnx(functions.bytes())).toThrow(/functions of its own/)
  })

  test('a value defined twice, used before it is made, or missing is refused', () => {
    const node = (inputs: string[], outputs: string[]) => ({
      name: '',
      op: 'Relu',
      domain: '',
      inputs,
      outputs,
      attributes: {},
    })
    const base: Graph = {
      name: 'g',
      inputs: [{ name: 'x', type: 'float32', shape: [1] }],
      outputs: [{ name: 'y', type: 'float32', shape: [1] }],
      initialisers: new Map(),
      nodes: [node(['x'], ['y'])],
      opsets: new Map([['', 18]]),
      metadata: new Map(),
      producer: '',
    }
    expect(() => validate(base)).not.toThrow()
    expect(() => validate({ ...base, nodes: [node(['x'], ['y']), node(['x'], ['y'])] })).toThrow(
      /defined twice/,
    )
    expect(() => validate({ ...base, nodes: [node(['z'], ['y']), node(['x'], ['z'])] })).toThrow(
      /nothing before it gives/,
    )
    expect(() => validate({ ...base, nodes: [] })).toThrow(/nothing gives the output/)
  })
})

/** The graph message of a file, with one more input. */
function graphWithInput(file: Uint8Array, name: string): Uint8Array {
  let graph: Uint8Array | undefined
  const model = new WireReader(file)
  model.fields((field) => {
    if (field === 7) graph = model.block()
  })
  const extra = new WireWriter()
  extra.message(11, (info) => info.text(1, name))
  return new Uint8Array(Buffer.concat([graph ?? new Uint8Array(), extra.bytes()]))
}

describe('damaged ONNX files', () => {
  const builder = new GraphBuilder('whole')
  const x = builder.input({ name: 'x', type: 'float32', shape: ['batch', 3, 4, 4] })
  const w = builder.constant('w', float32([2, 3, 1, 1], [1, 2, 3, 4, 5, 6]))
  const y = builder.node(
    'Conv',
    [x, w],
    { strides: ints([1, 1]), group: int(1), note: string('n'), f: float(0.5) },
    'y',
  )
  const reshaped = builder.node('Reshape', [y, builder.constant('s', int64s([-1, 32]))], {}, 'flat')
  builder.output(reshaped, { name: 'out', type: 'float32', shape: ['batch', 32] })
  const whole = writeOnnx(builder.build(new Map([['key', 'value']])))

  const readsOrRefuses = (bytes: Uint8Array): void => {
    try {
      validate(readOnnx(bytes))
    } catch (error) {
      expect(error).toBeInstanceOf(KestrelError)
    }
  }

  test('cut off at every length', () => {
    for (let length = 0; length < whole.length; length++) readsOrRefuses(whole.subarray(0, length))
  })

  test('with bits turned over', () => {
    const random = createRandom(9)
    for (let run = 0; run < 4000; run++) {
      const bytes = new Uint8Array(whole)
      const flips = 1 + random.below(4)
      for (let flip = 0; flip < flips; flip++) bytes[random.below(bytes.length)]! ^= 1 << random.below(8)
      readsOrRefuses(bytes)
    }
  })

  test('made of noise', () => {
    const random = createRandom(10)
    for (let run = 0; run < 2000; run++) {
      readsOrRefuses(Uint8Array.from({ length: random.below(200) }, () => random.below(256)))
    }
  })
})

describe('messages', () => {
  test('have as many parts as the longest training step needs', () => {
    const [field, count] = [2, 300_000]
    const block = new Uint8Array(1)
    const writer = new WireWriter()
    writer.message(1, (message) => {
      for (let part = 0; part < count; part++) message.block(field, block)
    })
    // A tag, a length and a byte each; then the tag of the message and its length in three bytes.
    expect(writer.bytes()).toHaveLength(3 * count + 4)
  })
})

describe('numbers', () => {
  test('varints of every size go there and back', () => {
    fc.assert(
      fc.property(fc.oneof(fc.maxSafeInteger(), fc.integer()), (value) => {
        const writer = new WireWriter()
        writer.int(1, value)
        const reader = new WireReader(writer.bytes())
        let read = NaN
        reader.fields(() => {
          read = reader.signed()
        })
        expect(read).toBe(value)
      }),
    )
  })

  test('half precision', () => {
    const known: [number, number][] = [
      [0x0000, 0],
      [0x3c00, 1],
      [0xc000, -2],
      [0x7bff, 65504],
      [0x0001, 2 ** -24],
      [0x7c00, Infinity],
    ]
    for (const [bits, value] of known) expect(halfToNumber(bits)).toBe(value)
    expect(halfToNumber(0x7e00)).toBeNaN()
  })

  test('transposing twice by inverse orders changes nothing', () => {
    const value = float32(
      [2, 3, 4, 5],
      Float32Array.from({ length: 120 }, (_, index) => index),
    )
    const turned = transpose(value, [3, 1, 0, 2])
    expect(turned.shape).toEqual([5, 3, 2, 4])
    // turned[d, b, a, c] = value[a, b, c, d]
    expect(turned.data[((2 * 3 + 1) * 2 + 1) * 4 + 3]).toBe(value.data[((1 * 3 + 1) * 4 + 3) * 5 + 2])
    expect(transpose(turned, [2, 1, 3, 0])).toEqual(value)
  })
})
