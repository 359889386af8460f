import { computeMetrics, predictedClasses } from '#shared/domain/metrics.ts'
import type { Metrics } from '#shared/contract/training.ts'
import type { OpenProject } from '#studio/projects/open-project.ts'
import { createPredictionsRepository } from '#studio/storage/predictions-repository.ts'
import type { StoredPart } from '#studio/storage/predictions-repository.ts'
import type { RunRecord } from '#studio/storage/runs-repository.ts'
import { foldFigures } from './result.ts'
import type { RunResult } from './result.ts'

/** Figures of a run, derived from its stored predictions like every view of the studio. */
export function figuresOf(
  project: OpenProject,
  run: RunRecord,
): { metrics: RunResult['metrics']; folds: RunResult['folds'] } {
  const classes = run.classes.map(({ name }) => name)
  const predictions = project.use(createPredictionsRepository)
  const tableOf = (part: StoredPart) => predictions.table(run.id, part, classes.length)
  const metricsOf = (part: StoredPart): Metrics | null => {
    const { labels, probabilities } = tableOf(part)
    return labels.length === 0 ? null : computeMetrics({ classes, labels, probabilities })
  }
  return {
    metrics: { val: metricsOf('val'), test: metricsOf('test') },
    folds: run.config.folds < 2 ? undefined : foldsOf(project, run),
  }
}

function foldsOf(project: OpenProject, run: RunRecord): RunResult['folds'] {
  const classes = run.classes.map(({ name }) => name)
  const predictions = project.use(createPredictionsRepository)
  const { labels, probabilities, folds } = predictions.table(run.id, 'outOfFold', classes.length)
  if (labels.length === 0) return undefined
  const predicted = predictedClasses(probabilities, classes.length)
  const right = Array.from(labels, (label, row) => predicted[row] === label)
  return foldFigures(run.config.folds, folds, right, computeMetrics({ classes, labels, probabilities }))
}
