import { describe, expect, it } from 'vitest'
import {
  distillationObjectiveSchema,
  guessingDistillation,
  targetLength,
  type DistillationLoss,
} from '#shared/domain/distillation/objective.ts'
import { DistillationGoal } from '#trainer/distill/distillation-goal.ts'
import { standardise } from '#trainer/distill/teacher.ts'
import { writeLoss } from '#trainer/autodiff/losses.ts'
import { onnxEngine } from '#trainer/engines/onnx/engine.ts'
import { referenceEngine } from '#trainer/engines/reference/engine.ts'
import { GraphBuilder } from '#trainer/graph/builder.ts'
import { float32, tensor } from '#trainer/graph/tensor.ts'

const objective = (
  featureLength: number,
  classes: number,
  more: Parameters<typeof distillationObjectiveSchema.parse>[0] = {},
): DistillationLoss => ({
  ...distillationObjectiveSchema.parse(more),
  ...{ kind: 'distillation', featureLength, classes },
})

async function lossOf(
  engine: typeof onnxEngine | typeof referenceEngine,
  loss: DistillationLoss,
  { outputs, targets, weights }: { outputs: number[]; targets: number[]; weights: number[] },
): Promise<{ loss: number; correct: number }> {
  const rows = weights.length
  const columns = loss.featureLength + loss.classes
  const builder = new GraphBuilder('loss')
  const input = (name: string, shape: number[]) => builder.input({ name, type: 'float32', shape })
  const values = writeLoss(loss, {
    builder,
    logits: input('outputs', [rows, columns]),
    targets: input('targets', [rows, targetLength(loss)]),
    rowWeights: input('weights', [rows]),
    classes: columns,
  })
  builder.output(values.loss, { name: 'loss', type: 'float32', shape: [] })
  builder.output(values.correct, { name: 'correct', type: 'float32', shape: [] })
  const session = await engine.open(builder.build(), { threads: 1 })
  const real = (shape: number[], numbers: number[]) =>
    engine.real === 'float64' ? tensor('float64', shape, Float64Array.from(numbers)) : float32(shape, numbers)
  const found = await session.run({
    outputs: real([rows, columns], outputs),
    targets: real([rows, targetLength(loss)], targets),
    weights: real([rows], weights),
  })
  await session.dispose()
  return { loss: Number(found['loss']!.data[0]), correct: Number(found['correct']!.data[0]) }
}

const softmax = (logits: number[]): number[] => {
  const powers = logits.map(Math.exp)
  return powers.map((power) => power / powers.reduce((a, b) => a + b))
}
const crossEntropy = (wanted: number[], given: number[]): number =>
  -wanted.reduce((sum, share, k) => sum + share * Math.log(given[k]!), 0)

describe.each([
  ['onnx', onnxEngine, 1e-5],
  ['reference', referenceEngine, 1e-9],
] as const)('distillation on the %s engine', (_name, engine, tolerance) => {
  const near = (value: number): unknown => expect.closeTo(value, -Math.log10(tolerance) - 0.5)

  it('of features by the angle: 1 − cosine, whatever the lengths; the agreement is the sum of the cosines', async () => {
    const found = await lossOf(engine, objective(2, 0), {
      outputs: [3, 4, 5, 0, 0, 2],
      targets: [30, 40, 0, 1, 0, -1],
      weights: [1, 1, 1],
    })
    // Alike, at a right angle, opposite. (1e-6 under the root keeps rows of zeros finite.)
    expect(found.loss).toBeCloseTo((0 + 1 + 2) / 3, 5)
    expect(found.correct).toBeCloseTo(1 + 0 - 1, 5)
  })

  it('of features by the squared distance per number', async () => {
    const found = await lossOf(engine, objective(2, 0, { features: 'l2' }), {
      outputs: [1, 2, 0, 0],
      targets: [2, 4, 3, 1],
      weights: [1, 3],
    })
    expect(found.loss).toEqual(near(((1 + 4) / 2 + (3 * (9 + 1)) / 2) / 4))
  })

  it('gives a row of zeros no angle', async () => {
    const found = await lossOf(engine, objective(2, 0), { outputs: [0, 0], targets: [0, 0], weights: [1] })
    expect(found).toEqual({ loss: near(1), correct: near(0) })
  })

  it('of answers: softened ones times T², the true label where there is one', async () => {
    const [temperature, soft, labels] = [2, 0.75, 0.25]
    const outputs = [
      [1, -1, 0.5],
      [0, 2, -1],
    ]
    const teacher = [
      [0.5, 0.375, 0.125],
      [0.125, 0.75, 0.125],
    ]
    const found = await lossOf(
      engine,
      objective(0, 3, { temperature, weights: { features: 1, soft, labels } }),
      {
        outputs: outputs.flat(),
        targets: [...teacher[0]!, 1, 0, 0, ...teacher[1]!, 0, 0, 0],
        weights: [1, 1],
      },
    )
    const softened = outputs.map(
      (row, i) => temperature ** 2 * crossEntropy(teacher[i]!, softmax(row.map((z) => z / temperature))),
    )
    const labelled = crossEntropy([1, 0, 0], softmax(outputs[0]!))
    expect(found.loss).toEqual(near((soft * (softened[0]! + softened[1]!) + labels * labelled) / 2))
    // The first row has its label on top; the second has none, and zeros mean the first class, which is not on top.
    expect(found.correct).toBe(1)
  })

  it('of both: the features stand first', async () => {
    const both = objective(2, 2, { temperature: 1, weights: { features: 0.5, soft: 0, labels: 1 } })
    const found = await lossOf(engine, both, {
      outputs: [1, 0, 3, 1],
      targets: [0, 1, 0.5, 0.5, 0, 1],
      weights: [2],
    })
    expect(found.loss).toEqual(near(0.5 * 1 + crossEntropy([0, 1], softmax([3, 1]))))
    expect(found.correct).toBe(0)
  })
})

describe('the goal of a student', () => {
  const features = Float32Array.of(1, 0, 0, 2, -3, 0)
  const goal = new DistillationGoal(objective(2, 0), { features, soft: null }, null)

  it('hands out the teacher’s features of each row, all of weight 1', () => {
    const { targets, weights } = goal.lessons()(Int32Array.of(2, 0), { kind: 'none' })
    expect([...targets]).toEqual([-3, 0, 1, 0])
    expect([...weights]).toEqual([1, 1])
  })

  it('is judged as the step’s loss says', async () => {
    const outputs = [1, 1, 0, 1, -1, 0]
    const judged = goal.judge(Float32Array.from(outputs), [0, 1, 2])
    const step = await lossOf(referenceEngine, objective(2, 0), {
      outputs,
      targets: [...features],
      weights: [1, 1, 1],
    })
    expect(judged.loss).toBeCloseTo(step.loss, 6)
    expect(judged.accuracy).toBeCloseTo(step.correct / 3, 6)
  })

  it('of features alone has no answers', () => {
    expect(() => goal.answers(new Float32Array(6))).toThrow('knows no labels')
  })

  it('with classes is judged, and answers, by the columns of the classes', () => {
    const soft = Float32Array.of(0.9, 0.1, 0.2, 0.8, 0.5, 0.5)
    const both = new DistillationGoal(objective(2, 2), { features, soft }, Int32Array.of(0, 1, -1))
    const outputs = Float32Array.of(7, 7, 2, 0, 7, 7, 2, 0)
    const judged = both.judge(outputs, [0, 1])
    expect(judged.accuracy).toBe(0.5)
    const [first] = both.answers(outputs)
    expect(first).toBeCloseTo(softmax([2, 0])[0]!, 6)
    expect([...both.lessons()(Int32Array.of(1), { kind: 'none' }).targets]).toEqual(
      [0, 2, 0.2, 0.8, 0, 1].map(Math.fround),
    )
    expect([...both.lessons()(Int32Array.of(2), { kind: 'none' }).targets].slice(4)).toEqual([0, 0])
  })

  it('says what knowing nothing costs', () => {
    expect(guessingDistillation(objective(5, 0))).toBe(1)
    expect(guessingDistillation(objective(0, 4, { temperature: 2 }))).toBeCloseTo(4.5 * Math.log(4))
  })
})

describe('standardising a teacher’s features', () => {
  it('gives each number mean 0 and deviation 1 over the rows that are learned from', () => {
    const features = Float32Array.of(1, 5, 7, 3, 5, 9, 100, 6, 2)
    standardise(features, 3, [0, 1])
    expect([...features.subarray(0, 6)]).toEqual([-1, 0, -1, 1, 0, 1])
    // The third row had no say, but is measured alike; a number that never changed among the others says nothing.
    expect([...features.subarray(6)]).toEqual([98, 0, -6])
  })
})
