import { spawn } from 'node:child_process'
import { cpSync, mkdirSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'

export const root = join(import.meta.dirname, '../..')
const entry = join(root, 'electron', 'cli', 'main.ts')
export const sampleFolder = join(root, 'resources', 'samples', 'forest-finds')

export interface CliOutcome {
  code: number | null
  stdout: string
  stderr: string
}

export interface CliOptions {
  env?: Record<string, string>
  /** Called with everything said so far, whenever more arrives. */
  onOutput?: (said: { stdout: string; stderr: string }, kill: (signal: NodeJS.Signals) => void) => void
}

/** Runs the real `kestrel` from its sources as a process of its own. */
export function kestrel(
  args: readonly string[],
  { env = {}, onOutput }: CliOptions = {},
): Promise<CliOutcome> {
  return new Promise((resolve, reject) => {
    // In a process group of its own, so that a signal to it can be sent as a terminal sends it: to all of them.
    const child = spawn(process.execPath, [entry, ...args], {
      cwd: root,
      env: { ...process.env, KESTREL_BACKBONES: '', ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    })
    const said = { stdout: '', stderr: '' }
    const kill = (signal: NodeJS.Signals): boolean =>
      child.pid !== undefined && process.kill(-child.pid, signal)
    for (const name of ['stdout', 'stderr'] as const)
      child[name].setEncoding('utf8').on('data', (text: string) => {
        said[name] += text
        onOutput?.(said, kill)
      })
    child.once('error', reject)
    child.once('close', (code) => resolve({ code, ...said }))
  })
}

/** Runs it until `due`, asked ever again, and then sends a signal to all of its processes. */
export async function signalled(
  args: readonly string[],
  signal: NodeJS.Signals,
  due: (said: string) => boolean,
  env: Record<string, string>,
): Promise<CliOutcome> {
  let watch: NodeJS.Timeout | undefined
  let heard = ''
  onTestFinished(() => clearInterval(watch))
  const outcome = await kestrel(args, {
    env,
    onOutput({ stderr }, kill) {
      heard = stderr
      watch ??= setInterval(() => {
        if (!due(heard)) return
        clearInterval(watch)
        kill(signal)
      }, 5)
    },
  })
  clearInterval(watch)
  return outcome
}

/** Copies the first `count` sample pictures of each label below `target/label`. */
export function copySample(target: string, labels: readonly string[], count: number): void {
  for (const label of labels) {
    mkdirSync(join(target, label), { recursive: true })
    for (const name of readdirSync(join(sampleFolder, label)).sort().slice(0, count))
      cpSync(join(sampleFolder, label, name), join(target, label, name))
  }
}
