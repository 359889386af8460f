import { describe, expect, it } from 'vitest'
import { createRandom } from '#shared/domain/random.ts'
import { gradientName, withGradients } from '#trainer/autodiff/gradient-check.ts'
import { writeLoss } from '#trainer/autodiff/losses.ts'
import { bindBatch, trainingForm } from '#trainer/autodiff/training-form.ts'
import { bestOnnxEngine } from '#trainer/engines/onnx/engine.ts'
import { GraphBuilder } from '#trainer/graph/builder.ts'
import { elementCount, float32, toFloat32 } from '#trainer/graph/tensor.ts'
import type { Graph, Tensor, ValueInfo } from '#trainer/graph/types.ts'
import { buildArchitecture, type ArchitectureId } from '#trainer/models/architectures/index.ts'

/** Small ones that differ most, with small pictures: squeeze and excite, fused blocks, branches, attention. */
const sizes: Partial<Record<ArchitectureId, number>> = {
  mobilenet_v3_small: 64,
  efficientnet_v2_b0: 64,
  squeezenet: 64,
  vit_tiny: 224,
}

const classes = 3
const batch = 2

/** The training form of a network with its loss, every parameter an input; and numbers for all of it. */
function problemOf(id: ArchitectureId, size: number) {
  const network = buildArchitecture(id, { size, classes, seed: 1 })
  const { graph } = trainingForm(bindBatch(network.graph, batch), network)
  const names = network.parameters.map(({ name }) => name)
  const inputs: ValueInfo[] = [
    ...graph.inputs,
    ...names.map((name): ValueInfo => ({
      name,
      type: 'float32',
      shape: graph.initialisers.get(name)!.shape,
    })),
  ]
  const open: Graph = {
    ...graph,
    inputs,
    initialisers: new Map([...graph.initialisers].filter(([name]) => !names.includes(name))),
  }
  const g = new GraphBuilder(id, open.opsets)
  const inside = g.embed(open, new Map(inputs.map((info) => [info.name, g.input(info)])))
  const { loss } = writeLoss(
    { kind: 'cross-entropy', labelSmoothing: 0.1 },
    {
      builder: g,
      logits: inside(graph.outputs[0]!.name),
      targets: g.constant('targets', float32([batch, classes], [1, 0, 0, 0, 1, 0])),
      rowWeights: g.constant('row_weights', float32([batch], [1, 1])),
      classes,
    },
  )
  g.output(loss, { name: 'loss', type: 'float32', shape: [] })

  const random = createRandom(3)
  const feeds: Record<string, Tensor> = {}
  for (const { name, shape } of inputs) {
    const known = shape as number[]
    // Masks of dropout keep everything.
    const draw = name.startsWith('mask') ? () => 1 : () => random.normal()
    feeds[name] =
      graph.initialisers.get(name) ?? float32(known, Float32Array.from({ length: elementCount(known) }, draw))
  }
  return { graph: withGradients(g.build(), { loss: 'loss', values: names }), names, feeds }
}

describe('a small step along the gradient changes the loss by what the gradient says', () => {
  it.each(Object.entries(sizes))('%s', async (id, size) => {
    const { graph, names, feeds } = problemOf(id as ArchitectureId, size)
    const engine = await bestOnnxEngine()
    const session = await engine.open(graph, { threads: 1, purpose: 'training' })
    try {
      const result = await session.run(feeds)
      const gradients = new Map(names.map((name) => [name, toFloat32(result[gradientName(name)]!)]))
      let square = 0
      for (const [name, gradient] of gradients) {
        const own = gradient.reduce((sum, value) => sum + value * value, 0)
        expect(own, `${name} learns`).toBeGreaterThan(0)
        square += own
      }
      const lossAt = async (step: number): Promise<number> => {
        const moved = { ...feeds }
        for (const [name, gradient] of gradients) {
          const value = toFloat32(feeds[name]!)
          moved[name] = float32(
            feeds[name]!.shape,
            value.map((each, index) => each + step * gradient[index]!),
          )
        }
        return toFloat32((await session.run(moved, { loss: null }))['loss']!)[0]!
      }
      // A hundredth of the loss: far above the rounding of 32 bits, small beside the bends of the network.
      const step = (0.01 * toFloat32(result['loss']!)[0]!) / square
      const difference = ((await lossAt(step)) - (await lossAt(-step))) / (2 * step)
      expect(difference / square).toBeGreaterThan(0.97)
      expect(difference / square).toBeLessThan(1.03)
    } finally {
      await session.dispose()
    }
  })
})
