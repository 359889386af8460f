import type { EvaluationPart, EvaluationRow, Flip, Metrics } from '#shared/contract/training.ts'
import { adviseMorePictures } from '#shared/domain/advice.ts'
import type { Advice } from '#shared/domain/advice.ts'
import { compareAnswers } from '#shared/domain/flips.ts'
import { computeMetrics } from '#shared/domain/metrics.ts'
import type { OpenProject, ProjectRegistry } from '../projects/open-project.ts'
import { findRun } from '../runs/service.ts'
import { createLabelsRepository } from '../storage/labels-repository.ts'
import { createPicturesRepository } from '../storage/pictures-repository.ts'
import { createPredictionsRepository } from '../storage/predictions-repository.ts'
import type { PredictionFilter, StoredPart } from '../storage/predictions-repository.ts'
import type { RunRecord } from '../storage/runs-repository.ts'
import { createTestLooksRepository } from '../storage/test-looks-repository.ts'
import { createVersionsRepository } from '../storage/versions-repository.ts'

export interface Summary {
  metrics: Metrics
  pictures: number
  majorityAccuracy: number
  testOpened: number
  testChanged: number
  advice: { classIndex: number; words: string } | null
}
interface PartRef {
  projectId: string
  runId: string
  part: EvaluationPart
}

export type EvaluationService = ReturnType<typeof createEvaluationService>

/** The page that says how often was looked hears of it. */
function countLooks(project: OpenProject, rows: readonly { pictureId: number }[]): void {
  const looks = project.use(createTestLooksRepository)
  if (looks.opened(rows.map(({ pictureId }) => pictureId))) project.announce('runs')
}

/** Stored predictions never change once written: what is derived from them may be kept. */
const MOST_KEPT = 20

/** Every view of results, derived from the stored predictions: there is no second truth. */
export function createEvaluationService({ registry }: { registry: ProjectRegistry }) {
  const kept = new WeakMap<OpenProject, Map<string, { metrics: Metrics; advice: Advice | null }>>()

  /** Out-of-fold predictions where the recipe makes them, else those of the validation pictures. */
  function storedPart(project: OpenProject, run: RunRecord, part: EvaluationPart): StoredPart {
    if (part === 'test') return 'test'
    return project.use(createPredictionsRepository).count(run.id, 'outOfFold') > 0 ? 'outOfFold' : 'val'
  }

  function figures(project: OpenProject, run: RunRecord, part: StoredPart) {
    const known = kept.get(project) ?? new Map<string, { metrics: Metrics; advice: Advice | null }>()
    kept.set(project, known)
    const key = `${run.id} ${part}`
    const before = known.get(key)
    if (before) return before
    const classes = run.classes.map(({ name }) => name)
    const table = project.use(createPredictionsRepository).table(run.id, part, classes.length)
    const metrics = computeMetrics({ classes, labels: table.labels, probabilities: table.probabilities })
    const training = classes.map(() => 0)
    for (const item of project.use(createVersionsRepository).items(run.versionId))
      if (item.split === 'train') training[item.class]!++
    const made = { metrics, advice: adviseMorePictures({ classes, confusion: metrics.confusion, training }) }
    // A run that is under way has no predictions yet.
    if (table.ids.length > 0) known.set(key, made)
    for (const oldest of known.keys()) {
      if (known.size <= MOST_KEPT) break
      known.delete(oldest)
    }
    return made
  }

  return {
    summary({ projectId, runId, part }: PartRef): Summary {
      const project = registry.get(projectId)
      const run = findRun(project, runId)
      const { metrics, advice } = figures(project, run, storedPart(project, run, part))
      const supports = metrics.per_class.map(({ support }) => support)
      const pictures = supports.reduce((sum, support) => sum + support, 0)
      const looks = project.use(createTestLooksRepository).sums()
      return {
        metrics,
        pictures,
        majorityAccuracy: pictures === 0 ? 0 : Math.max(...supports) / pictures,
        testOpened: looks.opened,
        testChanged: looks.changed,
        advice: advice && { classIndex: advice.classIndex, words: advice.words },
      }
    },

    /** Listing test pictures is looking at them: it is counted. */
    pictures({
      projectId,
      runId,
      part,
      offset,
      limit,
      ...filter
    }: PartRef & PredictionFilter & { offset: number; limit: number }): {
      total: number
      rows: EvaluationRow[]
    } {
      const project = registry.get(projectId)
      const run = findRun(project, runId)
      const { total, rows } = project
        .use(createPredictionsRepository)
        .window(runId, storedPart(project, run, part), filter, { offset, limit })
      if (part === 'test') countLooks(project, rows)
      return { total, rows }
    },

    /** Says what two runs answered for test pictures, which is looking at them, too. */
    flips({
      projectId,
      a,
      b,
      part,
      kind = null,
      offset,
      limit,
    }: {
      projectId: string
      a: string
      b: string
      part: EvaluationPart
      kind?: Flip['kind'] | null
      offset: number
      limit: number
    }): { compared: number; fixed: number; broken: number; changed: number; rows: Flip[] } {
      const project = registry.get(projectId)
      const pictures = project.use(createPicturesRepository)
      const names = new Map(
        project
          .use(createLabelsRepository)
          .all()
          .map(({ id, name }) => [id, name]),
      )
      const answersOf = (runId: string) => {
        const run = findRun(project, runId)
        return project
          .use(createPredictionsRepository)
          .answers(runId, storedPart(project, run, part))
          .map(({ pictureId, predicted }) => ({
            pictureId,
            // A label renamed between the runs is the same answer.
            predicted: names.get(run.classes[predicted]!.labelId) ?? run.classes[predicted]!.name,
          }))
      }
      const truth = (pictureId: number): string | null =>
        names.get(pictures.find(pictureId)?.labelId ?? -1) ?? null
      const { flips, ...counts } = compareAnswers({ before: answersOf(a), after: answersOf(b), truth })
      const asked = kind === null ? flips : flips.filter((flip) => flip.kind === kind)
      const rows = asked.slice(offset, offset + limit).map((flip): Flip => {
        const picture = pictures.find(flip.pictureId)
        return {
          ...flip,
          name: picture?.name ?? '',
          labelId: picture?.labelId ?? null,
          excluded: picture?.excluded ?? false,
          confirmed: picture?.confirmed ?? false,
        }
      })
      if (part === 'test') countLooks(project, rows)
      return { ...counts, rows }
    },
  }
}
