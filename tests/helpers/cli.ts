import { spawn } from 'node:child_process'
import { cpSync, mkdirSync, readdirSync } from 'node:fs'
import { join } from 'node:path'

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
  /** Called with everything on stderr so far, whenever more arrives. */
  onStderr?: (text: string, kill: (signal: NodeJS.Signals) => void) => void
}

/** Runs the real `kestrel` from its sources as a process of its own. */
export function kestrel(
  args: readonly string[],
  { env = {}, onStderr }: CliOptions = {},
): Promise<CliOutcome> {
  return new Promise((resolve, reject) => {
    // In a process group of its own, so that a signal to it can be sent as a terminal sends it: to all of them.
    const child = spawn(process.execPath, [entry, ...args], {
      cwd: root,
      env: { ...process.env, KESTREL_BACKBONES: '', ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    })
    let [stdout, stderr] = ['', '']
    child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text))
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text
      onStderr?.(stderr, (signal) => child.pid !== undefined && process.kill(-child.pid, signal))
    })
    child.once('error', reject)
    child.once('close', (code) => resolve({ code, stdout, stderr }))
  })
}

/** Copies the first `count` sample pictures of each label below `target/label`. */
export function copySample(target: string, labels: readonly string[], count: number): void {
  for (const label of labels) {
    mkdirSync(join(target, label), { recursive: true })
    for (const name of readdirSync(join(sampleFolder, label)).sort().slice(0, count))
      cpSync(join(sampleFolder, label, name), join(target, label, name))
  }
}
