import type { ImportService } from '../../datasets/import-service.ts'
import type { ProjectsService } from '../../projects/projects-service.ts'
import { os } from '../rpc.ts'

const ok = { ok: true } as const

export const projectsRouter = (
  projects: ProjectsService,
  makeSample: () => Promise<{ projectId: string; jobId: string }>,
) => ({
  recent: os.projects.recent.handler(() => projects.recent()),
  create: os.projects.create.handler(({ input: { name, parent, numbered } }) =>
    numbered && parent === undefined ? projects.createNumbered(name) : projects.create(name, parent),
  ),
  open: os.projects.open.handler(({ input }) =>
    'source' in input ? projects.openSource(input.source) : projects.openRecent(input.projectId),
  ),
  sample: os.projects.sample.handler(async () => {
    const { projectId, jobId } = await makeSample()
    return { ...projects.get(projectId), jobId }
  }),
  get: os.projects.get.handler(({ input }) => projects.get(input.projectId)),
  rename: os.projects.rename.handler(({ input }) => projects.rename(input.projectId, input.name)),
  forget: os.projects.forget.handler(async ({ input }) => {
    await projects.forget(input.projectId)
    return ok
  }),
  close: os.projects.close.handler(async ({ input }) => {
    await projects.close(input.projectId)
    return ok
  }),
})

export const importsRouter = (imports: ImportService) => ({
  inspect: os.imports.inspect.handler(({ input }) => imports.inspect(input.projectId ?? null, input.source)),
  start: os.imports.start.handler(async ({ input: { projectId, source, ...choices } }) => {
    const job = await imports.start(projectId, source, choices)
    return { jobId: job.id }
  }),
  problems: os.imports.problems.handler(({ input }) =>
    imports.problems(input.projectId, input.offset, input.limit),
  ),
})
