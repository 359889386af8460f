import type { TrainMetric } from '#shared/contract/trainer.ts'
import type { EventBus } from '../events/event-bus.ts'
import { throttle } from '../jobs/throttle.ts'
import type { OpenProject } from '../projects/open-project.ts'
import { createRunsRepository } from '../storage/runs-repository.ts'

/** A window that opens late sees the curve up to here; the fast steps of a head are written together. */
const WRITE_STEPS_EVERY_MS = 500

/** Publishes every step of a run at once and keeps it a moment later. */
export function stepWriter(bus: EventBus, project: OpenProject, runId: string) {
  let waiting: TrainMetric[] = []
  const write = (): void => {
    if (waiting.length > 0) project.use(createRunsRepository).addSteps(runId, waiting)
    waiting = []
  }
  const writeSoon = throttle(() => {
    try {
      write()
    } catch {
      // They wait for the next time; the last time says what is wrong.
    }
  }, WRITE_STEPS_EVERY_MS)
  return {
    add(metric: TrainMetric): void {
      waiting.push(metric)
      writeSoon()
      bus.publish({ type: 'metric', projectId: project.projectId, runId, metric })
    },
    flush() {
      writeSoon.flush()
      write()
    },
  }
}
