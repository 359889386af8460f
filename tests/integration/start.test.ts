import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { copySample } from '../helpers/cli.ts'
import { withContents } from '../helpers/folders.ts'

const root = join(import.meta.dirname, '..', '..')

let home: string
let child: ChildProcess | undefined
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'kestrel-start-'))
})
afterEach(async () => {
  if (child?.exitCode === null && child.signalCode === null) {
    child.kill('SIGKILL')
    await once(child, 'exit')
  }
  rmSync(home, withContents)
})

function run(
  file: string,
  args: string[],
  env: NodeJS.ProcessEnv = {},
): { out: () => string; err: () => string } {
  const { DISPLAY: _display, WAYLAND_DISPLAY: _wayland, ...rest } = process.env
  child = spawn(process.execPath, [join(root, file), ...args], {
    cwd: home,
    env: { ...rest, KESTREL_HOME: home, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let out = ''
  let err = ''
  child.once('exit', (code) => (err += `\n(ended with ${code})`))
  child.stdout?.on('data', (data: Buffer) => (out += data.toString()))
  child.stderr?.on('data', (data: Buffer) => (err += data.toString()))
  return { out: () => out, err: () => err }
}

const patience = { timeout: 120_000, interval: 200 }

/** Generous: the first of these may build. */
describe('npm start', { timeout: 180_000 }, () => {
  it.skipIf(process.platform !== 'linux')(
    'says why there is no window, and opens the same studio in the browser',
    async () => {
      const { out, err } = run('scripts/start.ts', [])
      await expect
        .poll(() => out() + err(), patience)
        .toMatch(/http:\/\/127\.0\.0\.1:\d+\/\?token=\S+|ended with/)
      expect(err()).toContain('This machine has no display. Kestrel opens in the browser instead.')
      const [address] = /http:\S+/.exec(out()) ?? []
      expect((await fetch(address!)).status).toBe(200)
      child!.kill('SIGTERM')
      await once(child!, 'exit')
      await expect(fetch(address!)).rejects.toThrow()
    },
  )

  it('goes to the browser at once when that is asked for', async () => {
    const { out, err } = run('scripts/start.ts', ['--browser'])
    await expect.poll(() => out() + err(), patience).toMatch(/http:\/\/127\.0\.0\.1:\d+\/|ended with/)
    expect(out()).toContain('http://127.0.0.1')
    expect(err()).not.toContain('instead')
    // To this process alone, as by `kill`: a terminal would send it to the studio as well.
    child!.kill('SIGINT')
    expect((await once(child!, 'exit'))[0]).toBe(130)
    await expect(fetch(/http:\S+/.exec(out())![0])).rejects.toThrow()
  })
})

describe('the kestrel command', { timeout: 180_000 }, () => {
  it('hands signals and exit codes through, and keeps stdout for the answer', async () => {
    const { out } = run('resources/bin/kestrel.mjs', ['no-such-command'])
    expect((await once(child!, 'exit'))[0]).toBe(2)
    expect(out()).toBe('')

    const serving = run('resources/bin/kestrel.mjs', ['serve'])
    await expect.poll(serving.out, patience).toMatch(/^http:/)
    child!.kill('SIGTERM')
    const [code] = (await once(child!, 'exit')) as [number]
    expect(code).toBeGreaterThan(0)
  })

  it('ends in its own way when only it hears the interruption, and keeps what is finished', async () => {
    copySample(join(home, 'pictures'), ['leaf', 'shell'], 8)
    const args = ['run', join(home, 'pictures'), '--out', join(home, 'project'), '--recipe', 'scratch']
    const { err } = run('resources/bin/kestrel.mjs', [...args, '--epochs', '5000', '--network', 'lenet-5'])
    await expect.poll(err, patience).toMatch(/Training …|ended with/)
    child!.kill('SIGINT')
    expect((await once(child!, 'exit'))[0]).toBe(130)
    expect(err()).toContain('Stopping; what is finished is kept.')
    expect(err()).toContain(`"kestrel resume ${join(home, 'project')}" goes on`)
  })
})

describe('a press of Ctrl+C', { timeout: 60_000 }, () => {
  const longerThanOnePress = () => wait(400)

  it('that is also handed over, however late, is no second one; another press ends at once', async () => {
    const { out } = run('tests/fixtures/processes/listen-for-interrupt.ts', [])
    await expect.poll(out, patience).toContain('ready')
    child!.kill('SIGINT')
    await expect.poll(out, patience).toContain('Stopping')
    await longerThanOnePress()
    child!.kill('SIGTERM')
    await longerThanOnePress()
    expect(child!.exitCode).toBe(null)
    child!.kill('SIGINT')
    expect((await once(child!, 'exit'))[0]).toBe(130)
    expect(out().match(/Stopping/g)).toHaveLength(1)
  })
})
