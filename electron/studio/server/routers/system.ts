import { availableParallelism } from 'node:os'
import type { z } from 'zod'
import type { engineReportSchema } from '#shared/contract/trainer.ts'
import type { Settings } from '#shared/contract/system.ts'
import type { JobRunner } from '../../jobs/job-runner.ts'
import type { SettingsService } from '../../settings/settings.ts'
import type { SourceStore } from '../../sources/source-store.ts'
import { os } from '../rpc.ts'
import type { Subscriptions } from '../subscriptions.ts'

export interface SystemPorts {
  version: string
  mode: 'desktop' | 'browser'
  home: string
  settings: SettingsService
  sources: SourceStore
  subscriptions: Subscriptions
  jobs: JobRunner
  engines(): Promise<z.infer<typeof engineReportSchema>[]>
  engineWords(): { ready: boolean; words: string }
}

export function systemRouter(ports: SystemPorts) {
  const { settings } = ports
  return {
    info: os.system.info.handler(async () => ({
      version: ports.version,
      mode: ports.mode,
      platform: process.platform,
      cores: availableParallelism(),
      homeFolder: ports.home,
      projectsFolder: await settings.projectsFolder(),
      engine: ports.engineWords(),
    })),
    settings: os.system.settings.handler(() => settings.get()),
    setSettings: os.system.setSettings.handler(({ input: { projectsFolderSource, ...changes } }) => {
      const all: Partial<Settings> = { ...changes }
      if (projectsFolderSource !== undefined)
        all.projectsFolder = ports.sources.paths(projectsFolderSource, 'write')[0] ?? ''
      return settings.change(all)
    }),
    engines: os.system.engines.handler(() => ports.engines()),
    events: os.system.events.handler(({ input, signal }) => ports.subscriptions.open(input.windowId, signal)),
  }
}

export const jobsRouter = (jobs: JobRunner) => ({
  list: os.jobs.list.handler(({ input }) => jobs.list(input.projectId)),
  cancel: os.jobs.cancel.handler(({ input }) => {
    jobs.cancel(input.jobId)
    return { ok: true as const }
  }),
})
