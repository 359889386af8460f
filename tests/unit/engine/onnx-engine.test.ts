import { describe, expect, it } from 'vitest'
import { standardTarget } from '#trainer/autodiff/lowering/index.ts'
import { onnxEngine, onnxEngineFor } from '#trainer/engines/onnx/engine.ts'
import { referenceEngine } from '#trainer/engines/reference/engine.ts'
import { GraphBuilder } from '#trainer/graph/builder.ts'
import { float32, int64s, numbers, tensor } from '#trainer/graph/tensor.ts'
import { trainingDomain } from '#trainer/graph/training-operators.ts'
import { float, int, ints } from '#trainer/graph/types.ts'
import type { Graph } from '#trainer/graph/types.ts'
import { largestDifference } from '../../helpers/graphs.ts'
import { normals, run } from '../../helpers/engines.ts'

/** Batch normalisation with the statistics of the batch, a pooling, and the gradients of both. */
function trainingGraph(): Graph {
  const b = new GraphBuilder('training')
  const x = b.input({ name: 'x', type: 'float32', shape: [2, 3, 4, 4] })
  const gamma = b.input({ name: 'gamma', type: 'float32', shape: [3] })
  const beta = b.input({ name: 'beta', type: 'float32', shape: [3] })
  const dy = b.input({ name: 'dy', type: 'float32', shape: [2, 3, 2, 2] })
  const domain = trainingDomain
  const epsilon = float(1e-3)
  const [y, mean, variance] = b.nodes(
    'BatchNormalizationTraining',
    [x, gamma, beta],
    3,
    { epsilon },
    { domain },
  )
  const window = { kernel_shape: ints([2, 2]), strides: ints([2, 2]) }
  const pooled = b.node('MaxPool', [y!], window)
  const [dn] = b.nodes('MaxPoolGradient', [y!, pooled, dy], 1, window, { domain })
  const gradients = b.nodes(
    'BatchNormalizationGradient',
    [x, gamma, mean!, variance!, dn!],
    3,
    { epsilon },
    { domain },
  )
  for (const value of [pooled, ...gradients]) b.output(value, { name: value, type: 'float32', shape: null })
  return b.build()
}

describe('the ONNX Runtime engine', () => {
  it('lowers training operators and agrees with the reference', async () => {
    const feeds = {
      x: normals([2, 3, 4, 4], 1),
      gamma: normals([3], 2),
      beta: normals([3], 3),
      dy: normals([2, 3, 2, 2], 4),
    }
    const wanted = await run(referenceEngine, trainingGraph(), feeds)
    for (const engine of [onnxEngine, onnxEngineFor(standardTarget)]) {
      const found = await run(engine, trainingGraph(), feeds)
      expect(Object.keys(found)).toEqual(Object.keys(wanted))
      for (const [name, value] of Object.entries(wanted)) {
        expect(found[name]).toMatchObject({ type: 'float32', shape: value.shape })
        expect(largestDifference(numbers(found[name]!), numbers(value)), name).toBeLessThan(1e-5)
      }
    }
  })

  it('writes into arrays that are given, and nothing else', async () => {
    const session = await onnxEngine.open(trainingGraph(), { threads: 1, purpose: 'training' })
    const [first] = trainingGraph().outputs
    const mine = new Float32Array(24)
    const feeds = {
      x: normals([2, 3, 4, 4], 1),
      gamma: normals([3], 2),
      beta: normals([3], 3),
      dy: normals([2, 3, 2, 2], 4),
    }
    const found = await session.run(feeds, { [first!.name]: float32([2, 3, 2, 2], mine) })
    expect(Object.keys(found)).toEqual([first!.name])
    expect(mine.some((value) => value !== 0)).toBe(true)
    await session.dispose()
    await session.dispose()
    await expect(session.run(feeds)).rejects.toMatchObject({ code: 'internal' })
  })

  it('takes any batch where the size is free', async () => {
    const b = new GraphBuilder('free')
    const x = b.input({ name: 'x', type: 'float32', shape: ['batch', 2] })
    b.output(b.node('Neg', [x]), { name: 'y', type: 'float32', shape: ['batch', 2] })
    const session = await onnxEngine.open(b.build())
    for (const rows of [1, 5]) {
      const { y } = await session.run({ x: normals([rows, 2], rows) })
      expect(y!.shape).toEqual([rows, 2])
    }
    await session.dispose()
  })

  it('reads older operator sets, and keeps the zeros around a max pooling', async () => {
    const b = new GraphBuilder('old', new Map([['', 9]]))
    const x = b.input({ name: 'x', type: 'float32', shape: [1, 1, 2, 2] })
    const padded = b.node('Pad', [x], { pads: ints([0, 0, 1, 1, 0, 0, 1, 1]) })
    b.output(b.node('MaxPool', [padded], { kernel_shape: ints([2, 2]) }), {
      name: 'y',
      type: 'float32',
      shape: null,
    })
    const feeds = { x: float32([1, 1, 2, 2], [-1, -2, -3, -4]) }
    const wanted = await run(referenceEngine, b.build(), feeds)
    expect(numbers(wanted['y']!)).toEqual([0, 0, 0, 0, -1, 0, 0, 0, 0])
    const found = await run(onnxEngine, b.build(), feeds)
    expect(largestDifference(numbers(found['y']!), numbers(wanted['y']!))).toBeLessThan(1e-20)
  })

  it('hands half-precision values in and out as their bits', async () => {
    const b = new GraphBuilder('half')
    const x = b.input({ name: 'x', type: 'float16', shape: [3] })
    b.output(b.node('Relu', [x]), { name: 'y', type: 'float16', shape: [3] })
    // 1, −1 and 1.5 (IEEE 754 binary16).
    const feed = tensor('float16', [3], Uint16Array.of(0x3c00, 0xbc00, 0x3e00))
    const { y } = await run(onnxEngine, b.build(), { x: feed })
    expect(y).toEqual({ type: 'float16', shape: [3], data: Uint16Array.of(0x3c00, 0, 0x3e00) })
    const { y: exact } = await run(referenceEngine, b.build(), { x: feed })
    expect([...exact!.data]).toEqual([1, 0, 1.5])
  })

  it('names the operator that it lacks', async () => {
    const unknown = new GraphBuilder('unknown')
    const x = unknown.input({ name: 'x', type: 'float32', shape: [2] })
    unknown.output(unknown.node('NoSuchThing', [x]), { name: 'y', type: 'float32', shape: [2] })
    await expect(onnxEngine.open(unknown.build())).rejects.toMatchObject({
      code: 'operator-unsupported',
      message: expect.stringContaining('NoSuchThing'),
    })
    const odd = new GraphBuilder('odd type')
    const i = odd.input({ name: 'i', type: 'int16', shape: [2] })
    odd.output(odd.node('Max', [i, i]), { name: 'y', type: 'int16', shape: [2] })
    await expect(onnxEngine.open(odd.build())).rejects.toMatchObject({
      code: 'operator-unsupported',
      message: expect.stringContaining('Max'),
    })
  })

  it('says that a graph is no network when the runtime refuses it for another reason', async () => {
    const b = new GraphBuilder('contradiction')
    const x = b.input({ name: 'x', type: 'float32', shape: [2, 3] })
    b.output(b.node('Reshape', [x, b.constant('s', int64s([4, 2]))]), {
      name: 'y',
      type: 'float32',
      shape: [4, 2],
    })
    b.output(b.node('Concat', [x], { axis: int(7) }), { name: 'z', type: 'float32', shape: null })
    await expect(onnxEngine.open(b.build())).rejects.toMatchObject({ code: 'model-unreadable' })
  })
})
