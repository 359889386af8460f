import { spawn, spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { cp, mkdir, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { runResultSchema } from '../../electron/cli/result.ts'
import type { RunResult } from '../../electron/cli/result.ts'
import { buildState, root } from '../../scripts/lib/stamp.mjs'

/** The labelled sets of the shared pictures, about 4,700 in all. */
export const labelledSets = [
  'flowers5',
  'trashnet6',
  'sign-digits10',
  'magnetic-tile6',
  'caltech-boats',
] as const

/** Copies the label folders of `sets` below `target/set/label`. @returns how many pictures */
export async function copyTree(dataFolder: string, sets: readonly string[], target: string): Promise<number> {
  let pictures = 0
  for (const set of sets)
    for (const entry of await readdir(join(dataFolder, set), { withFileTypes: true })) {
      if (!entry.isDirectory()) continue
      const folder = join(target, set, entry.name)
      await mkdir(join(target, set), { recursive: true })
      await cp(join(dataFolder, set, entry.name), folder, { recursive: true })
      pictures += (await readdir(folder)).length
    }
  return pictures
}

let command: string | null = null

/** The built command; built first when it is not up to date, once per bench: building would disturb the measurement. */
export function builtCommand(): string {
  command ??= build()
  return command
}

function build(): string {
  if (buildState() !== 'fresh') {
    const { status } = spawnSync(process.execPath, [join(root, 'scripts', 'build.ts')], {
      stdio: ['ignore', 2, 2],
    })
    if (status !== 0) throw new Error('the build failed')
  }
  const built = join(root, 'out', 'node', 'cli.mjs')
  if (!existsSync(built)) throw new Error(`${built} is missing`)
  return built
}

export interface Ran {
  result: RunResult
  /** Wall clock of the whole process, seconds. */
  seconds: number
}

/** Runs `kestrel run … --json` as a process of its own. */
export async function kestrelRun(args: readonly string[], env: Record<string, string>): Promise<Ran> {
  const entry = builtCommand()
  const began = performance.now()
  const child = spawn(process.execPath, [entry, 'run', ...args, '--json'], {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let text = ''
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => (text += chunk))
  const code = await new Promise<number | null>((done, failed) => {
    child.once('error', failed)
    child.once('close', done)
  })
  const seconds = (performance.now() - began) / 1000
  if (code !== 0) throw new Error(`kestrel run ended with code ${code}`)
  return { result: runResultSchema.parse(JSON.parse(text)), seconds }
}
