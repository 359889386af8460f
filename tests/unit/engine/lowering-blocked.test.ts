import { describe, expect, it } from 'vitest'
import { lower, standardTarget } from '#trainer/autodiff/lowering/index.ts'
import { blockedDomain } from '#trainer/autodiff/lowering/layouts.ts'
import { probeTarget } from '#trainer/autodiff/lowering/probe.ts'
import { probeCpu, tryOnce } from '#trainer/engines/onnx/probe.ts'
import { referenceEngine } from '#trainer/engines/reference/engine.ts'
import { int64s, numbers, scalar } from '#trainer/graph/tensor.ts'
import { int, ints } from '#trainer/graph/types.ts'
import type { Attributes, Graph } from '#trainer/graph/types.ts'
import { normals, run } from '../../helpers/engines.ts'
import { Bed, expectLowered, targets } from '../../helpers/lowering.ts'

const shape = [2, 32, 5, 6]
const blocked = { kind: 'nchwc', block: 16 } as const

/** Operators in the runtime's own domain, in order. */
const own = (graph: Graph): string[] =>
  graph.nodes.filter(({ domain }) => domain === blockedDomain).map(({ op }) => op)

describe('maps in blocks', () => {
  const single: [string, Attributes][] = [
    ['Relu', {}],
    ['Sigmoid', {}],
    ['HardSwish', {}],
    ['Neg', {}],
    ['Exp', {}],
  ]
  it.each(single)('stay so through %s', async (op, attributes) => {
    const bed = new Bed()
    const graph = bed.graph(bed.op(op, [bed.map('x', normals(shape, 1))], attributes))
    await expectLowered(graph, bed.feeds)
    // In once, out once: no turning in between.
    expect(own(lower(graph, blocked)).filter((name) => name.startsWith('Reorder'))).toHaveLength(3)
  })

  const operands: [string, number[]][] = [
    ['another map', shape],
    ['one number', []],
    ['one number of four axes', [1, 1, 1, 1]],
    ['one number per channel', [1, 32, 1, 1]],
    ['one number per channel, three axes', [32, 1, 1]],
    ['one number per channel and picture', [2, 32, 1, 1]],
    ['a row of pixels', [1, 1, 1, 6]],
    ['one map for all channels', [2, 1, 5, 6]],
  ]
  it.each(operands)('are computed with %s, on either side', async (_, operand) => {
    for (const op of ['Add', 'Sub', 'Mul', 'Div', 'Max', 'Pow']) {
      const bed = new Bed()
      const x = bed.op('Abs', [bed.map('x', normals(shape, 2))])
      const other = bed.op('Exp', [bed.feed('operand', normals(operand, 3))])
      await expectLowered(bed.graph(bed.op(op, [x, other]), bed.op(op, [other, x])), bed.feeds)
    }
  })

  it('are compared, and masks of truth values come out plain', async () => {
    const bed = new Bed()
    const [x, z] = [bed.map('x', normals(shape, 4)), bed.map('z', normals(shape, 5))]
    const truth = bed.op('And', [bed.op('Greater', [x, bed.feed('zero', scalar(0))]), bed.op('Less', [x, z])])
    // Transpose knows nothing of blocks: the mask has to come out of them as truth values.
    const turned = bed.op('Transpose', [truth], { perm: ints([0, 1, 3, 2]) })
    const mask = bed.op('Cast', [turned], { to: int(1) })
    const chosen = bed.op('Where', [truth, x, z])
    await expectLowered(bed.graph(chosen, mask), bed.feeds)
  })

  it('are summed and averaged over places and over the batch', async () => {
    const large = [2, 16, 40, 60]
    for (const op of ['ReduceSum', 'ReduceMean'])
      for (const axes of [[2, 3], [0, 2, 3], [-1, -2], [1], [0, 1, 2, 3]])
        for (const keepdims of [0, 1]) {
          const bed = new Bed()
          const list = bed.builder.constant('axes', int64s(axes))
          const y = bed.op(op, [bed.map('x', normals(large, 6, 0.5)), list], { keepdims: int(keepdims) })
          await expectLowered(bed.graph(y), bed.feeds)
        }
  })

  it('are pooled over everything, and put behind each other', async () => {
    const bed = new Bed()
    const [x, z] = [bed.map('x', normals(shape, 7)), bed.map('z', normals([2, 16, 5, 6], 8))]
    const both = bed.op('Concat', [x, z], { axis: int(1) })
    const pooled = ['GlobalAveragePool', 'GlobalMaxPool'].map((op) => bed.op(op, [both]))
    await expectLowered(bed.graph(both, ...pooled), bed.feeds)
  })

  it('are normalised with statistics that are given', async () => {
    const bed = new Bed()
    const parameters = [1, 2, 3].map((seed) => bed.feed(`p${seed}`, normals([32], seed)))
    const variance = bed.op('Exp', [bed.feed('v', normals([32], 4))])
    const y = bed.op('BatchNormalization', [bed.map('x', normals(shape, 9)), ...parameters, variance])
    await expectLowered(bed.graph(y), bed.feeds)
  })

  it('are read by what knows only plain ones', async () => {
    const bed = new Bed()
    const x = bed.map('x', normals([2, 16, 4, 6], 10))
    const flat = bed.op('Flatten', [x])
    const turned = bed.op('Transpose', [x], { perm: ints([0, 2, 3, 1]) })
    const again = bed.op('Relu', [bed.op('Transpose', [turned], { perm: ints([0, 3, 1, 2]) })])
    await expectLowered(bed.graph(flat, turned, bed.op('Add', [again, x])), bed.feeds)
  })

  it('leave a value that is an output twice, or an input, as it is', async () => {
    const bed = new Bed()
    const fed = bed.feed('x', normals([2, 16, 4, 4], 11))
    const kept = bed.op('Identity', [fed])
    const relu = bed.op('Relu', [bed.map('z', normals([2, 16, 4, 4], 12))])
    await expectLowered(bed.graph(kept, relu, bed.op('Identity', [relu])), bed.feeds)
  })
})

describe('convolutions in blocks', () => {
  const convolved = (bed: Bed): string =>
    bed.op('Conv', [bed.map('x', normals([2, 16, 6, 6], 1)), bed.feed('w', normals([32, 16, 3, 3], 2))], {
      pads: ints([1, 1, 1, 1]),
    })

  it.each([
    ['Relu', {}],
    ['Sigmoid', {}],
    ['Tanh', {}],
    ['LeakyRelu', { alpha: { kind: 'float', value: 0.3 } }],
    ['HardSigmoid', { alpha: { kind: 'float', value: 0.3 }, beta: { kind: 'float', value: 0.4 } }],
  ] as [string, Attributes][])('compute %s themselves', async (op, attributes) => {
    const bed = new Bed()
    const graph = bed.graph(bed.op(op, [convolved(bed)], attributes))
    await expectLowered(graph, bed.feeds)
    expect(lower(graph, blocked).nodes.some((node) => node.op === op)).toBe(false)
  })

  it('clip themselves, and leave values alone that somebody else reads', async () => {
    const bed = new Bed()
    const bounds = [-0.5, 0.7].map((bound) => bed.builder.constant('bound', scalar(bound)))
    const alone = bed.graph(bed.op('Clip', [convolved(bed), ...bounds]))
    await expectLowered(alone, bed.feeds, 3e-5)
    expect(lower(alone, blocked).nodes.some(({ op }) => op === 'Clip')).toBe(false)

    const shared = new Bed()
    const conv = convolved(shared)
    const both = shared.graph(shared.op('Relu', [conv]), shared.op('Neg', [conv]))
    await expectLowered(both, shared.feeds, 3e-5)
    expect(lower(both, blocked).nodes.some(({ op }) => op === 'Relu')).toBe(true)
  })

  it('add another map while they write', async () => {
    const bed = new Bed()
    const residual = bed.map('r', normals([2, 32, 6, 6], 3))
    const graph = bed.graph(
      bed.op('Relu', [bed.op('Add', [residual, convolved(bed)])]),
      bed.op('Neg', [residual]),
    )
    await expectLowered(graph, bed.feeds)
    expect(lower(graph, blocked).nodes.some(({ op }) => op === 'Add' || op === 'Relu')).toBe(false)
  })

  it('do not take what spreads over the map for another map', async () => {
    const bed = new Bed()
    const small = bed.op('GlobalAveragePool', [bed.map('r', normals([2, 32, 6, 6], 4))])
    await expectLowered(bed.graph(bed.op('Add', [small, convolved(bed)])), bed.feeds)
  })
})

describe('the probe', () => {
  it('finds a target whose gradients are the standard ones, once per process', async () => {
    const first = await probeCpu()
    expect(await probeCpu()).toBe(first)
    expect(first.reason).toContain(first.target.kind === 'standard' ? 'Standard' : `${first.target.block}`)
    expect(await targets()).toContainEqual(first.target)
  })

  it('falls back to standard operators, with the reason, where the runtime has no blocks', async () => {
    const { target, reason } = await probeTarget(async (graph, feeds) =>
      numbers(Object.values(await run(referenceEngine, graph, feeds))[0]!),
    )
    expect(target).toEqual(standardTarget)
    expect(reason).toMatch(/16 channels: .*reference engine lacks.*nchwc.*8 channels/s)
  })

  it("does not believe a block size that is not the processor's", async () => {
    const { target } = await probeCpu()
    const wrong = [8, 16].filter((block) => block !== target.block)
    const tried = await probeTarget(tryOnce, wrong)
    expect(tried.target).toEqual(standardTarget)
    expect(tried.reason).toContain(`blocks of ${wrong[0]} channels`)
  })
})
