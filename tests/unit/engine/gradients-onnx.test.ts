import { describe, expect, it } from 'vitest'
import { gradientName, withGradients } from '#trainer/autodiff/gradient-check.ts'
import { gradientCheckSuite } from '#trainer/autodiff/gradient-suite/index.ts'
import type { Engine } from '#trainer/engines/engine.ts'
import { onnxEngine } from '#trainer/engines/onnx/engine.ts'
import { referenceEngine } from '#trainer/engines/reference/engine.ts'
import type { Feeds } from '#trainer/engines/engine.ts'
import type { Graph } from '#trainer/graph/types.ts'
import { numbers } from '#trainer/graph/tensor.ts'

async function run(engine: Engine, graph: Graph, feeds: Feeds) {
  const session = await engine.open(graph, { threads: 1, purpose: 'training' })
  try {
    return await session.run(feeds)
  } finally {
    await session.dispose()
  }
}

/** Largest difference, as a part of the largest entry: small entries of a sum are rounded with the large ones. */
function difference(found: readonly number[], exact: readonly number[]): number {
  const largest = Math.max(...exact.map(Math.abs))
  return exact.reduce((worst, value, index) => {
    const apart = Math.abs(value - found[index]!)
    return Math.max(worst, apart === 0 ? 0 : apart / largest)
  }, 0)
}

describe('32-bit gradients of ONNX Runtime are those of the reference', () => {
  it.each(gradientCheckSuite().map((each) => [`${each.kind}: ${each.name}`, each] as const))(
    '%s',
    async (_, { graph, loss, values, feeds }) => {
      const both = withGradients(graph, { loss, values })
      const [exact, found] = [await run(referenceEngine, both, feeds), await run(onnxEngine, both, feeds)]
      for (const name of values.map(gradientName)) {
        expect(found[name]!.shape, name).toEqual(exact[name]!.shape)
        expect(difference(numbers(found[name]!), numbers(exact[name]!)), name).toBeLessThan(1e-5)
      }
    },
  )
})
