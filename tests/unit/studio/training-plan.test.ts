import { beforeEach, describe, expect, it } from 'vitest'
import type { TrainConfig } from '#shared/contract/training.ts'
import type { SplitName } from '#shared/contract/trainer.ts'
import { createEventBus } from '#studio/events/event-bus.ts'
import { createOpenProject } from '#studio/projects/open-project.ts'
import type { OpenProject } from '#studio/projects/open-project.ts'
import { openProjectDatabase } from '#studio/storage/database.ts'
import { createLabellingRepository } from '#studio/storage/labelling-repository.ts'
import { createLabelsRepository } from '#studio/storage/labels-repository.ts'
import { createPicturesRepository } from '#studio/storage/pictures-repository.ts'
import { createRunsRepository } from '#studio/storage/runs-repository.ts'
import { createTestLooksRepository } from '#studio/storage/test-looks-repository.ts'
import { freezeRun } from '#studio/training/freeze.ts'
import { planTraining } from '#studio/training/plan.ts'
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
