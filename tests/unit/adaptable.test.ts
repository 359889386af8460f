import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { preprocessingSchema } from '#shared/domain/preprocessing/index.ts'
import { planGradients } from '#shared/domain/training/presets.ts'
import { GraphBuilder } from '#trainer/graph/builder.ts'
import { writeOnnx } from '#trainer/graph/onnx/index.ts'
import { float32, int64s, scalar } from '#trainer/graph/tensor.ts'
import { int } from '#trainer/graph/types.ts'
import { openAdaptable } from '#trainer/loop/adaptable.ts'
import { temporaryFolder } from '../helpers/folders.ts'

/** Features of a picture: one convolution (or none), then whatever `above` writes, then the mean over the map. */
function backboneWith(above: (b: GraphBuilder, x: string) => string, { learns = true } = {}): string {
  const b = new GraphBuilder('own')
  const input = b.input({ name: 'input', type: 'float32', shape: ['batch', 3, 8, 8] })
  const kernel = b.constant('kernel', float32([3, 3, 1, 1], [1, 0, 0, 0, 1, 0, 0, 0, 1]))
  const x = above(b, learns ? b.node('Conv', [input, kernel]) : input)
  const flat = b.node('Flatten', [b.node('GlobalAveragePool', [x])], { axis: int(1) })
  b.output(flat, { name: 'features', type: 'float32', shape: ['batch', 3] })
  const file = join(temporaryFolder(), 'backbone.onnx')
  writeFileSync(file, writeOnnx(b.build()))
  return file
}

const open = (onnxPath: string) =>
  openAdaptable({
    backbone: {
      ...{ id: 'own', sha256: '', onnxPath, featureLength: 3 },
      preprocessing: preprocessingSchema.parse({
        ...{ version: 1, size: { width: 8, height: 8 }, fit: 'stretch', filter: 'pillow-bilinear' },
        ...{ background: [255, 255, 255], channelOrder: 'RGB', mean: [0, 0, 0], divisor: [1, 1, 1] },
        jpegScaledDecode: false,
      }),
    },
    gradients: planGradients({ recipe: 'fine-tune', pictures: 40, classes: 2 }, {}),
    classes: ['a', 'b'],
    seed: 1,
  })

describe('whether the top of a backbone can learn', () => {
  it('is known before any picture is read', async () => {
    const { parts, learned } = await open(backboneWith((b, x) => b.node('Relu', [x])))
    expect(learned).toBe(1)
    expect(parts.tail.parameters).not.toHaveLength(0)
  })

  it('names the operator that stands in the way, and what to do', async () => {
    const modulo = backboneWith((b, x) => b.node('Mod', [x, b.constant('two', scalar(2))], { fmod: int(1) }))
    await expect(open(modulo)).rejects.toMatchObject({
      ...{ code: 'operator-unsupported', message: expect.stringContaining('"Mod"') },
      remedy: expect.stringContaining('Quick'),
    })
  })

  it('names what is for one picture at a time, and how to export it for several', async () => {
    const first = backboneWith((b, x) => {
      const one = b.node('Gather', [x, b.constant('first', int64s([0]))], { axis: int(0) })
      return b.node('Concat', [x, b.node('Relu', [one])], { axis: int(1) }, 'joins')
    })
    await expect(open(first)).rejects.toMatchObject({
      code: 'backbone-unsupported',
      message: expect.stringMatching(/fixed number of pictures at a time \("joins" \(Concat\)/),
      remedy: expect.stringMatching(/dynamic_axes.*Quick/),
    })
  })

  it('names the node whose sizes are known only when the network runs', async () => {
    const computed = backboneWith((b, x) => {
      const sizes = b.node('Cast', [b.node('ReduceMax', [x], { keepdims: int(0) })], { to: int(7) })
      const target = b.node(
        'Concat',
        [
          ...[b.constant('batch', int64s([-1])), b.constant('channels', int64s([3]))],
          b.node('Unsqueeze', [sizes, b.constant('axes', int64s([0]))]),
          b.constant('rows', int64s([1])),
        ],
        { axis: int(0) },
      )
      return b.node('Relu', [b.node('Reshape', [x, target], {}, 'places')])
    })
    await expect(open(computed)).rejects.toMatchObject({
      code: 'operator-unsupported',
      message: expect.stringMatching(/"Reshape" \("places"\).*known only when it runs/),
      remedy: expect.stringContaining('Quick'),
    })
  })

  it('says what does not fit together', async () => {
    const damaged = backboneWith((b, x) =>
      b.node('Conv', [x, b.constant('kernel', float32([3, 4, 1, 1], new Float32Array(12)))], {}, 'wide'),
    )
    await expect(open(damaged)).rejects.toMatchObject({
      code: 'backbone-damaged',
      message: expect.stringMatching(/does not fit together at "wide"/),
      remedy: expect.stringContaining('Quick'),
    })
  })

  it('says so where no layer could learn', async () => {
    const nothing = backboneWith((b, x) => b.node('Relu', [x]), { learns: false })
    await expect(open(nothing)).rejects.toMatchObject({
      ...{ code: 'backbone-unsupported', message: expect.stringContaining('No layer') },
      remedy: expect.stringContaining('Quick'),
    })
  })
})
