import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { engineReport } from '#trainer/engines/report.ts'
import { OnnxSession } from '#trainer/engines/onnx/session.ts'
import { setUpOnnxRuntime } from '#trainer/engines/onnx/set-up.ts'
import { GraphBuilder } from '#trainer/graph/builder.ts'
import { writeOnnx } from '#trainer/graph/onnx/index.ts'
import { float32 } from '#trainer/graph/tensor.ts'

const doubling = (): Uint8Array => {
  const builder = new GraphBuilder('doubling')
  const x = builder.input({ name: 'x', type: 'float32', shape: ['n', 2] })
  const two = builder.constant('two', float32([1], [2]))
  builder.output(builder.node('Mul', [x, two]), { name: 'y', type: 'float32', shape: ['n', 2] })
  builder.output(builder.node('Add', [x, two]), { name: 'z', type: 'float32', shape: ['n', 2] })
  return writeOnnx(builder.build())
}

it('can be set up before there is a network', async () => {
  expect(await setUpOnnxRuntime()).toBe(true)
})

describe('OnnxSession', () => {
  let folder: string
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'kestrel-onnx-'))
  })
  afterAll(() => rm(folder, { recursive: true }))

  it('runs a network from bytes and from a file, for any batch', async () => {
    const path = join(folder, 'doubling.onnx')
    await writeFile(path, doubling())
    for (const model of [doubling(), path]) {
      const session = await OnnxSession.open(model, { threads: 1 })
      expect(session.inputs).toEqual([{ name: 'x', type: 'float32', shape: ['n', 2] }])
      for (const rows of [1, 3]) {
        const { y, z } = await session.run({ x: float32([rows, 2], new Float32Array(rows * 2).fill(5)) })
        expect(y!.shape).toEqual([rows, 2])
        expect([...(y!.data as Float32Array)]).toEqual(new Array<number>(rows * 2).fill(10))
        expect((z!.data as Float32Array)[0]).toBe(7)
      }
      await session.dispose()
      await session.dispose()
    }
  })

  it('computes only what is wanted, into arrays that are given', async () => {
    const session = await OnnxSession.open(doubling(), { threads: 1 })
    const mine = new Float32Array(2)
    const only = await session.run({ x: float32([1, 2], [1, 2]) }, { y: float32([1, 2], mine) })
    expect(Object.keys(only)).toEqual(['y'])
    expect([...(only['y']!.data as Float32Array)]).toEqual([2, 4])
    expect([...mine]).toEqual([2, 4])
    await session.dispose()
    await expect(session.run({ x: float32([1, 2], [1, 2]) })).rejects.toMatchObject({ code: 'internal' })
  })

  it('says in words that a file is no network', async () => {
    const path = join(folder, 'no.onnx')
    await writeFile(path, 'not a network')
    await expect(OnnxSession.open(path)).rejects.toMatchObject({ code: 'model-unreadable' })
    await expect(OnnxSession.open(join(folder, 'absent.onnx'))).rejects.toMatchObject({
      code: 'model-unreadable',
    })
  })

  it('reports the engine with its version', async () => {
    const report = await engineReport()
    expect(report.engines[0]).toMatchObject({ id: 'onnx', available: true })
    expect(report.engines[0]!.version).toMatch(/^\d+\.\d+/)
    expect(report.cores).toBeGreaterThan(0)
  })
})
