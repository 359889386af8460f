import { fork } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { toParentSchema } from '#shared/contract/broker.ts'
import type { FromParent, ToParent } from '#shared/contract/broker.ts'

const script = join(import.meta.dirname, '..', 'fixtures', 'parent-link', 'child.ts')
let child: ChildProcess | undefined
afterEach(() => child?.kill('SIGKILL'))

function start(env: Record<string, string>): {
  messages: ToParent[]
  output: () => string
  process: ChildProcess
} {
  const messages: ToParent[] = []
  let output = ''
  child = fork(script, [], {
    env: { ...process.env, ...env },
    execArgv: [],
    stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
  })
  child.on('message', (message) => messages.push(toParentSchema.parse(message)))
  child.stdout?.on('data', (data: Buffer) => (output += data.toString()))
  return { messages, output: () => output, process: child }
}

describe('the link between a studio and what started it', () => {
  it('asks the parent for trainers and follows them to their end', async () => {
    const studio = start({ KESTREL_PIPE: '/pipe' })
    const answer = (message: FromParent) => studio.process.send(message)
    await expect.poll(() => studio.messages.length).toBe(2)
    expect(studio.messages[0]).toEqual({ type: 'ready' })
    const asked = studio.messages[1]
    if (asked?.type !== 'fork-trainer') throw new Error('no trainer was asked for')
    expect(asked.env).toEqual({ KESTREL_TRAINER_SOCKET: '/socket' })

    // News of another trainer is none of its business.
    answer({ type: 'trainer-started', token: 'someone-else', pid: 7 })
    answer({ type: 'trainer-started', token: asked.token, pid: 4321 })
    await expect
      .poll(() => studio.messages.slice(2))
      .toEqual([
        { type: 'kill-trainer', token: asked.token, force: false },
        { type: 'kill-trainer', token: asked.token, force: true },
      ])
    answer({ type: 'trainer-exit', token: asked.token, code: null, signal: 'SIGKILL' })
    await expect.poll(studio.output).toContain('"pid":4321')
    expect(JSON.parse(studio.output())).toEqual({ pid: 4321, exit: { code: null, signal: 'SIGKILL' } })

    answer({ type: 'shutdown' })
    expect(await once(studio.process, 'exit')).toEqual([0, null])
  })

  it('notices that the parent is gone', async () => {
    const studio = start({ KESTREL_PIPE: '/pipe' })
    await expect.poll(() => studio.messages.length).toBe(2)
    studio.process.disconnect()
    expect(await once(studio.process, 'exit')).toEqual([4, null])
  })

  it('does not take a test runner or a shell for its parent', async () => {
    const alone = start({})
    expect(await once(alone.process, 'exit')).toEqual([3, null])
  })
})
