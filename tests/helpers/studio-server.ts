import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createORPCClient } from '@orpc/client'
import { RPCLink } from '@orpc/client/fetch'
import type { ContractRouterClient } from '@orpc/contract'
import { pipeSecretHeader } from '#shared/contract/broker.ts'
import type { Contract } from '#shared/contract/index.ts'
import { composeStudio } from '#studio/compose.ts'
import { createTrainerLauncher } from '#studio/parent-link.ts'
import { openLoopbackDoor, openPipeDoor } from '#studio/server/doors.ts'
import { fetchOver } from './http-client.ts'
import type { Target } from './http-client.ts'
import { strictLog } from './studio-base.ts'

export type Client = ContractRouterClient<Contract>
export interface TestDoor {
  name: 'pipe' | 'loopback'
  target: Target
  /** What a rightful caller sends along. */
  headers: Record<string, string>
  client: Client
}

const clientOver = (target: Target, headers: Record<string, string>): Client =>
  createORPCClient(new RPCLink({ url: 'http://studio/rpc', fetch: fetchOver(target, headers) }))

/** The whole studio behind both doors, with a small page. */
export async function studioServer(folder: string, options: { heartbeatMs?: number } = {}) {
  const pageFolder = join(folder, 'page')
  mkdirSync(join(pageFolder, 'assets'), { recursive: true })
  writeFileSync(join(pageFolder, 'index.html'), '<!doctype html><title>Kestrel</title>')
  writeFileSync(join(pageFolder, 'assets', 'app-1234.js'), 'export {}')
  writeFileSync(join(folder, 'secret.txt'), 'outside the page')
  const log = strictLog()
  const studio = await composeStudio({
    version: '0.0.0-test',
    mode: 'browser',
    home: join(folder, 'home'),
    log,
    launcher: createTrainerLauncher(null),
    pageFolder,
    ...options,
  })
  const socketPath = join(folder, 'studio.sock')
  const secret = 'a secret of this test'
  const pipe = await openPipeDoor({ fetch: studio.fetch, log }, { path: socketPath, secret })
  const loopback = await openLoopbackDoor({ fetch: studio.fetch, log }, { port: 0 })
  const { port, address } = loopback
  const pipeHeaders = { [pipeSecretHeader]: secret }

  const entered = await fetch(address)
  const cookie = entered.headers.getSetCookie()[0]?.split(';')[0] ?? ''
  const loopbackHeaders = { host: `127.0.0.1:${port}`, origin: `http://127.0.0.1:${port}`, cookie }
  const doors: TestDoor[] = [
    {
      name: 'pipe',
      target: { socketPath },
      headers: pipeHeaders,
      client: clientOver({ socketPath }, pipeHeaders),
    },
    {
      name: 'loopback',
      target: { port },
      headers: loopbackHeaders,
      client: clientOver({ port }, loopbackHeaders),
    },
  ]
  return {
    studio,
    doors,
    port,
    address,
    log,
    async close() {
      await studio.close()
      await pipe.close()
      await loopback.close()
    },
  }
}
