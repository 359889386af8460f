import { describe, expect, it } from 'vitest'
import { createRandom } from '#shared/domain/random.ts'
import { PictureNetwork } from '#trainer/data/picture-network.ts'
import { OnnxSession } from '#trainer/engines/onnx/session.ts'
import { GraphBuilder } from '#trainer/graph/builder.ts'
import { writeOnnx } from '#trainer/graph/onnx/index.ts'
import { float32 } from '#trainer/graph/tensor.ts'
import { int } from '#trainer/graph/types.ts'
import { tinyNetwork } from '../helpers/tiny-backbone.ts'

const size = { width: 32, height: 32 }
const length = 3 * 32 * 32

function pictures(count: number, seed = 1): Float32Array {
  const random = createRandom(seed)
  return Float32Array.from({ length: count * length }, () => random.normal(0, 1))
}

/** @param quick how long a picture may take for several to be shown together: whatever it takes here */
async function networkOf(
  model: Uint8Array,
  quick = Infinity,
): Promise<{ network: PictureNetwork; session: OnnxSession }> {
  const session = await OnnxSession.open(model, { threads: 1 })
  return { network: new PictureNetwork(session, size, quick), session }
}

/** Answers of pictures that are shown one by one. */
async function alone(model: Uint8Array, numbers: Float32Array): Promise<number[][]> {
  const { network, session } = await networkOf(model)
  const answers: number[][] = []
  for (let at = 0; at < numbers.length; at += length)
    answers.push(...(await network.answer(numbers.subarray(at, at + length), 1)).map((values) => [...values]))
  await session.dispose()
  return answers
}

/** Shows pictures as a worker does, as many at a time as the network asks for. */
async function asManyAsWanted(
  network: PictureNetwork,
  numbers: Float32Array,
): Promise<{ answers: number[][]; sizes: number[] }> {
  const [answers, sizes]: [number[][], number[]] = [[], []]
  for (let at = 0; at < numbers.length / length; at += sizes.at(-1)!) {
    sizes.push(Math.min(network.most, numbers.length / length - at))
    const given = numbers.subarray(at * length, (at + sizes.at(-1)!) * length)
    answers.push(...(await network.answer(given, sizes.at(-1)!)).map((values) => [...values]))
  }
  return { answers, sizes }
}

/** Features that depend on the other pictures of a batch: what one has more of, another has less of. */
function neighbourly(): Uint8Array {
  const builder = new GraphBuilder('neighbourly')
  const input = builder.input({ name: 'input', type: 'float32', shape: ['batch', 3, 32, 32] })
  const features = builder.node(
    'Flatten',
    [builder.node('GlobalAveragePool', [input])],
    { axis: int(1) },
    'flat',
  )
  const output = builder.node('Softmax', [features], { axis: int(0) })
  builder.output(output, { name: 'features', type: 'float32', shape: ['batch', 3] })
  return writeOnnx(builder.build())
}

describe('a network that is shown pictures', () => {
  it('sees several small ones together, and gives each the answer it gets alone', async () => {
    const model = tinyNetwork()
    const numbers = pictures(31)
    const { network, session } = await networkOf(model)
    const { answers, sizes } = await asManyAsWanted(network, numbers)
    await session.dispose()
    expect(sizes.slice(0, 4)).toEqual([1, 1, 1, 1])
    expect(sizes.slice(4)).toEqual([8, 8, 8, 3])
    expect(answers).toEqual(await alone(model, numbers))
  })

  it('never sees them together where an answer would depend on the neighbours', async () => {
    const { network, session } = await networkOf(neighbourly())
    const { answers, sizes } = await asManyAsWanted(network, pictures(16))
    await session.dispose()
    // Once, to try.
    expect(sizes).toEqual([1, 1, 1, 1, 8, 1, 1, 1, 1])
    for (const answer of answers) expect(answer).toEqual([1, 1, 1])
  })

  it('sees one at a time where its batch has a size of its own', async () => {
    const builder = new GraphBuilder('one by one')
    const input = builder.input({ name: 'input', type: 'float32', shape: [1, 3, 32, 32] })
    const two = builder.constant('two', float32([1], [2]))
    const doubled = builder.node('Mul', [input, two])
    const output = builder.node('Flatten', [builder.node('GlobalAveragePool', [doubled])], { axis: int(1) })
    builder.output(output, { name: 'features', type: 'float32', shape: [1, 3] })
    const { network, session } = await networkOf(writeOnnx(builder.build()))
    const { sizes } = await asManyAsWanted(network, pictures(12))
    await session.dispose()
    expect(sizes).toEqual(new Array<number>(12).fill(1))
  })

  it('sees one at a time where it takes long for each', async () => {
    const { network, session } = await networkOf(tinyNetwork(), 0)
    const { sizes } = await asManyAsWanted(network, pictures(12))
    await session.dispose()
    expect(sizes).toEqual(new Array<number>(12).fill(1))
  })
})
