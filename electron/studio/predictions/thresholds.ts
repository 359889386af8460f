import type { Threshold } from '#shared/contract/use.ts'
import { chooseThreshold, countAt } from '#shared/domain/threshold.ts'
import type { OpenProject } from '../projects/open-project.ts'
import { createPredictionsRepository } from '../storage/predictions-repository.ts'
import { createRunsRepository } from '../storage/runs-repository.ts'
import type { RunRecord } from '../storage/runs-repository.ts'

interface Held {
  confidences: Float32Array
  right: boolean[]
  chosen: number
}

export type Thresholds = ReturnType<typeof createThresholds>

/** Below which confidence a model says "not sure": chosen from pictures it did not learn from, or set by the person. */
export function createThresholds() {
  const known = new WeakMap<OpenProject, Map<string, Held>>()

  /** Out-of-fold predictions where there are some (they are more), else those of the validation pictures. */
  function held(project: OpenProject, run: RunRecord): Held {
    const ofProject = known.get(project) ?? new Map<string, Held>()
    known.set(project, ofProject)
    const before = ofProject.get(run.id)
    if (before) return before
    const predictions = project.use(createPredictionsRepository)
    const part = predictions.count(run.id, 'outOfFold') > 0 ? 'outOfFold' : 'val'
    const classes = run.classes.length
    const { labels, probabilities } = predictions.table(run.id, part, classes)
    const confidences = new Float32Array(labels.length)
    const right = Array.from(labels, (label, row) => {
      const own = probabilities.subarray(row * classes, (row + 1) * classes)
      confidences[row] = Math.max(...own)
      return own.indexOf(confidences[row]!) === label
    })
    const made = { confidences, right, chosen: chooseThreshold({ confidences, right }).value }
    ofProject.set(run.id, made)
    return made
  }

  return {
    of(project: OpenProject, run: RunRecord): Threshold {
      const { confidences, right, chosen } = held(project, run)
      const value = run.threshold ?? chosen
      const counted = countAt(confidences, right, value)
      return {
        value,
        chosen,
        answeredShare: counted.total === 0 ? 0 : counted.answered / counted.total,
        rightOfAnswered: counted.answered === 0 ? 0 : counted.right / counted.answered,
      }
    },
    /** `null` goes back to the chosen one. */
    set(project: OpenProject, run: RunRecord, value: number | null): void {
      project.use(createRunsRepository).setThreshold(run.id, value)
      project.announce('runs')
    },
  }
}
