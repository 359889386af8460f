import { networkSpecSchema } from '#shared/domain/network/index.ts'
import { createRandom, type Random } from '#shared/domain/random.ts'
import { adam } from '#trainer/autodiff/optimisers/adam.ts'
import type { StepPlan } from '#trainer/autodiff/step.ts'
import type { Engine } from '#trainer/engines/engine.ts'
import { cutAt, prune } from '#trainer/graph/edit.ts'
import { elementCount, float32 } from '#trainer/graph/tensor.ts'
import { int } from '#trainer/graph/types.ts'
import type { Graph, ValueInfo } from '#trainer/graph/types.ts'
import { groupsOf } from '#trainer/loop/groups.ts'
import { StepRunner } from '#trainer/loop/step-runner.ts'
import { Trunk } from '#trainer/loop/trunk.ts'
import { buildNetwork } from '#trainer/models/layers/build.ts'
import type { Network, Parameter } from '#trainer/models/network.ts'

/** A training of made-up pictures, ready to go on step by step. */
export interface Job {
  batch: number
  /** @param x pictures `[batch, 3, height, width]`; made-up ones when left out */
  step(x?: Float32Array): Promise<void>
  dispose(): Promise<void>
}

const classes = 10

const plan = (network: Network): Omit<StepPlan, 'batch'> => ({
  groups: groupsOf(network, { l1: 0, l2: 0, weightDecay: 0 }),
  loss: { kind: 'cross-entropy', labelSmoothing: 0 },
  optimiser: adam({ kind: 'adam', beta1: 0.9, beta2: 0.999, epsilon: 1e-8, convention: 'pytorch' }),
  clipNorm: null,
  average: false,
})

const noise = (random: Random, length: number): Float32Array =>
  Float32Array.from({ length }, () => random.float())

async function job(
  engine: Engine,
  network: Network,
  {
    batch,
    rate,
    shape,
    trunk,
  }: { batch: number; rate: number; shape: readonly number[]; trunk: Graph | null },
): Promise<Job> {
  const random = createRandom(1)
  const runner = new StepRunner(engine, network, plan(network), 1)
  const frozen = trunk && (await Trunk.open(engine, trunk))
  const x = noise(random, batch * elementCount(shape))
  const targets = new Float32Array(batch * classes)
  for (let row = 0; row < batch; row++) targets[row * classes + (row % classes)] = 1
  const weights = new Float32Array(batch).fill(1)
  let count = 0
  return {
    batch,
    async step(pictures = x) {
      const learned = frozen === null ? pictures : await frozen.run(pictures, batch)
      await runner.run(
        { x: learned, targets, weights, rows: batch },
        { learningRate: rate, step: ++count, statisticsKeep: 0.9, averageDecay: 0 },
      )
    },
    async dispose() {
      await runner.dispose()
      await frozen?.dispose()
    },
  }
}

/** 64 px; three times 3 × 3 convolution, batch normalisation, rectifier, maximum of 2 × 2; mean over the map; 10 classes. */
export function smallCnn(engine: Engine): Promise<Job> {
  const layers = [32, 64, 128].flatMap((filters) => [
    { type: 'conv', filters, size: 3, padding: 'same', bias: false },
    { type: 'batch-norm' },
    { type: 'activation', function: 'relu' },
    { type: 'pool', size: 2, stride: 2 },
  ])
  const spec = networkSpecSchema.parse({
    version: 1,
    name: 'small CNN',
    input: { width: 64, height: 64 },
    layers: [...layers, { type: 'global-pool' }, { type: 'fc', units: classes }],
  })
  return job(engine, buildNetwork(spec, { seed: 1 }), {
    batch: 32,
    rate: 1e-3,
    shape: [3, 64, 64],
    trunk: null,
  })
}

/** Where MobileNetV2 is cut: what learns is after it. */
const boundary: ValueInfo = { name: 'block_11_add/Add', type: 'float32', shape: ['batch', 96, 14, 14] }

/**
 * MobileNetV2 with batch normalisation folded, blocks 12 to 16 and the last convolution learning under a new head: their
 * kernels learn, biases stay.
 * @param features `input` → `features`, [batch, 1280].
 */
export function mobileNet(engine: Engine, features: Graph, { cached }: { cached: boolean }): Promise<Job> {
  const at = features.nodes.findIndex(({ outputs }) => outputs[0] === boundary.name)
  const top = prune({ ...features, inputs: [boundary], nodes: features.nodes.slice(at + 1) })
  const random = createRandom(2)
  const head = float32(
    [classes, 1280],
    Float32Array.from({ length: classes * 1280 }, () => random.normal(0, 0.01)),
  )
  const graph: Graph = {
    ...top,
    nodes: [
      ...top.nodes,
      {
        name: 'logits',
        op: 'Gemm',
        domain: '',
        inputs: [features.outputs[0]!.name, 'head/weight', 'head/bias'],
        outputs: ['logits'],
        attributes: { transB: int(1) },
      },
    ],
    initialisers: new Map([
      ...top.initialisers,
      ['head/weight', head],
      ['head/bias', float32([classes], new Float32Array(classes))],
    ]),
    outputs: [{ name: 'logits', type: 'float32', shape: ['batch', classes] }],
  }
  const kernels = top.nodes.filter(({ op }) => op === 'Conv').map(({ inputs }) => inputs[1]!)
  const parameters = [...kernels, 'head/weight', 'head/bias'].map((name): Parameter => ({
    name,
    shape: graph.initialisers.get(name)!.shape,
    role: name === 'head/bias' ? 'bias' : 'weight',
    block: name.startsWith('head') ? 1 : 0,
  }))
  return job(
    engine,
    { graph, parameters, statistics: [] },
    {
      batch: 16,
      rate: 1e-4,
      shape: cached ? [96, 14, 14] : [3, 224, 224],
      trunk: cached ? null : cutAt(features, boundary),
    },
  )
}
