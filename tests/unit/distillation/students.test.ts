import { describe, expect, it } from 'vitest'
import { planDistillation } from '#shared/domain/distillation/plan.ts'
import { studentIds, studentNetwork } from '#shared/domain/distillation/students.ts'
import { describeNetwork } from '#shared/domain/network/index.ts'
import { buildNetwork } from '#trainer/models/layers/build.ts'
import { backboneOf } from '#trainer/models/backbone.ts'
import { stageEnds, withEarlierLevels } from '#trainer/distill/levels.ts'
import { onnxEngine } from '#trainer/engines/onnx/engine.ts'
import { readOnnx, writeOnnx } from '#trainer/graph/onnx/index.ts'
import { normals } from '../../helpers/engines.ts'

/** Learned numbers without the last layer: each of 3×3·in·out, two per normalised map, and the projections. */
const parametersOf = { tiny: 598_208, small: 1_727_904, medium: 3_919_552 }
const featuresOf = { tiny: 256, small: 512, medium: 768 }

describe('features of several levels', () => {
  const spec = studentNetwork('tiny', { size: 64, outputs: 10 })
  const { graph } = backboneOf({ format: 'onnx', graph: buildNetwork(spec, { seed: 1 }).graph })
  const levels = withEarlierLevels(graph, spec)

  it('end where the maps are halved next, and before the last layers', () => {
    expect(stageEnds(spec)).toEqual(['6_activation', '8_activation', '10_activation', '12_activation'])
    expect(stageEnds(studentNetwork('small', { size: 64, outputs: 10 }))).toEqual(
      [6, 10, 14, 16].map((layer) => `${layer}_activation`),
    )
  })

  it('stand in front of the student’s own, which stay as they are', async () => {
    expect(levels.featureLength).toBe(96 + 160 + 256)
    const x = { input: normals([2, 3, 64, 64], 1) }
    const answers = []
    for (const each of [graph, levels.graph]) {
      const session = await onnxEngine.open(each, { threads: 1 })
      answers.push((await session.run(x))['features']!)
      await session.dispose()
    }
    const [own, all] = answers
    expect(all!.shape).toEqual([2, 512])
    for (const row of [0, 1])
      expect([...(all!.data as Float32Array).subarray(512 * row + 256, 512 * (row + 1))]).toEqual([
        ...(own!.data as Float32Array).subarray(256 * row, 256 * (row + 1)),
      ])
  })

  it('are found again in the file: it ends in its features', () => {
    const again = backboneOf({ format: 'onnx', graph: readOnnx(writeOnnx(levels.graph)) })
    expect(again).toMatchObject({ featureLength: 512, featureLayer: 'levels' })
  })
})

describe('students', () => {
  it.each(studentIds)('%s: fits every size, and its features are what is pooled', (id) => {
    for (const size of [64, 96, 128, 224]) {
      const spec = studentNetwork(id, { size, outputs: 40 })
      expect(describeNetwork(spec, 40).problem).toBeNull()
      const { graph, featureLength, input } = backboneOf({
        format: 'onnx',
        graph: buildNetwork(spec, { seed: 1 }).graph,
      })
      expect(featureLength).toBe(featuresOf[id])
      expect(input).toEqual({ width: size, height: size })
      expect(graph.outputs).toEqual([{ name: 'features', type: 'float32', shape: ['batch', featuresOf[id]] }])
    }
  })

  it('grow from tiny to medium, and small fits into four megabytes in half precision', () => {
    const counts = studentIds.map((id) => {
      const last = featuresOf[id] * 10 + 10
      return describeNetwork(studentNetwork(id, { size: 128, outputs: 10 }), 10).parameters - last
    })
    expect(Object.fromEntries(studentIds.map((id, i) => [id, counts[i]]))).toEqual(parametersOf)
    expect(2 * parametersOf.small).toBeLessThan(4e6)
  })

  it('are planned with as many outputs as the teacher has features', () => {
    const { network } = planDistillation({ student: 'tiny', size: 64, featureLength: 1280, epochs: 3 })
    expect(network.layers.at(-1)).toMatchObject({ type: 'fc', units: 1280 })
  })
})
