/**
 * `npm run build [-- --force | --quiet | --shell-only]`: page, shell and processes into out/. Does nothing when nothing changed.
 * Everything is built beside out/ and moved into place at the end, so that a broken build never replaces a good one.
 */
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { rolldown } from 'rolldown'
import type { OutputChunk } from 'rolldown'
import { build as buildPage } from 'vite'
import type { Plugin } from 'vite'
import { bundles } from '../rolldown.config.ts'
import { strayImports, strayPageContent } from './lib/check-bundle.ts'
import type { BuiltChunks } from './lib/check-bundle.ts'
import { licences } from './lib/licences.ts'
import { holdLock } from './lib/lock.ts'
import { buildState, inputHash, root, stampFile } from './lib/stamp.mjs'

/** For work on the shell while the rest is in pieces; such a build never counts as up to date. */
const shellOnly = process.argv.includes('--shell-only')

const say = (line: string): void => {
  // stderr, because `kestrel --json` builds first when it must and owns stdout.
  if (!process.argv.includes('--quiet')) process.stderr.write(`${line}\n`)
}

async function bundleNodeSide(outDir: string, modules: Set<string>): Promise<BuiltChunks> {
  const built: BuiltChunks = { main: [], preload: [], node: [], renderer: [] }
  for (const options of bundles(outDir)) {
    const output = Array.isArray(options.output) ? options.output[0] : options.output
    const part = output?.dir?.slice(outDir.length + 1)
    if (part !== 'main' && part !== 'preload' && part !== 'node') throw new Error(`unknown bundle ${part}`)
    if (shellOnly && part === 'node') continue
    const bundle = await rolldown({ ...options, logLevel: 'warn' })
    const result = await bundle.write(output)
    await bundle.close()
    const chunks = result.output.filter((item): item is OutputChunk => item.type === 'chunk')
    for (const id of chunks.flatMap((chunk) => chunk.moduleIds)) modules.add(id)
    built[part] = chunks
  }
  return built
}

async function bundlePage(
  outDir: string,
  modules: Set<string>,
  chunks: BuiltChunks['renderer'],
): Promise<boolean> {
  if (shellOnly || !existsSync(join(root, 'renderer', 'index.html'))) return false
  const collect: Plugin = {
    name: 'kestrel-collect-modules',
    generateBundle(_options, bundle) {
      for (const item of Object.values(bundle))
        if (item.type === 'chunk') {
          chunks.push(item)
          for (const id of item.moduleIds) modules.add(id)
        }
    },
  }
  await buildPage({
    configFile: join(root, 'vite.config.ts'),
    root: join(root, 'renderer'),
    logLevel: 'warn',
    plugins: [collect],
    build: { outDir: join(outDir, 'renderer') },
  })
  return true
}

async function build(): Promise<void> {
  const started = performance.now()
  const hash = inputHash()
  const work = join(root, 'out', 'building')
  rmSync(work, { recursive: true, force: true })
  mkdirSync(work, { recursive: true })

  const modules = new Set<string>()
  const built = await bundleNodeSide(work, modules)
  const hasPage = await bundlePage(work, modules, built.renderer)

  const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
    dependencies: Record<string, string>
    optionalDependencies?: Record<string, string>
  }
  const shipped = new Set(Object.keys({ ...manifest.dependencies, ...manifest.optionalDependencies }))
  const offences = [
    ...strayImports(built, shipped),
    ...(hasPage ? strayPageContent(join(work, 'renderer')) : []),
  ]
  if (offences.length > 0)
    throw new Error(`The build has imports that must not be there:\n${offences.join('\n')}`)

  if (hasPage) writeFileSync(join(work, 'renderer', 'licences.txt'), licences(root, modules))
  rmSync(stampFile, { force: true })
  for (const part of shellOnly ? ['main', 'preload'] : ['main', 'preload', 'node', 'renderer']) {
    rmSync(join(root, 'out', part), { recursive: true, force: true })
    if (existsSync(join(work, part))) renameSync(join(work, part), join(root, 'out', part))
  }
  rmSync(work, { recursive: true, force: true })
  writeFileSync(stampFile, JSON.stringify({ inputs: shellOnly ? 'incomplete' : hash, page: hasPage }))
  const seconds = ((performance.now() - started) / 1000).toFixed(1)
  say(`Built ${hasPage ? 'page, shell and processes' : 'shell and processes (no page yet)'} in ${seconds} s.`)
}

mkdirSync(join(root, 'out'), { recursive: true })
const release = await holdLock(join(root, 'out', 'build.lock'))
try {
  if (!process.argv.includes('--force') && buildState() === 'fresh') say('The build is up to date.')
  else await build()
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\nThe build failed.\n`)
  process.exitCode = 1
} finally {
  release()
}
