import { createRandom } from '#shared/domain/random.ts'
import { GraphBuilder } from '../../graph/builder.ts'
import { elementCount, float32, int64s } from '../../graph/tensor.ts'
import { trainingDomain } from '../../graph/training-operators.ts'
import { float, int, ints } from '../../graph/types.ts'
import type { Graph, Tensor } from '../../graph/types.ts'
import { differentiate } from '../differentiate.ts'
import { lower, standardTarget, type LoweringTarget } from './index.ts'

/** What a probe found, and why in words for a report. */
export interface Probed {
  target: LoweringTarget
  reason: string
}

/** Runs a lowered graph on given inputs and hands the numbers of its one output out. */
export type ProbeRun = (graph: Graph, feeds: Readonly<Record<string, Tensor>>) => Promise<ArrayLike<number>>

/** Block sizes that the runtime has: 16 with AVX-512 and on ARM, 8 with AVX. */
const blockSizes = [16, 8]

/** Relative to the largest entry. Other block sizes give other numbers altogether, not slightly different ones. */
const tolerance = 1e-3

/**
 * Finds the runtime's own layout by trying: a small network is trained one step with standard operators and with blocks
 * of each size, and a size is believed where its gradient is the standard one. Nothing is assumed about the processor.
 */
export async function probeTarget(run: ProbeRun, sizes: readonly number[] = blockSizes): Promise<Probed> {
  const { graph, feeds } = probeStep()
  const wanted = await run(lower(graph, standardTarget), feeds)
  const scale = Math.max(...Array.from(wanted, Math.abs))
  const refusals: string[] = []
  for (const block of sizes) {
    const target: LoweringTarget = { kind: 'nchwc', block }
    try {
      const found = await run(lower(graph, target), feeds)
      const worst = Math.max(...Array.from(found, (value, at) => Math.abs(value - wanted[at]!)))
      if (worst <= tolerance * scale)
        return { target, reason: `Convolutions in blocks of ${block} channels agree with the standard ones.` }
      refusals.push(`blocks of ${block} channels give other numbers`)
    } catch (error) {
      refusals.push(`blocks of ${block} channels: ${error instanceof Error ? error.message : String(error)}`)
    }
  }
  return { target: standardTarget, reason: `Standard operators: ${refusals.join('; ')}.` }
}

/**
 * A step of a small network with everything that is lowered into blocks: convolutions from few channels, dense, of single
 * places, per channel, with strides; batch normalisation, poolings, a sum. → `gradient` by all weights.
 */
function probeStep(): { graph: Graph; feeds: Record<string, Tensor> } {
  const builder = new GraphBuilder('probe')
  const random = createRandom(7)
  const feeds: Record<string, Tensor> = {}
  const wrt: string[] = []
  const feed = (wanted: string, shape: readonly number[], deviation: number): string => {
    const name = builder.input({ name: wanted, type: 'float32', shape })
    feeds[name] = float32(
      shape,
      Float32Array.from({ length: elementCount(shape) }, () => random.normal(0, deviation)),
    )
    return name
  }
  const weight = (shape: readonly number[]): string => {
    const name = feed('w', shape, Math.sqrt(2 / elementCount(shape.slice(1))))
    wrt.push(name)
    return name
  }
  const conv = (x: string, shape: readonly number[], stride = 1, group = 1): string =>
    builder.node('Conv', [x, weight(shape), weight([shape[0]!])], {
      pads: ints(shape.slice(2).flatMap((size) => [(size - 1) / 2, (size - 1) / 2])),
      strides: ints([stride, stride]),
      group: int(group),
    })
  const pool = { kernel_shape: ints([2, 2]), strides: ints([2, 2]) }
  const picture = feed('picture', [2, 3, 16, 16], 1)
  const [normal] = builder.nodes(
    'BatchNormalizationTraining',
    [conv(picture, [32, 3, 3, 3]), weight([32]), weight([32])],
    3,
    { epsilon: float(1e-5) },
    { domain: trainingDomain },
  )
  const pooled = builder.node('MaxPool', [builder.node('Relu', [normal!])], pool)
  const dense = builder.node('Relu', [conv(pooled, [32, 32, 3, 3])])
  const perChannel = conv(dense, [32, 1, 3, 3], 2, 32)
  const point = builder.node('Sigmoid', [conv(perChannel, [32, 32, 1, 1])])
  const sum = builder.node('Add', [point, builder.node('AveragePool', [dense], pool)])
  const squeezed = builder.node('GlobalAveragePool', [builder.node('Mul', [sum, sum])])
  const loss = builder.node('ReduceSum', [squeezed], { keepdims: int(0) })
  const gradients = differentiate(builder, { of: loss, wrt })
  const flat = wrt.map((name) =>
    builder.node('Reshape', [gradients.get(name)!, builder.constant('flat', int64s([-1]))]),
  )
  const gradient = builder.node('Concat', flat, { axis: int(0) })
  builder.output(gradient, { name: 'gradient', type: 'float32', shape: null })
  return { graph: builder.build(), feeds }
}
