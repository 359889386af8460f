import { spawn, spawnSync } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { createInterface } from 'node:readline'

const root = resolve(import.meta.dirname, '../../..')
const requirements = join(import.meta.dirname, 'requirements.txt')
const environment = join(root, '.bench-python')
const inside = join(environment, process.platform === 'win32' ? 'Scripts/python.exe' : 'bin/python')

const works = (python: string, packages: readonly string[]): boolean =>
  spawnSync(python, ['-c', `import ${packages.join(', ')}`], { stdio: 'ignore' }).status === 0

/**
 * A Python that has the packages the peers need: `KESTREL_BENCH_PYTHON`, or the virtual environment `.bench-python`, which
 * is made here (about a gigabyte from PyPI). Null where neither can be had; the bench then prints its own figures alone.
 */
export function peerPython(packages: readonly string[], say: (line: string) => void): string | null {
  const named = process.env['KESTREL_BENCH_PYTHON'] ?? ''
  if (named !== '') {
    if (works(named, packages)) return named
    say(`${named} lacks ${packages.join(', ')}: no comparison`)
    return null
  }
  if (existsSync(inside) && works(inside, packages)) return inside
  say(`making ${environment} with the peers from PyPI`)
  const made =
    spawnSync('python3', ['-m', 'venv', environment], { stdio: ['ignore', 2, 2] }).status === 0 &&
    spawnSync(inside, ['-m', 'pip', 'install', '--quiet', '-r', requirements], { stdio: ['ignore', 2, 2] })
      .status === 0
  if (made && works(inside, packages)) return inside
  say(`${packages.join(', ')} could not be had (name a Python with KESTREL_BENCH_PYTHON): no comparison`)
  return null
}

/** A Python script that answers each line it is sent with a line of JSON. */
export class Peer {
  private readonly child: ChildProcess
  private readonly lines: AsyncIterator<string>

  private constructor(python: string, script: string, options: readonly string[]) {
    const path = join(import.meta.dirname, script)
    this.child = spawn(python, [path, ...options], {
      stdio: ['pipe', 'pipe', 2],
      env: { ...process.env, TF_CPP_MIN_LOG_LEVEL: '3', PYTHONDONTWRITEBYTECODE: '1' },
    })
    this.lines = createInterface({ input: this.child.stdout! })[Symbol.asyncIterator]()
  }

  /** For a script that says nothing before it is asked. */
  static open(python: string, script: string, options: readonly string[] = []): Peer {
    return new Peer(python, script, options)
  }

  /** For a script that says when it is ready. */
  static async start(python: string, script: string, options: readonly string[]): Promise<Peer> {
    const peer = new Peer(python, script, options)
    await peer.answer()
    return peer
  }

  get pid(): number {
    return this.child.pid!
  }

  ask(line: string): Promise<unknown> {
    this.child.stdin!.write(`${line}\n`)
    return this.answer()
  }

  close(): void {
    this.child.stdin!.end()
  }

  private async answer(): Promise<unknown> {
    for (;;) {
      const { value, done } = await this.lines.next()
      if (done === true) throw new Error(`the peer ended (code ${this.child.exitCode})`)
      // Libraries greet on standard output too.
      if (/^[[{"]/.test(value)) return JSON.parse(value)
    }
  }
}
