import { InferenceSession, Tensor } from 'onnxruntime-node'
import { expect, test } from 'vitest'
import { resizeRgb } from '#shared/domain/preprocessing/index.ts'
import { createRandom } from '#shared/domain/random.ts'
import { GraphBuilder } from '../../../electron/trainer/graph/builder.ts'
import { writeOnnx } from '../../../electron/trainer/graph/onnx/index.ts'
import { pillowResize } from '../../../electron/trainer/models/pillow-resize.ts'

async function sessionFor(width: number, height: number): Promise<InferenceSession> {
  const builder = new GraphBuilder('resize')
  const image = builder.input({ name: 'image', type: 'uint8', shape: ['height', 'width', 3] })
  const resized = pillowResize(builder, image, { width, height })
  builder.output(resized, { name: 'resized', type: 'uint8', shape: [3, height, width] })
  return InferenceSession.create(writeOnnx(builder.build()))
}

/** [height, width, 3] as planes. */
function planes(pixels: Uint8Array): Uint8Array {
  const plane = pixels.length / 3
  return pixels.map((_, index) => pixels[(index % plane) * 3 + Math.floor(index / plane)]!)
}

test.each([
  { width: 128, height: 128 },
  { width: 224, height: 224 },
  { width: 31, height: 57 },
  { width: 1, height: 3 },
])('the resize inside the network to $width x $height is the one of the app, bit for bit', async (size) => {
  const session = await sessionFor(size.width, size.height)
  const random = createRandom(3)
  const named = [
    [1, 1],
    [7, 5],
    [128, 128],
    [37, 1000],
    [900, 3],
    [320, 240],
    [513, 129],
  ] as const
  const drawn = Array.from({ length: 8 }, () => [1 + random.below(400), 1 + random.below(400)] as const)
  for (const [width, height] of [...named, ...drawn]) {
    const data = Uint8Array.from({ length: width * height * 3 }, () => random.below(256))
    const { resized } = await session.run({ image: new Tensor('uint8', data, [height, width, 3]) })
    const wanted = planes(resizeRgb(data, width, height, size.width, size.height))
    expect(Buffer.compare(resized!.data as Uint8Array, wanted), `${width} x ${height}`).toBe(0)
  }
  await session.release()
})
