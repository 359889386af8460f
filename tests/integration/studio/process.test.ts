import { fork } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createORPCClient } from '@orpc/client'
import { RPCLink } from '@orpc/client/fetch'
import { describe, expect, onTestFinished, test } from 'vitest'
import { pipeSecretHeader } from '#shared/contract/broker.ts'
import { temporaryFolder } from '../../helpers/folders.ts'
import { fetchOver, send } from '../../helpers/http-client.ts'
import type { Client } from '../../helpers/studio-server.ts'

const secret = 'the secret of this window'

/** The studio as the desktop shell starts it: its own process, one pipe, messages over the process channel. */
async function start(folder: string): Promise<{ child: ChildProcess; socketPath: string; client: Client }> {
  const socketPath = join(folder, 'studio.sock')
  const child = fork('electron/studio/main.ts', [], {
    env: {
      ...process.env,
      KESTREL_PIPE: socketPath,
      KESTREL_PIPE_SECRET: secret,
      KESTREL_HOME: join(folder, 'home'),
      KESTREL_LOG_DIR: join(folder, 'logs'),
    },
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  })
  onTestFinished(() => {
    child.kill('SIGKILL')
  })
  const [message] = (await once(child, 'message')) as unknown[]
  expect(message).toEqual({ type: 'ready' })
  const fetch = fetchOver({ socketPath }, { [pipeSecretHeader]: secret })
  const client: Client = createORPCClient(new RPCLink({ url: 'http://studio/rpc', fetch }))
  return { child, socketPath, client }
}

const sampleImport = async (client: Client): Promise<{ projectId: string; location: string }> => {
  const project = await client.projects.sample()
  const events = await client.system.events({ windowId: 'test' })
  for await (const event of events)
    if (event.type === 'job' && Number(event.job.facts['imported'] ?? 0) > 0) break
  return project
}

describe('the studio process', () => {
  test('answers on its pipe, to its window only, and ends when asked, in the middle of an import', async () => {
    const folder = temporaryFolder()
    const { child, socketPath, client } = await start(folder)
    expect((await send({ socketPath }, { path: '/' })).status).toBe(401)
    expect((await client.system.info()).homeFolder).toBe(join(folder, 'home'))
    const { location } = await sampleImport(client)
    expect(existsSync(join(location, 'project.lock'))).toBe(true)

    child.send({ type: 'shutdown' })
    const [code] = (await once(child, 'exit')) as unknown[]
    expect(code).toBe(0)
    expect(existsSync(join(location, 'project.lock'))).toBe(false)
    expect(existsSync(join(location, 'project.db-wal'))).toBe(false)
    const log = readFileSync(join(folder, 'logs', 'studio.log'), 'utf8')
    expect(log).toContain('studio ends: asked by the window')
    // The log may leave the house with diagnostics: nothing of the person's is in it.
    expect(log).not.toMatch(/Forest|feather|mushroom|\.jpg/)
    expect(log).not.toContain(secret)
  })

  test('ends by itself when its window is gone', async () => {
    const { child } = await start(temporaryFolder())
    child.disconnect()
    expect(((await once(child, 'exit')) as unknown[])[0]).toBe(0)
  })

  test('killed and started again: the project opens by its id and the import goes on', async () => {
    const folder = temporaryFolder()
    const first = await start(folder)
    const { projectId } = await sampleImport(first.client)
    first.child.kill('SIGKILL')
    await once(first.child, 'exit')

    const { child, client } = await start(folder)
    await client.projects.open({ projectId })
    const events = await client.system.events({ windowId: 'test' })
    for await (const event of events) {
      const jobs = event.type === 'hello' ? event.jobs : event.type === 'job' ? [event.job] : []
      if (jobs.some((job) => job.kind === 'import' && job.state === 'done')) break
    }
    expect((await client.pictures.counts({ projectId })).total).toBe(224)
    child.send({ type: 'shutdown' })
    await once(child, 'exit')
  })
})
