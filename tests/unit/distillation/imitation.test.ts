import { describe, expect, it } from 'vitest'
import { networkSpecSchema } from '#shared/domain/network/index.ts'
import { withImitation, withoutImitation } from '#trainer/distill/imitation.ts'
import { toFloat32 } from '#trainer/graph/tensor.ts'
import { buildNetwork } from '#trainer/models/layers/build.ts'

const student = (bias: boolean) =>
  buildNetwork(
    networkSpecSchema.parse({
      version: 1,
      name: 'student',
      input: { width: 8, height: 8, channels: 3 },
      layers: [
        { type: 'conv', filters: 4, size: 3 },
        { type: 'global-pool' },
        { type: 'fc', units: 3, bias },
      ],
    }),
    { seed: 5 },
  )

describe('a last layer that imitates', () => {
  it('says the features in front of the classes, and is the classifier again without them', () => {
    for (const bias of [true, false]) {
      const classifier = student(bias)
      const both = withImitation(classifier, 6, 1)
      expect(both.graph.outputs[0]!.shape!.at(-1)).toBe(9)
      const weight = classifier.parameters.findLast(({ role }) => role === 'weight')!.name
      expect(both.parameters.find(({ name }) => name === weight)!.shape).toEqual([9, 4])
      const wide = toFloat32(both.graph.initialisers.get(weight)!)
      expect(wide.subarray(6 * 4)).toEqual(toFloat32(classifier.graph.initialisers.get(weight)!))
      expect(new Set(wide.subarray(0, 6 * 4)).size).toBe(24)
      const alone = withoutImitation(both.graph, 6)
      expect(alone.outputs).toEqual(classifier.graph.outputs)
      expect([...alone.initialisers]).toEqual([...classifier.graph.initialisers])
    }
  })

  it('changes nothing where nothing is imitated', () => {
    const classifier = student(true)
    expect(withImitation(classifier, 0, 1)).toBe(classifier)
    expect(withoutImitation(classifier.graph, 0)).toBe(classifier.graph)
  })
})
