import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { isContractProcedure } from '@orpc/contract'
import { ORPCError } from '@orpc/client'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { contract } from '#shared/contract/index.ts'
import type { StudioEvent } from '#shared/contract/system.ts'
import { wireErrorSchema } from '#shared/errors/index.ts'
import { studioServer } from '../helpers/studio-server.ts'
import type { Client } from '../helpers/studio-server.ts'

const names = Object.entries(contract).flatMap(([group, calls]) =>
  Object.entries(calls)
    .filter(([, call]) => isContractProcedure(call))
    .map(([name]) => `${group}.${name}`),
)

const project = { projectId: 'no-such-project' }
const run = { ...project, runId: 'no-such-run' }
const source = 'no-such-source-token'
const selection = { ids: [1, 2] }
const part = 'test'
const page = { offset: 0, limit: 10 }
const config = {
  recipe: 'head',
  backboneId: null,
  split: { train: 0.7, val: 0.15, test: 0.15 },
  seed: 1,
  folds: 0,
}

/** A well-formed input for every call, about things that do not exist; or what it answers without any. */
const calls: Record<string, { input?: unknown; code?: string | string[] }> = {
  'system.info': {},
  'system.settings': {},
  'system.setSettings': { input: { theme: 'dark' } },
  'system.engines': {},
  'system.events': { input: { windowId: 'w' } },
  'jobs.list': { input: { projectId: null } },
  'jobs.cancel': { input: { jobId: 'no-such-job' }, code: 'not-found' },
  'projects.recent': {},
  'projects.create': { input: { name: 'A', parent: source }, code: 'not-found' },
  'projects.open': { input: project, code: 'project-not-found' },
  'projects.sample': {},
  'projects.get': { input: project, code: 'project-not-found' },
  'projects.rename': { input: { ...project, name: 'B' }, code: 'project-not-found' },
  'projects.forget': { input: project },
  'projects.close': { input: project },
  'imports.inspect': { input: { ...project, source }, code: 'project-not-found' },
  'imports.start': { input: { ...project, source, rule: 'parent' }, code: 'project-not-found' },
  'imports.problems': { input: project, code: 'project-not-found' },
  'pictures.counts': { input: project, code: 'project-not-found' },
  'pictures.window': { input: { ...project, filter: {}, ...page }, code: 'project-not-found' },
  'pictures.ids': { input: { ...project, filter: {}, from: 0, to: 5 }, code: 'project-not-found' },
  'pictures.get': { input: { ...project, pictureId: 1 }, code: 'project-not-found' },
  'pictures.looked': { input: { ...project, pictureId: 1 }, code: 'project-not-found' },
  'labels.create': { input: { ...project, name: 'x' }, code: 'project-not-found' },
  'labels.rename': { input: { ...project, labelId: 1, name: 'x' }, code: 'project-not-found' },
  'labels.recolour': { input: { ...project, labelId: 1, colour: 1 }, code: 'project-not-found' },
  'labels.merge': { input: { ...project, from: 1, into: 2 }, code: 'project-not-found' },
  'labels.remove': { input: { ...project, labelId: 1 }, code: 'project-not-found' },
  'labels.reorder': { input: { ...project, labelIds: [1] }, code: 'project-not-found' },
  'labelling.assign': { input: { ...project, selection, labelId: null }, code: 'project-not-found' },
  'labelling.exclude': { input: { ...project, selection }, code: 'project-not-found' },
  'labelling.restore': { input: { ...project, selection }, code: 'project-not-found' },
  'labelling.confirm': { input: { ...project, selection }, code: 'project-not-found' },
  'labelling.undo': { input: project, code: 'project-not-found' },
  'labelling.redo': { input: project, code: 'project-not-found' },
  'training.options': { input: project, code: 'project-not-found' },
  'training.forecast': { input: { ...project, config }, code: 'project-not-found' },
  'training.start': { input: { ...project, config }, code: 'project-not-found' },
  'training.students': {
    input: { ...project, teacher: { runId: run.runId } },
    code: 'project-not-found',
  },
  'training.makeSmall': {
    input: { ...project, teacher: { backboneId: 'none' }, config },
    code: 'project-not-found',
  },
  'training.resume': { input: run, code: 'project-not-found' },
  'training.stop': { input: run, code: ['project-not-found', 'not-found'] },
  'runs.list': { input: project, code: 'project-not-found' },
  'runs.get': { input: run, code: 'project-not-found' },
  'runs.curve': { input: run, code: 'project-not-found' },
  'runs.rename': { input: { ...run, name: 'x' }, code: 'project-not-found' },
  'runs.remove': { input: run, code: 'project-not-found' },
  'runs.passport': { input: run, code: 'project-not-found' },
  'evaluation.summary': { input: { ...run, part }, code: 'project-not-found' },
  'evaluation.pictures': {
    input: { ...run, part, trueClass: null, predicted: null, ...page },
    code: 'project-not-found',
  },
  'evaluation.flips': { input: { ...project, a: 'a', b: 'b', part, ...page }, code: 'project-not-found' },
  'predictions.threshold': { input: run, code: 'project-not-found' },
  'predictions.setThreshold': { input: { ...run, value: 0.5 }, code: 'project-not-found' },
  'predictions.predict': { input: { ...run, source }, code: 'project-not-found' },
  'predictions.asked': { input: run, code: 'project-not-found' },
  'predictions.clearAsked': { input: run, code: 'project-not-found' },
  'predictions.predictFolder': { input: { ...run, source }, code: 'project-not-found' },
  'predictions.folders': { input: project, code: 'project-not-found' },
  'predictions.table': {
    input: { ...project, jobId: 'j', classIndex: null, unsure: null, ...page },
    code: ['project-not-found', 'not-found'],
  },
  'predictions.sortInto': {
    input: { ...project, jobId: 'j', target: source },
    code: ['project-not-found', 'not-found'],
  },
  'predictions.feedback': {
    input: { ...project, predictionId: 'p', label: { name: 'x' } },
    code: ['project-not-found', 'not-found'],
  },
  'exports.list': { input: run, code: 'project-not-found' },
  'exports.start': { input: { ...run, format: 'onnx' }, code: 'project-not-found' },
  'exports.texts': { input: { ...project, exportId: 'e' }, code: 'project-not-found' },
  'exports.saveTo': { input: { ...project, exportId: 'e', target: source }, code: 'project-not-found' },
  'comparison.get': { input: project, code: 'project-not-found' },
  'comparison.measure': { input: { ...project, backboneId: 'b' }, code: 'project-not-found' },
  'comparison.decide': { input: { ...project, backboneId: 'b', use: true }, code: 'project-not-found' },
  'backbones.list': {},
  'backbones.problems': {},
  'backbones.download': { input: { backboneId: 'no-such-backbone' }, code: 'backbone-unknown' },
  'backbones.add': { input: { source }, code: 'not-found' },
  'backbones.remove': { input: { backboneId: 'no-such-backbone' }, code: ['backbone-unknown', 'not-found'] },
}

let folder: string
let server: Awaited<ReturnType<typeof studioServer>>
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'kestrel-contract-'))
  server = await studioServer(folder, { heartbeatMs: 50 })
})
afterAll(async () => {
  await server.close()
  rmSync(folder, { recursive: true })
})

type AnyCall = (input: unknown, options?: { signal?: AbortSignal }) => Promise<unknown>
const callOf = (client: Client, name: string): AnyCall => {
  const [group = '', call = ''] = name.split('.')
  const groups = client as unknown as Record<string, Record<string, AnyCall>>
  return groups[group]![call]!
}

const failureOf = async (promise: Promise<unknown>): Promise<ORPCError<string, unknown>> => {
  try {
    await promise
  } catch (error) {
    if (error instanceof ORPCError) return error
    throw error
  }
  throw new Error('the call did not fail')
}

test('every call of the contract has its line here', () => {
  expect(Object.keys(calls).toSorted()).toEqual(names.toSorted())
})

describe.each([0, 1])('door %i', (index) => {
  const door = () => server.doors[index]!

  test.each(names)('%s answers, or fails with a code and words', async (name) => {
    const { input, code } = calls[name] ?? {}
    const call = callOf(door().client, name)
    if (code === undefined) {
      expect(await call(input)).toBeDefined()
      return
    }
    const error = await failureOf(call(input))
    expect(error.code).toBe('KESTREL')
    const wire = wireErrorSchema.parse(error.data)
    expect([code].flat()).toContain(wire.code)
    expect(wire.message.length).toBeGreaterThan(5)
  })

  test.each(names.filter((name) => calls[name]?.input !== undefined))(
    '%s refuses what is not in its form',
    async (name) => {
      const input = calls[name]?.input
      const aboutProject = typeof input === 'object' && input !== null && 'projectId' in input
      for (const wrong of [null, 7, 'text', [], ...(aboutProject ? [{ ...input, projectId: 5 }] : [])]) {
        const error = await failureOf(callOf(door().client, name)(wrong))
        expect(error.code).toBe('BAD_REQUEST')
        expect(JSON.stringify(error.data)).not.toContain(process.cwd())
      }
    },
  )

  test('events begin with the jobs, then beat; a newer subscription of the window ends the older', async () => {
    const { client } = door()
    const first = await client.system.events({ windowId: `window ${index}` })
    expect((await first.next()).value).toMatchObject({ type: 'hello' })
    const types: string[] = []
    // Jobs of other tests may still speak; the beat comes all the same.
    while (!types.includes('heartbeat')) {
      const next = await first.next()
      types.push(next.done === true ? 'ended' : next.value.type)
    }
    const second = await client.system.events({ windowId: `window ${index}` })
    expect((await second.next()).value).toMatchObject({ type: 'hello' })
    const rest: StudioEvent[] = []
    for await (const event of first) rest.push(event)
    expect(rest.length).toBeLessThan(1000)
    await second.return()
  })

  test('an abort in the page ends the subscription in the studio', async () => {
    const abort = new AbortController()
    const events = await door().client.system.events({ windowId: 'gone' }, { signal: abort.signal })
    await events.next()
    abort.abort()
    await expect(
      (async () => {
        for (;;) if ((await events.next()).done) return
      })(),
    ).rejects.toThrow()
  })
})

test('what happens reaches a window while it happens', async () => {
  const { client } = server.doors[0]!
  const events = await client.system.events({ windowId: 'watching' })
  await events.next()
  const { projectId, jobId } = await client.projects.sample()
  const seen = new Set<string>()
  for await (const event of events) {
    seen.add(event.type)
    if (event.type === 'job' && event.job.id === jobId && event.job.state === 'done') break
  }
  expect(seen).toContain('changed')
  const counts = await client.pictures.counts({ projectId })
  expect(counts.labels.map((label) => label.name)).toEqual(['feather', 'leaf', 'mushroom', 'shell'])
  expect(counts.total).toBe(224)
})
