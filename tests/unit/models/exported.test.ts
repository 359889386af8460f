import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { readOnnx } from '#trainer/graph/onnx/index.ts'
import { settleShapes } from '#trainer/graph/settle-shapes.ts'
import { elementCount } from '#trainer/graph/tensor.ts'
import { validate } from '#trainer/graph/validate.ts'
import { backboneOf } from '#trainer/models/backbone.ts'
import { splitAt } from '#trainer/models/fine-tune.ts'
import { learnableOf } from '#trainer/models/learnable.ts'
import { largestDifference, runGraph } from '../../helpers/graphs.ts'

const fixture = (name: string): string => resolve(import.meta.dirname, '../../fixtures/architectures', name)

/** Made by `tests/fixtures/architectures/make_exported.py`. */
const golden = z
  .object({ size: z.number(), learned: z.number(), answer: z.array(z.number()) })
  .parse(JSON.parse(readFileSync(fixture('exported-vit.json'), 'utf8')))

const { size } = golden
const picture = Float32Array.from({ length: 3 * size * size }, (_, index) => ((index * 37) % 101) / 101 - 0.5)
const shape = [1, 3, size, size]
const file = readFileSync(fixture('exported-vit.onnx'))
const backbone = backboneOf({ format: 'onnx', graph: readOnnx(file) }).graph
const headNumbers = 16 * 5 + 5

describe('a transformer as PyTorch exports it, computing its shapes', () => {
  test('is read as it is', async () => {
    const { data } = await runGraph(file, picture, shape)
    expect(largestDifference(data, golden.answer)).toBeLessThan(1e-5)
    expect(backbone.outputs[0]?.shape).toEqual(['batch', 16])
  })

  test('has its three blocks, and everything in them learns but nothing else', () => {
    const { blocks, tail } = splitAt(backbone, 3)
    expect(blocks.map(({ shape: sizes }) => sizes)).toEqual([[17, 16], [17, 16], [16]])
    const names = tail.parameters.map(({ name }) => name)
    // Token and places belong to the first block, the last normalisation to the last.
    expect(names.filter((name) => !name.startsWith('blocks.'))).toEqual([
      ...['patches.weight', 'patches.bias', 'token', 'places', 'norm.weight', 'norm.bias'],
    ])
    expect(tail.parameters.reduce((sum, each) => sum + elementCount(each.shape), 0)).toBe(
      golden.learned - headNumbers,
    )
    for (const { name, block } of tail.parameters) {
      const number = /^blocks\.(\d)/.exec(name)?.[1] ?? (name.startsWith('norm') ? 2 : 0)
      expect(block, name).toBe(Number(number))
    }
    const roles = new Map(tail.parameters.map(({ name, role }) => [name.replace('blocks.1.', ''), role]))
    expect(Object.fromEntries([...roles].filter(([name]) => !name.startsWith('blocks')))).toEqual({
      'patches.weight': 'weight',
      'patches.bias': 'bias',
      token: 'embedding',
      places: 'embedding',
      'norm1.weight': 'scale',
      'norm1.bias': 'shift',
      'attention.qkv.weight': 'weight',
      'attention.qkv.bias': 'bias',
      'attention.project.weight': 'weight',
      'attention.project.bias': 'bias',
      'norm2.weight': 'scale',
      'norm2.bias': 'shift',
      'mlp.0.weight': 'weight',
      'mlp.0.bias': 'bias',
      'mlp.2.weight': 'weight',
      'mlp.2.bias': 'bias',
      'norm.weight': 'scale',
      'norm.bias': 'shift',
    })
  })

  test.each([1, 2])(
    'gives the same when %i blocks of it learn, which then compute no shapes',
    async (keepTop) => {
      const { trunk, tail } = splitAt(backbone, keepTop)
      for (const part of [trunk, tail.graph]) validate(part)
      expect(tail.graph.nodes.filter(({ op }) => ['Shape', 'ConstantOfShape', 'Where'].includes(op))).toEqual(
        [],
      )
      const pictures = Float32Array.from([...picture, ...picture.map((value) => value / 2)])
      const wanted = await runGraph(backbone, pictures, [2, 3, size, size])
      const middle = await runGraph(trunk, pictures, [2, 3, size, size])
      const found = await runGraph(tail.graph, middle.data, middle.shape)
      expect(largestDifference(found.data, wanted.data)).toBeLessThan(1e-5)
    },
  )

  test('has the same numbers with its shapes settled, for any batch', async () => {
    const settled = settleShapes(backbone)
    validate(settled)
    expect(settled.nodes.length).toBeLessThan(backbone.nodes.length)
    for (const batch of [1, 3]) {
      const pictures = Float32Array.from(Array.from({ length: batch }, () => [...picture]).flat())
      const wanted = await runGraph(backbone, pictures, [batch, 3, size, size])
      const found = await runGraph(settled, pictures, [batch, 3, size, size])
      expect(found.shape).toEqual([batch, 16])
      expect(largestDifference(found.data, wanted.data)).toBeLessThan(1e-6)
    }
  })

  test('learns no less before its shapes are settled', () => {
    expect(learnableOf(backbone)).toEqual(learnableOf(settleShapes(backbone)))
  })
})
