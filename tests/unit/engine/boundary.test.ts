import { expect, test } from 'vitest'
import { onnxEngine } from '#trainer/engines/onnx/engine.ts'
import { GraphBuilder } from '#trainer/graph/builder.ts'
import { scalar } from '#trainer/graph/tensor.ts'
import { Boundary } from '#trainer/loop/boundary.ts'
import { Trunk } from '#trainer/loop/trunk.ts'

test('computes what the trunk gives once for each picture, in any order', async () => {
  const g = new GraphBuilder('trunk')
  const input = g.input({ name: 'input', type: 'float32', shape: ['batch', 3, 2, 2] })
  const twice = g.node('Mul', [input, g.constant('two', scalar(2))])
  g.output(twice, { name: 'boundary', type: 'float32', shape: ['batch', 3, 2, 2] })
  const trunk = await Trunk.open(onnxEngine, g.build())
  const boundary = new Boundary(trunk)
  const picture = (row: number): number[] => Array.from({ length: 12 }, (_, i) => 100 * row + i)
  const batch = (rows: number[]): [Int32Array, Float32Array] => [
    Int32Array.from(rows),
    Float32Array.from(rows.flatMap(picture)),
  ]
  const doubled = (rows: number[]): Float32Array =>
    Float32Array.from(rows.flatMap((row) => picture(row).map((value) => 2 * value)))
  expect(await boundary.of(...batch([3, 1]))).toEqual(doubled([3, 1]))
  expect(await boundary.of(...batch([2, 1]))).toEqual(doubled([2, 1]))
  expect(boundary.size).toBe(3)
  await trunk.dispose()
  // The trunk is gone: these can only come from memory.
  expect(await boundary.of(...batch([1, 2, 3]))).toEqual(doubled([1, 2, 3]))
  await expect(boundary.of(...batch([1, 4]))).rejects.toThrow()
})
