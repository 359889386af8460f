import { beforeEach, describe, expect, it } from 'vitest'
import type { TrainConfig } from '#shared/contract/training.ts'
import type { SplitName } from '#shared/contract/trainer.ts'
import { createEventBus } from '#studio/events/event-bus.ts'
import { createOpenProject } from '#studio/projects/open-project.ts'
import type { OpenProject } from '#studio/projects/open-project.ts'
import { openProjectDatabase } from '#studio/storage/database.ts'
import { createLabellingRepository } from '#studio/storage/labelling-repository.ts'
import { createLabelsRepository } from '#studio/storage/labels-repository.ts'
import { createLooksRepository } from '#studio/storage/looks-repository.ts'
import { createPicturesRepository } from '#studio/storage/pictures-repository.ts'
import { createRunsRepository } from '#studio/storage/runs-repository.ts'
import { createTestLooksRepository } from '#studio/storage/test-looks-repository.ts'
import { freezeRun } from '#studio/training/freeze.ts'
import { frozenPlan, imagesOf, planTraining } from '#studio/training/plan.ts'
import type { TrainingPlan } from '#studio/training/plan.ts'
import { temporaryFolder } from '../../helpers/folders.ts'
import { pictureRow } from '../../helpers/picture-rows.ts'

const config: TrainConfig = {
  recipe: 'head',
  backboneId: 'tiny',
  objective: 'softmax',
  split: { train: 0.7, val: 0.15, test: 0.15 },
  seed: 1,
  folds: 5,
  together: 'shots',
  changes: {},
  engine: 'onnx',
  teacherRunId: null,
}

describe('what a training is trained on', () => {
  let project: OpenProject
  let labels: [number, number]
  let pictures = 0

  const add = (count: number, fixedSplit: SplitName | null = null): void => {
    for (let n = 0; n < count; n++, pictures++)
      project
        .use(createPicturesRepository)
        .insert(pictureRow(pictures, { labelId: labels[pictures % 2]!, fixedSplit }))
  }
  const freeze = (change: Partial<TrainConfig> = {}): TrainingPlan => {
    const plan = planTraining(project, { ...config, ...change })
    freezeRun(project, plan, { ...config, ...change }, null, '0')
    return plan
  }
  const sides = (plan: TrainingPlan): Map<number, SplitName> =>
    new Map(plan.pictures.map(({ pictureId, split }) => [pictureId, split]))

  beforeEach(() => {
    const folder = temporaryFolder()
    const bus = createEventBus((error) => {
      throw error
    })
    pictures = 0
    project = createOpenProject({ projectId: 'p', folder, db: openProjectDatabase(folder), bus })
    const repository = project.use(createLabelsRepository)
    labels = [
      repository.insert({ name: 'b first', colour: 3, position: 0 }),
      repository.insert({ name: 'a second', colour: 5, position: 1 }),
    ]
    repository.insert({ name: 'without pictures', colour: 6, position: 2 })
  })

  it('is frozen: classes in the order of the person, sides also in the grid', () => {
    add(60)
    const plan = freeze()
    expect(plan.classes.map(({ name }) => name)).toEqual(['b first', 'a second'])
    expect(plan.counts).toEqual({ train: 42, val: 8, test: 10 })
    expect(plan.pictures[0]!.path.startsWith(project.folder)).toBe(true)
    const [run] = project.use(createRunsRepository).all()
    expect(run).toMatchObject({ number: 1, state: 'running', facts: { counts: plan.counts } })
    for (const [id, split] of sides(plan))
      expect(project.use(createPicturesRepository).find(id)?.split).toBe(split)
  })

  it('keeps every picture on its side while the project grows, also one that was away', () => {
    add(60)
    const first = sides(freeze())
    const labelling = project.use(createLabellingRepository)
    labelling.set('excluded', [7], 1)
    expect(freeze().pictures).toHaveLength(59)
    labelling.set('excluded', [7], 0)
    add(40)
    const grown = freeze()
    for (const [id, side] of first) expect(sides(grown).get(id)).toBe(side)
    expect(grown.counts.test).toBeGreaterThan(12)
    expect(planTraining(project, config).splitChanged).toBe(false)
  })

  it('is cut anew for another seed or other fractions, and then nobody has seen the test', () => {
    add(60)
    const first = freeze()
    const looks = project.use(createTestLooksRepository)
    looks.opened(first.pictures.filter(({ split }) => split === 'test').map(({ pictureId }) => pictureId))
    freeze()
    // Only the ratio counts.
    freeze({ split: { train: 0.35, val: 0.075, test: 0.075 } })
    expect(looks.sums().opened).toBe(10)
    expect(sides(freeze({ seed: 2 }))).not.toEqual(sides(first))
    expect(looks.sums().opened).toBe(0)
    expect(freeze({ split: { train: 0.25, val: 0.25, test: 0.5 } }).counts).toEqual({
      train: 14,
      val: 16,
      test: 30,
    })
    // Back to the first choice: the sides are those of then.
    expect(sides(freeze())).toEqual(sides(first))
  })

  const twins = (...pairs: [number, number][]): void => project.use(createLooksRepository).settle([], pairs)

  it('keeps pictures of one shot on one side, also a new one of an old shot', () => {
    add(60)
    twins([2, 1], [3, 2], [10, 9])
    const plan = freeze()
    const first = sides(plan)
    expect(new Set([1, 2, 3].map((id) => first.get(id))).size).toBe(1)
    expect(first.get(10)).toBe(first.get(9))
    expect(plan.sharedShots).toEqual({ groups: 2, pictures: 5, across: { groups: 0, val: 0, test: 0 } })
    expect(new Set(plan.pictures.slice(0, 3).map(({ group }) => group))).toEqual(
      new Set([plan.pictures[0]!.sha256]),
    )
    // The trainer hears of it where there is something to hear: its folds keep them together, too.
    expect(imagesOf(plan.pictures).flatMap(({ id, group }) => (group === undefined ? [] : [id]))).toEqual([
      ...[2, 3],
      10,
    ])
    const held = [...first].find(([, side]) => side === 'test')![0]
    add(1)
    twins([61, held])
    expect(sides(freeze()).get(61)).toBe('test')
  })

  it('leaves old pictures where they are when they turn out to be of one shot, and says so', () => {
    add(60)
    const first = sides(freeze())
    const [learned] = [...first].find(([, side]) => side === 'train')!
    const [held] = [...first].find(([, side]) => side === 'test')!
    twins([learned, held])
    const plan = freeze()
    expect(sides(plan)).toEqual(first)
    expect(plan.sharedShots).toEqual({ groups: 1, pictures: 2, across: { groups: 1, val: 0, test: 1 } })
    const { versionId } = project.use(createRunsRepository).all()[0]!
    expect(versionId).toBe(1)
    // Cut anew, they are together.
    expect(freeze({ seed: 5 }).sharedShots.across.groups).toBe(0)
  })

  it('goes on with a run that was begun with the groups of then, whatever came since', () => {
    add(20)
    twins([2, 1], [4, 3])
    const plan = freeze()
    add(1)
    twins([21, 1], [21, 3])
    const run = project.use(createRunsRepository).all()[0]!
    expect(frozenPlan(project, run).pictures.map(({ group }) => group)).toEqual(
      plan.pictures.map(({ group }) => group),
    )
  })

  it('leaves a test that folders gave as it is, and says what of it was as good as learned', () => {
    add(20)
    add(10, 'test')
    twins([21, 1])
    const plan = freeze()
    expect(plan.counts.test).toBe(10)
    expect(sides(plan).get(1)).not.toBe('test')
    expect(plan.sharedShots.across).toEqual({ groups: 1, val: 0, test: 1 })
  })

  it('holds to the sides that folders gave', () => {
    add(20, 'train')
    add(10, 'test')
    const plan = freeze()
    expect(plan.pictures.slice(20).every(({ split }) => split === 'test')).toBe(true)
    expect(plan.counts.test).toBe(10)
    expect(plan.counts.val).toBeGreaterThan(0)
    expect(plan.splitFixed).toBe(10)
  })
})
