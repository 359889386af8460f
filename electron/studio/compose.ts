import { createEventBus } from './events/event-bus.ts'
import { createJobRunner } from './jobs/job-runner.ts'
import type { Log } from './log.ts'
import { createProjectRegistry } from './projects/open-project.ts'

export interface StudioOptions {
  log: Log
}

/** The one place where the parts of the studio are put together. */
export function composeStudio({ log }: StudioOptions) {
  const reportError = (error: unknown): void => log.error('unexpected error', error)
  const bus = createEventBus(reportError)
  const jobs = createJobRunner({ bus, reportError })
  const registry = createProjectRegistry()
  return { bus, jobs, registry }
}
