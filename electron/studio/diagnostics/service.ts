import { readFile, readdir, statfs } from 'node:fs/promises'
import { availableParallelism, cpus, freemem, homedir, hostname, release, totalmem, userInfo } from 'node:os'
import { join } from 'node:path'
import type { TrainConfig } from '#shared/contract/training.ts'
import type { EngineReport } from '../compose-training.ts'
import type { BackboneService } from '../backbones/service.ts'
import { isMissing } from '../files.ts'
import type { ProjectRegistry } from '../projects/open-project.ts'
import { createLabelsRepository } from '../storage/labels-repository.ts'
import { createRunsRepository } from '../storage/runs-repository.ts'
import type { RunRecord } from '../storage/runs-repository.ts'
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
  const own = await ownBackbones(ports)
  const names = namesOf(ports, own)
  const texts = new Map<string, string>()
  // Made of figures and codes; only an engine's own words may hold a path.
  const json = (value: unknown): string =>
    `${scrub(JSON.stringify(value, null, 2), { folders: names.folders, words: [] })}\n`
  texts.set(
    'README.txt',
    'Diagnostics of Kestrel Studio.\n\nVersions, engines and logs. No pictures, no names of files, folders or people:\nthey were replaced by <path>, <file> and <user>. Have a look before you pass it on.\n',
  )
  texts.set('system.json', json(await systemOf(ports)))
  texts.set('backbones.json', json(await backbonesOf(ports.backbones, own, names)))
  texts.set('projects.json', json(projectsOf(ports.registry, own)))
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

/** Backbones that are named after files and folders of the person's own, by id. */
type OwnBackbones = ReadonlyMap<string, { as: string; name: string }>

/** Those that are there, and those that trainings were made with. They are called alike in all texts. */
async function ownBackbones({ backbones, registry }: DiagnosticsPorts): Promise<OwnBackbones> {
  const known = await backbones.publicIds()
  const found = new Map<string, string>()
  for (const { id, name } of await backbones.list()) found.set(id, name)
  for (const { config, facts } of runsOf(registry)) {
    if (config.backboneId !== null && !found.has(config.backboneId)) found.set(config.backboneId, '')
    if (facts.backbone !== null && !found.has(facts.backbone.id))
      found.set(facts.backbone.id, facts.backbone.name)
  }
  const own = [...found].filter(([id]) => !known.has(id))
  return new Map(own.map(([id, name], index) => [id, { as: `own-${index + 1}`, name }]))
}

/** Where it is from, and what is wrong with it; names, words and licence of one's own are as its folder has them. */
const backbonesOf = async (
  backbones: BackboneService,
  own: OwnBackbones,
  names: ScrubNames,
): Promise<unknown> =>
  (await backbones.list()).map(({ id, name, words: _words, licence, detail, ...rest }) => {
    const as = own.get(id)?.as
    const why = { detail: detail === null ? null : scrub(detail, names) }
    return as === undefined ? { id, name, licence, ...why, ...rest } : { id: as, ...why, ...rest }
  })

const runsOf = (registry: ProjectRegistry): RunRecord[] =>
  registry.all().flatMap((project) => project.use(createRunsRepository).all())

/** Sizes and figures, no names. */
function projectsOf(registry: ProjectRegistry, own: OwnBackbones): unknown {
  return registry.all().map((project) => ({
    revision: project.revision(),
    labels: project.use(createLabelsRepository).all().length,
    runs: project
      .use(createRunsRepository)
      .all()
      .map(({ number, state, config, facts, error }) => ({
        ...{ number, state, config: configOf(config, own), counts: facts.counts },
        ...{ timings: facts.timings, features: facts.features },
        ...{ stopped: facts.stopped?.reason ?? null, error: error?.code ?? null },
      })),
  }))
}

/** A training's settings, without what a person has named: backbones, labels that weigh more, networks. */
function configOf({ backboneId, changes, ...rest }: TrainConfig, own: OwnBackbones): unknown {
  const { classWeights, network, ...numbers } = changes
  return {
    ...rest,
    backboneId: backboneId === null ? null : (own.get(backboneId)?.as ?? backboneId),
    changes: {
      ...numbers,
      ...(classWeights !== undefined && {
        classWeights: typeof classWeights === 'string' ? classWeights : Object.values(classWeights),
      }),
      ...(network !== undefined && {
        network: typeof network === 'string' ? network : { ...network, name: '<network>' },
      }),
    },
  }
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

/** What files are called that nobody has named; a log speaks of them all the time. */
const saysNothing = /^(?:model|backbone|network|weights)$/i

function namesOf({ home, registry }: DiagnosticsPorts, own: OwnBackbones): ScrubNames {
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
      // Labels as they were called when a training was made, too.
      ...runsOf(registry).flatMap(({ name, classes }) => [
        // The name that it is given by itself tells nothing.
        ...(/^Training \d+$/.test(name) ? [] : [{ word: name, as: 'training' }]),
        ...classes.map((each) => ({ word: each.name, as: 'label' })),
      ]),
      ...[...own].flatMap(([id, { as, name }]) =>
        [id, id.replace(/^own-/, ''), name]
          .filter((word) => !saysNothing.test(word))
          .map((word) => ({ word, as })),
      ),
    ],
  }
}
