import { readFile, readdir, statfs } from 'node:fs/promises'
import { availableParallelism, cpus, freemem, homedir, hostname, release, totalmem, userInfo } from 'node:os'
import { join } from 'node:path'
import type { EngineReport } from '../compose-training.ts'
import type { BackboneService } from '../backbones/service.ts'
import { isMissing } from '../files.ts'
import type { ProjectRegistry } from '../projects/open-project.ts'
import { createLabelsRepository } from '../storage/labels-repository.ts'
import { createRunsRepository } from '../storage/runs-repository.ts'
import { scrub } from './scrub.ts'
import type { ScrubNames } from './scrub.ts'

export interface DiagnosticsPorts {
  version: string
  mode: string
  home: string
  logs: string
  registry: ProjectRegistry
  backbones: BackboneService
  engines(): Promise<{ engines: EngineReport[]; versions: Record<string, string> }>
}

/** Of each log only the end: that is where the trouble is. */
const LOG_BYTES = 400_000
const MOST_LOGS = 10

/** What helps to find a fault, as texts by file name. Never pictures, names of files or people. */
export async function collectDiagnostics(ports: DiagnosticsPorts): Promise<Map<string, string>> {
  const names = namesOf(ports)
  const texts = new Map<string, string>()
  // Made of figures and codes; only an engine's own words may hold a path.
  const json = (value: unknown): string =>
    `${scrub(JSON.stringify(value, null, 2), { folders: names.folders, words: [] })}\n`
  texts.set(
    'README.txt',
    'Diagnostics of Kestrel Studio.\n\nVersions, engines and logs. No pictures, no names of files, folders or people:\nthey were replaced by <path>, <file> and <user>. Have a look before you pass it on.\n',
  )
  texts.set('system.json', json(await systemOf(ports)))
  texts.set('backbones.json', json(await backbonesOf(ports.backbones)))
  texts.set('projects.json', json(projectsOf(ports.registry)))
  for (const [name, text] of await logsOf(ports.logs)) texts.set(`logs/${name}`, scrub(text, names))
  return texts
}

async function systemOf(ports: DiagnosticsPorts): Promise<Record<string, unknown>> {
  const { bavail, bsize } = await statfs(ports.home)
  return {
    kestrel: ports.version,
    mode: ports.mode,
    platform: `${process.platform} ${process.arch} ${release()}`,
    processor: cpus()[0]?.model ?? 'unknown',
    cores: availableParallelism(),
    memory: { total: totalmem(), free: freemem() },
    freeDisk: bavail * bsize,
    node: process.versions.node,
    ...(await ports.engines()),
  }
}

/** A backbone of the person's own is named after their file. */
const backbonesOf = async (backbones: BackboneService): Promise<unknown> =>
  (await backbones.list()).map(({ id, name, words: _words, ...rest }) =>
    rest.source === 'added' ? rest : { id, name, ...rest },
  )

/** Sizes and figures, no names. */
function projectsOf(registry: ProjectRegistry): unknown {
  return registry.all().map((project) => ({
    revision: project.revision(),
    labels: project.use(createLabelsRepository).all().length,
    runs: project
      .use(createRunsRepository)
      .all()
      .map(({ number, state, config, facts, error }) => ({
        ...{ number, state, config, counts: facts.counts, timings: facts.timings, features: facts.features },
        ...{ stopped: facts.stopped?.reason ?? null, error: error?.code ?? null },
      })),
  }))
}

async function logsOf(folder: string): Promise<[string, string][]> {
  const names = await readdir(folder).catch((error: unknown) => {
    if (isMissing(error)) return []
    throw error
  })
  const logs: [string, string][] = []
  for (const name of names
    .filter((each) => /^[\w.-]+\.(?:log|txt)(?:\.\d+)?$/.test(each))
    .slice(0, MOST_LOGS)) {
    const text = await readFile(join(folder, name), 'utf8')
    logs.push([name, text.slice(-LOG_BYTES)])
  }
  return logs
}

function namesOf({ home, registry }: DiagnosticsPorts): ScrubNames {
  const projects = registry.all()
  return {
    folders: [
      { path: home, as: 'home' },
      { path: homedir(), as: 'user' },
      ...projects.map(({ folder }) => ({ path: folder, as: 'project' })),
    ],
    words: [
      { word: userInfo().username, as: 'user' },
      { word: hostname(), as: 'machine' },
      ...projects.map((project) => ({ word: project.name(), as: 'project' })),
      ...projects.flatMap((project) =>
        project
          .use(createLabelsRepository)
          .all()
          .map(({ name }) => ({ word: name, as: 'label' })),
      ),
    ],
  }
}
