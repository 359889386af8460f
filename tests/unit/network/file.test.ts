import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  readNetworkSpec,
  templateIds,
  templateNetwork,
  writeNetworkSpec,
  type NetworkSpecInput,
} from '#shared/domain/network/index.ts'
import { KestrelError } from '#shared/errors/index.ts'

const withLayers = (layers: unknown): string =>
  JSON.stringify({ version: 1, name: 'net', input: { width: 64, height: 64 }, layers })

const refusal = (text: string): string => {
  try {
    readNetworkSpec(text)
  } catch (error) {
    if (!(error instanceof KestrelError)) throw error
    return error.message
  }
  throw new Error('was not refused')
}

describe('a network as a file', () => {
  test.each(templateIds)('%s is written and read back as it was', (id) => {
    const spec = templateNetwork(id, { size: 64, classes: 7 })
    expect(readNetworkSpec(writeNetworkSpec(spec))).toEqual(spec)
  })

  test('has one layer a line, inner layers included', () => {
    const spec = readNetworkSpec(
      withLayers([
        { type: 'residual', layers: [{ type: 'conv', filters: 3, size: 3 }, { type: 'batch-norm' }] },
        { type: 'activation', function: 'leaky-relu', slope: 0.2 },
        { type: 'global-pool' },
        { type: 'fc', units: 4, initialiser: { normal: 0.05 } },
      ]),
    )
    expect(writeNetworkSpec(spec)).toBe(`{
  "version": 1,
  "name": "net",
  "input": { "width": 64, "height": 64, "channels": 3 },
  "preprocessing": "none",
  "initialiser": "he-normal",
  "layers": [
    { "type": "residual", "layers": [
        { "type": "conv", "filters": 3, "size": 3, "stride": 1, "padding": "same", "bias": true },
        { "type": "batch-norm", "epsilon": 0.001 }
      ] },
    { "type": "activation", "function": "leaky-relu", "slope": 0.2 },
    { "type": "global-pool", "kind": "average" },
    { "type": "fc", "units": 4, "bias": true, "initialiser": { "normal": 0.05 } }
  ]
}
`)
    expect(readNetworkSpec(writeNetworkSpec(spec))).toEqual(spec)
  })

  test('what a person leaves out has a default', () => {
    const spec = readNetworkSpec(
      withLayers([
        { type: 'conv', filters: 4, size: 3 },
        { type: 'pool' },
        { type: 'flatten' },
        { type: 'dropout', rate: 0.5 },
        { type: 'fc', units: 2 },
      ]),
    )
    expect(spec.layers).toEqual([
      { type: 'conv', filters: 4, size: 3, stride: 1, padding: 'same', bias: true },
      { type: 'pool', kind: 'max', size: 2, stride: 2, padding: 'valid' },
      { type: 'flatten' },
      { type: 'dropout', rate: 0.5, drop: 'units' },
      { type: 'fc', units: 2, bias: true },
    ])
  })

  test.each<[string, string, RegExp]>([
    ['half a file', '{"version": 1,', /not JSON/],
    ['a deep file', '['.repeat(150_000), /not JSON/],
    ['a list', '[]', /an object was expected/],
    ['another version', '{"version": 2}', /"version": it has to be 1/],
    ['no layer', withLayers([]), /"layers": at least 1/],
    ['too many layers', withLayers(Array(201).fill({ type: 'flatten' })), /"layers": at most 200/],
    ['an unknown layer', withLayers([{ type: 'lstm' }]), /layer 1: "type": one of conv, depthwise-conv/],
    ['a number for a layer', withLayers([5]), /layer 1: an object was expected/],
    ['no filters', withLayers([{ type: 'conv', size: 3 }]), /layer 1: "filters": it is missing/],
    ['half a filter', withLayers([{ type: 'conv', filters: 3.5, size: 3 }]), /"filters": a whole number/],
    ['a million filters', withLayers([{ type: 'conv', filters: 1e6, size: 3 }]), /"filters": at most 4096/],
    [
      'endless filters',
      withLayers([{ type: 'conv', filters: 7, size: 3 }]).replace('7', '1e999'),
      /"filters"/,
    ],
    [
      'a stride of nothing',
      withLayers([{ type: 'conv', filters: 3, size: 3, stride: 0 }]),
      /"stride": at least 1/,
    ],
    [
      'padding in words',
      withLayers([{ type: 'conv', filters: 3, size: 3, padding: 'some' }]),
      /"padding": a whole number from 0 to 31, "same" or "valid"/,
    ],
    ['a spelling mistake', withLayers([{ type: 'fc', units: 3, baias: true }]), /no setting "baias"/],
    [
      'a block in a block',
      withLayers([{ type: 'residual', layers: [{ type: 'residual', layers: [] }] }]),
      /layer 1.1: "type": one of/,
    ],
    [
      'a prototype',
      withLayers([{ type: 'flatten' }]).replace('{', '{"__proto__":{"layers":[]},'),
      /__proto__/,
    ],
    ['layers that do not fit', withLayers([{ type: 'fc', units: 3 }]), /needs a list of numbers/],
    [
      'too many weights',
      withLayers([{ type: 'flatten' }, { type: 'fc', units: 16_384 }]),
      /would learn 201 million numbers/,
    ],
  ])('%s is refused in words', (_what, text, words) => {
    expect(refusal(text)).toMatch(words)
  })

  test('a text of any other size or content ends in words too, never in another error', () => {
    expect(refusal('x'.repeat(200_001))).toMatch(/too large/)
    fc.assert(
      fc.property(fc.json({ maxDepth: 6 }), (text) => {
        expect(refusal(text)).not.toBe('')
      }),
      { seed: 4, numRuns: 300 },
    )
    // Well-formed apart from one value that is put somewhere.
    const base: NetworkSpecInput = templateNetwork('small-resnet', { size: 32, classes: 3 })
    const places = paths(base)
    fc.assert(
      fc.property(fc.constantFrom(...places), fc.jsonValue({ maxDepth: 2 }), (path, value) => {
        const changed: unknown = put(base, path, value)
        try {
          readNetworkSpec(JSON.stringify(changed))
        } catch (error) {
          expect(error).toBeInstanceOf(KestrelError)
        }
      }),
      { seed: 5, numRuns: 300 },
    )
  })
})

type Path = readonly (string | number)[]

function paths(value: unknown, at: Path = []): Path[] {
  if (typeof value !== 'object' || value === null) return [at]
  return Object.entries(value).flatMap(([key, inner]) => [[...at, key], ...paths(inner, [...at, key])])
}

function put(value: unknown, [key, ...rest]: Path, what: unknown): unknown {
  if (key === undefined) return what
  if (Array.isArray(value))
    return value.map((each, index) => (String(index) === key ? put(each, rest, what) : each))
  const record = value as Record<string, unknown>
  return { ...record, [key]: put(record[key], rest, what) }
}
