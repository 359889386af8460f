/**
 * `npm run bench [-- NAME …]`: measures tests/bench/*.bench.ts (those whose name contains a NAME) and writes
 * docs/benchmarks.md. Each file runs in a process of its own, one after the other. Exit code 1 when a target is missed.
 */
import { fork } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { cpus, loadavg, tmpdir, totalmem } from 'node:os'
import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { format, resolveConfig } from 'prettier'
import type { Bench, BenchContext, BenchResult } from '../tests/bench/types.ts'
import { benchmarkPage, reached } from './bench/report.ts'
import type { BenchRecord } from './bench/report.ts'

const root = join(import.meta.dirname, '..')
const folder = join(root, 'tests', 'bench')
const store = join(root, 'docs', 'benchmarks.json')

const say = (line: string): void => {
  process.stderr.write(`${line}\n`)
}

/** In the child: measures one file and sends the figures to the parent. */
async function measureHere(file: string): Promise<void> {
  const { run } = (await import(pathToFileURL(join(folder, file)).href)) as { run: Bench }
  const made: string[] = []
  const sharedRoot = resolve(process.env['KESTREL_SHARED'] ?? join(root, '../shared'))
  const context: BenchContext = {
    shared: (relative) => {
      const path = join(sharedRoot, relative)
      if (existsSync(path)) return path
      say(`  needs ${path} (set KESTREL_SHARED)`)
      return null
    },
    temporary: async () => {
      const path = mkdtempSync(join(tmpdir(), 'kestrel-bench-'))
      made.push(path)
      return path
    },
    say: (line) => say(`  ${line}`),
  }
  try {
    const results = await run(context)
    await new Promise((done) => process.send?.(results, done))
  } finally {
    for (const path of made) rmSync(path, { recursive: true, force: true })
  }
}

function measure(file: string): Promise<BenchResult[]> {
  return new Promise((done, failed) => {
    const child = fork(import.meta.filename, ['--file', file], { cwd: root, stdio: ['ignore', 2, 2, 'ipc'] })
    let results: BenchResult[] = []
    child.once('message', (message) => {
      results = message as BenchResult[]
    })
    child.once('error', failed)
    child.once('exit', (code) =>
      code === 0 ? done(results) : failed(new Error(`${file} ended with code ${code}`)),
    )
  })
}

const readRecords = (): BenchRecord[] =>
  existsSync(store) ? (JSON.parse(readFileSync(store, 'utf8')) as BenchRecord[]) : []

async function main(): Promise<void> {
  const wanted = process.argv.slice(2)
  const all = readdirSync(folder).filter((name) => name.endsWith('.bench.ts'))
  // A whole name means that file alone: "accuracy" is part of another one's.
  const matches = (name: string, part: string): boolean =>
    all.includes(`${part}.bench.ts`) ? name === `${part}.bench.ts` : name.includes(part)
  const files = all.filter((name) => wanted.length === 0 || wanted.some((part) => matches(name, part))).sort()
  if (files.length === 0) throw new Error(`no bench matches ${wanted.join(' ')}`)

  const [cpu] = cpus()
  const machine = `${cpus().length} × ${cpu?.model.trim() ?? 'unknown processor'}, ${Math.round(totalmem() / 2 ** 30)} GiB, ${process.platform}, Node ${process.versions.node}`
  let missed = 0
  let broken = 0
  for (const file of files) {
    say(`${file}`)
    const load = loadavg()[0]! / cpus().length
    try {
      const results = await measure(file)
      if (results.length === 0) continue
      // Read anew: another run of this script may have written in the meantime.
      const records = new Map(readRecords().map((record) => [record.file, record]))
      records.set(file, { file, at: new Date().toISOString(), machine, load, results })
      for (const result of results) {
        const ok = reached(result)
        if (!ok) missed++
        say(`  ${ok ? ' ' : '!'} ${result.name}: ${result.value.toPrecision(4)} ${result.unit}`)
      }
      mkdirSync(join(root, 'docs'), { recursive: true })
      const kept = [...records.values()]
        .filter((record) => existsSync(join(folder, record.file)))
        .sort((a, b) => (a.file < b.file ? -1 : 1))
      writeFileSync(store, await format(JSON.stringify(kept), { filepath: store }))
      const page = join(root, 'docs', 'benchmarks.md')
      const options = await resolveConfig(page)
      writeFileSync(page, await format(benchmarkPage(kept), { ...options, filepath: page }))
    } catch (error) {
      broken++
      say(`  ! ${error instanceof Error ? error.message : String(error)}`)
    }
  }
  say(missed + broken === 0 ? 'All targets reached.' : `${missed} targets missed, ${broken} benches broken.`)
  process.exitCode = missed + broken === 0 ? 0 : 1
}

const at = process.argv.indexOf('--file')
const own = at < 0 ? undefined : process.argv[at + 1]
await (own === undefined ? main() : measureHere(own))
