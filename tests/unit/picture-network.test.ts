import { describe, expect, it } from 'vitest'
import { createRandom } from '#shared/domain/random.ts'
import { PictureNetwork } from '#trainer/data/picture-network.ts'
import { OnnxSession } from '#trainer/engines/onnx/session.ts'
import { GraphBuilder } from '#trainer/graph/builder.ts'
import { keepsPicturesApart } from '#trainer/graph/keeps-apart.ts'
import { readOnnx, writeOnnx } from '#trainer/graph/onnx/index.ts'
import { int } from '#trainer/graph/types.ts'
import { tinyNetwork } from '../helpers/tiny-backbone.ts'

const size = { width: 32, height: 32 }
const length = 3 * 32 * 32

function pictures(count: number, seed = 1): Float32Array {
  const random = createRandom(seed)
  return Float32Array.from({ length: count * length }, () => random.normal(0, 1))
}

/**
 * @param options.quick how long a picture may take for several to be shown together: whatever it takes here
 * @param options.apart whether its graph is taken to keep pictures apart
 */
async function networkOf(
  model: Uint8Array,
  { quick = Infinity, apart = keepsPicturesApart(readOnnx(model)) } = {},
): Promise<{ network: PictureNetwork; session: OnnxSession }> {
  const session = await OnnxSession.open(model, { threads: 1 })
  return { network: new PictureNetwork(session, size, () => Promise.resolve(apart), quick), session }
}

const valuesOf = (answers: readonly { values: Float32Array }[]): number[][] =>
  answers.map(({ values }) => [...values])

/** Answers of pictures that are shown one by one. */
async function alone(model: Uint8Array, numbers: Float32Array): Promise<number[][]> {
  const { network, session } = await networkOf(model)
  const answers: number[][] = []
  for (let at = 0; at < numbers.length; at += length)
    answers.push(...valuesOf(await network.answer(numbers.subarray(at, at + length), 1)))
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
    answers.push(...valuesOf(await network.answer(given, sizes.at(-1)!)))
  }
  return { answers, sizes }
}

/** A network of mean colours, after something that is done with the pictures and with their means. */
function meansOf(
  before: (builder: GraphBuilder, input: string) => string,
  after: (builder: GraphBuilder, means: string) => string = (_, means) => means,
  batch: number | string = 'batch',
): Uint8Array {
  const builder = new GraphBuilder('means')
  const input = builder.input({ name: 'input', type: 'float32', shape: [batch, 3, 32, 32] })
  const pooled = builder.node('GlobalAveragePool', [before(builder, input)])
  const means = builder.node('Flatten', [pooled], { axis: int(1) })
  builder.output(after(builder, means), { name: 'features', type: 'float32', shape: [batch, 3] })
  return writeOnnx(builder.build())
}

/** What one picture has more of, another has less of. */
const shared = meansOf(
  (_, input) => input,
  (builder, means) => builder.node('Softmax', [means], { axis: int(0) }),
)
/** By the largest value of all pictures: pictures with the same largest value do not show it. */
const byLargest = meansOf((builder, input) =>
  builder.node('Div', [input, builder.node('ReduceMax', [input], { keepdims: int(1) })]),
)
/** Cannot do more than one picture, and does not say so. */
const single = meansOf(
  (_, input) => input,
  (builder, means) =>
    builder.node('Add', [
      means,
      builder.node('Reshape', [
        means,
        builder.constant('one', { type: 'int64', shape: [2], data: BigInt64Array.from([1n, 3n]) }),
      ]),
    ]),
)

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

  it('never sees them together where its graph does not keep them apart', async () => {
    const { network, session } = await networkOf(byLargest)
    const { sizes } = await asManyAsWanted(network, pictures(12))
    await session.dispose()
    expect(sizes).toEqual(new Array<number>(12).fill(1))
  })

  it('sees them together once and never again where an answer is another one then', async () => {
    const { network, session } = await networkOf(shared, { apart: true })
    const { answers, sizes } = await asManyAsWanted(network, pictures(16))
    await session.dispose()
    expect(sizes).toEqual([1, 1, 1, 1, 8, 1, 1, 1, 1])
    for (const answer of answers) expect(answer).toEqual([1, 1, 1])
  })

  it('goes on one by one where it turns out that it cannot do several', async () => {
    const { network, session } = await networkOf(single, { apart: true })
    const numbers = pictures(16)
    const { answers, sizes } = await asManyAsWanted(network, numbers)
    await session.dispose()
    expect(answers).toEqual(await alone(single, numbers))
    expect(sizes.filter((count) => count > 1).length).toBeLessThan(2)
  })

  it('sees one at a time where its batch has a size of its own', async () => {
    const model = meansOf((_, input) => input, undefined, 1)
    const { network, session } = await networkOf(model, { apart: true })
    const { sizes } = await asManyAsWanted(network, pictures(12))
    await session.dispose()
    expect(sizes).toEqual(new Array<number>(12).fill(1))
  })

  it('sees one at a time where it takes long for each', async () => {
    const { network, session } = await networkOf(tinyNetwork(), { quick: 0 })
    const { sizes } = await asManyAsWanted(network, pictures(12))
    await session.dispose()
    expect(sizes).toEqual(new Array<number>(12).fill(1))
  })
})

describe('a graph', () => {
  it('keeps pictures apart, or may not', () => {
    const apart = (model: Uint8Array): boolean => keepsPicturesApart(readOnnx(model))
    expect(apart(tinyNetwork())).toBe(true)
    for (const model of [shared, byLargest, single]) expect(apart(model)).toBe(false)
  })
})
