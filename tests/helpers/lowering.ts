import fc from 'fast-check'
import { expect } from 'vitest'
import { lower, standardTarget, type LoweringTarget } from '#trainer/autodiff/lowering/index.ts'
import type { Engine } from '#trainer/engines/engine.ts'
import { onnxEngine } from '#trainer/engines/onnx/engine.ts'
import { probeCpu } from '#trainer/engines/onnx/probe.ts'
import { missingOperators, referenceEngine } from '#trainer/engines/reference/engine.ts'
import { GraphBuilder } from '#trainer/graph/builder.ts'
import { inferShapes } from '#trainer/graph/infer/index.ts'
import { numbers } from '#trainer/graph/tensor.ts'
import { trainingDomain } from '#trainer/graph/training-operators.ts'
import { int, ints } from '#trainer/graph/types.ts'
import type { Attributes, Graph, Tensor } from '#trainer/graph/types.ts'
import { run } from './engines.ts'

/** What this processor computes best, and what every one does. The first is the second where there is no blocked layout. */
export const targets = async (): Promise<LoweringTarget[]> => {
  const { target } = await probeCpu()
  return target.kind === 'standard' ? [standardTarget] : [standardTarget, target]
}

/** A graph in the making together with what is fed to it. */
export class Bed {
  readonly builder = new GraphBuilder('bed')
  readonly feeds: Record<string, Tensor> = {}

  feed(wanted: string, value: Tensor): string {
    const name = this.builder.input({ name: wanted, type: value.type, shape: value.shape })
    this.feeds[name] = value
    return name
  }

  op(op: string, inputs: readonly string[], attributes: Attributes = {}): string {
    return this.builder.node(op, inputs, attributes)
  }

  training(op: string, inputs: readonly string[], attributes: Attributes = {}, outputs = 1): string[] {
    return this.builder.nodes(op, inputs, outputs, attributes, { domain: trainingDomain })
  }

  /** The same map as the result of a convolution per channel with ones, so that it may lie in blocks. */
  map(wanted: string, value: Tensor): string {
    const channels = value.shape[1]!
    const ones = this.feed(`${wanted}/ones`, {
      type: 'float32',
      shape: [channels, 1, 1, 1],
      data: new Float32Array(channels).fill(1),
    })
    return this.op('Conv', [this.feed(wanted, value), ones], { group: int(channels) })
  }

  graph(...outputs: readonly string[]): Graph {
    // Without a training operator there is nothing to lower; this one does nothing.
    const [last, ...others] = outputs.toReversed()
    const [marked] = this.training('Dropout', [last!])
    const infos = inferShapes(this.builder.build())
    const all = [...others.toReversed(), marked!]
    all.forEach((name) => this.builder.output(name, infos.get(name)!))
    return this.builder.build()
  }
}

/**
 * Runs a graph lowered for every target on ONNX Runtime, and lowered to standard operators on the reference engine itself;
 * all must give what the reference engine gives for the graph as it stands, within `tolerance` of the largest entry (or
 * 1) in 32 bits and 1e-9 in 64.
 * @returns the lowered graphs, by kind of target.
 */
export async function expectLowered(
  graph: Graph,
  feeds: Record<string, Tensor>,
  tolerance = 1e-5,
): Promise<Record<string, Graph>> {
  const wanted = await run(referenceEngine, graph, feeds)
  const lowered: Record<string, Graph> = {}
  for (const target of await targets()) {
    const there = lower(graph, target)
    lowered[target.kind] = there
    await expectNumbers(onnxEngine, there, feeds, wanted, { tolerance, of: target.kind })
    if (missingOperators(there).length === 0)
      await expectNumbers(referenceEngine, there, feeds, wanted, { tolerance: 1e-9, of: 'reference' })
  }
  return lowered
}

async function expectNumbers(
  engine: Engine,
  graph: Graph,
  feeds: Record<string, Tensor>,
  wanted: Record<string, Tensor>,
  { tolerance, of }: { tolerance: number; of: string },
): Promise<void> {
  const found = await run(engine, graph, feeds)
  for (const [name, value] of Object.entries(wanted)) {
    expect(found[name]!.shape, `${of}: shape of ${name}`).toEqual(value.shape)
    const [x, y] = [numbers(found[name]!), numbers(value)]
    const scale = Math.max(1, ...y.map(Math.abs))
    const wrong = x.findIndex((each, at) => !(Math.abs(each - y[at]!) <= tolerance * scale))
    if (wrong >= 0)
      throw new Error(`${of}: entry ${wrong} of ${name} is ${x[wrong]} and by the reference ${y[wrong]}`)
  }
}

/** A convolution or pooling over a map, and the size of what comes out. */
export interface Geometry {
  batch: number
  size: readonly [number, number]
  kernel: readonly [number, number]
  strides: readonly [number, number]
  dilations: readonly [number, number]
  pads: readonly [number, number, number, number]
  out: readonly [number, number]
}

export const windowOf = ({ kernel, strides, dilations, pads }: Geometry): Attributes => ({
  kernel_shape: ints(kernel),
  strides: ints(strides),
  dilations: ints(dilations),
  pads: ints(pads),
})

/** Windows of every kind. `inside`: poolings want their padding smaller than the window. */
export function geometries({ inside = false, dilated = true } = {}): fc.Arbitrary<Geometry> {
  const axis = fc
    .record({
      kernel: fc.integer({ min: 1, max: 4 }),
      stride: fc.integer({ min: 1, max: 4 }),
      dilation: fc.integer({ min: 1, max: dilated ? 3 : 1 }),
      before: fc.integer({ min: 0, max: 4 }),
      behind: fc.integer({ min: 0, max: 4 }),
      room: fc.integer({ min: 0, max: 7 }),
    })
    .map(({ kernel, stride, dilation, before, behind, room }) => {
      const pads = [before, behind].map((size) => (inside ? Math.min(size, kernel - 1) : size))
      const reach = (kernel - 1) * dilation + 1
      const size = Math.max(1, reach - pads[0]! - pads[1]! + room)
      const out = Math.floor((size + pads[0]! + pads[1]! - reach) / stride) + 1
      return { kernel, stride, dilation, pads, size, out }
    })
  return fc.record({ batch: fc.integer({ min: 1, max: 3 }), rows: axis, columns: axis }).map((drawn) => {
    const { batch, rows, columns } = drawn
    return {
      batch,
      size: [rows.size, columns.size],
      kernel: [rows.kernel, columns.kernel],
      strides: [rows.stride, columns.stride],
      dilations: [rows.dilation, columns.dilation],
      pads: [rows.pads[0]!, columns.pads[0]!, rows.pads[1]!, columns.pads[1]!],
      out: [rows.out, columns.out],
    }
  })
}

/** The usual ones by hand: kernel, stride and padding the same along both axes. */
export function square(
  size: number,
  kernel: number,
  stride = 1,
  pad = Math.floor(kernel / 2),
  batch = 2,
): Geometry {
  const out = Math.floor((size + 2 * pad - kernel) / stride) + 1
  return {
    batch,
    size: [size, size],
    kernel: [kernel, kernel],
    strides: [stride, stride],
    dilations: [1, 1],
    pads: [pad, pad, pad, pad],
    out: [out, out],
  }
}

/** Draws the same each time, so that a failure is found again. */
export const always = <T>(
  arbitrary: fc.Arbitrary<T>,
  check: (drawn: T) => Promise<unknown>,
  runs = 30,
): Promise<void> =>
  Promise.resolve(
    fc.assert(
      fc.asyncProperty(arbitrary, async (drawn) => {
        await check(drawn)
      }),
      { seed: 4, numRuns: runs },
    ),
  )
