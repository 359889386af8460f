import { getCurrentFuseWire, FuseState, FuseV1Options } from '@electron/fuses'
import { spawnSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { basename, dirname, join, relative } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { findTestElectron } from '../../scripts/lib/electron-binary.ts'
import { withContents } from '../helpers/folders.ts'

const root = join(import.meta.dirname, '..', '..')
const electron = process.platform === 'linux' ? findTestElectron() : null
const isBuilt = existsSync(join(root, 'out', 'stamp.json'))

/** What the archive's index lists, as paths without a leading slash. */
function archiveList(archive: string): string[] {
  // @electron/asar comes with electron-builder.
  const load = createRequire(createRequire(import.meta.url).resolve('app-builder-lib/package.json'))
  const asar = load('@electron/asar') as { listPackage(file: string, options: { isPack: boolean }): string[] }
  return asar
    .listPackage(archive, { isPack: false })
    .map((path) => path.replace(/^[\\/]/, '').replaceAll('\\', '/'))
}

const filesBelow = (folder: string): string[] =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)))

const packable = electron !== null && isBuilt
if (!packable)
  console.error(
    '\n!!! NOT TESTED: the packaged layout needs Linux, a build and an Electron (KESTREL_TEST_ELECTRON)\n',
  )

describe.skipIf(!packable)('the packaged app', () => {
  const work = mkdtempSync(join(tmpdir(), 'kestrel-dist-'))
  const unpacked = join(work, 'dist', 'linux-unpacked')
  const resources = join(unpacked, 'resources')
  const beside = join(resources, 'app.asar.unpacked')

  beforeAll(() => {
    // A copy, without the loader that the end-to-end tests put into the test runtime.
    const source = dirname(electron!.path)
    const loader = join(source, 'resources', 'app')
    cpSync(source, join(work, 'electron'), {
      recursive: true,
      filter: (path) => path !== loader,
      dereference: true,
    })
    const packing = spawnSync(
      process.execPath,
      [join(root, 'scripts', 'dist.ts'), '--dir', '--linux', `-c.directories.output=${join(work, 'dist')}`],
      { cwd: root, encoding: 'utf8', env: { ...process.env, KESTREL_ELECTRON: join(work, 'electron') } },
    )
    if (packing.status !== 0) throw new Error(`packing failed:\n${packing.stdout}\n${packing.stderr}`)
  }, 300_000)
  afterAll(() => rmSync(work, withContents))

  it('has the shell in the archive and nothing of development anywhere', () => {
    const listed = archiveList(join(resources, 'app.asar'))
    expect(listed).toEqual(
      expect.arrayContaining(['package.json', 'out/main/index.cjs', 'out/preload/index.cjs']),
    )
    const top = new Set(listed.map((path) => path.split('/')[0]))
    expect([...top].sort()).toEqual(['node_modules', 'out', 'package.json', 'resources'])
    const strange = listed.filter(
      (path) =>
        /\.(map|tsx?|mts|cts|vue|tsbuildinfo)$/.test(path) ||
        /^(tests|scripts|docs|shared|renderer)\//.test(path),
    )
    expect(strange).toEqual([])
    const forDevelopment = [
      'electron',
      'vite',
      'vitest',
      'rolldown',
      'typescript',
      'playwright-core',
      'vue',
      'eslint',
    ]
    expect(forDevelopment.filter((name) => listed.includes(`node_modules/${name}`))).toEqual([])
  })

  it('has processes, page, resources and native modules outside the archive', () => {
    for (const file of [
      'out/node/studio.mjs',
      'out/node/trainer.mjs',
      'out/node/cli.mjs',
      'out/renderer/index.html',
    ])
      expect(existsSync(join(beside, file)), file).toBe(true)
    // All that the app reads at run time: sample, catalogue, and the snippets that exports carry.
    const needed = filesBelow(join(root, 'resources')).filter((path) =>
      /^(backbones|export|samples)\b/.test(path),
    )
    const there = new Set(filesBelow(join(beside, 'resources')))
    expect(needed.filter((path) => !there.has(path) && basename(path) !== 'README.md')).toEqual([])
    const natives = filesBelow(join(beside, 'node_modules'))
      .filter((path) => path.endsWith('.node'))
      .map((path) => basename(path))
    expect(natives.some((name) => name.startsWith('sharp-linux'))).toBe(true)
    expect(natives).toContain('onnxruntime_binding.node')
    expect(natives).toContain(`linux-${process.arch}.node`)
    // Other platforms' binaries are left out.
    expect(natives.filter((name) => /darwin|win32|dll/.test(name))).toEqual([])
  })

  it('has every package that the processes import', () => {
    const { dependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
      dependencies: Record<string, string>
    }
    // These two are bundled into the shell.
    const bundled = new Set(['electron-log', 'electron-updater'])
    const missing = Object.keys(dependencies).filter(
      (name) => !bundled.has(name) && !existsSync(join(beside, 'node_modules', name, 'package.json')),
    )
    expect(missing).toEqual([])
  })

  it('carries a copy that runs: the command line finds its engines and its files', () => {
    const doctor = spawnSync(process.execPath, [join(beside, 'out/node/cli.mjs'), 'doctor', '--json'], {
      encoding: 'utf8',
      cwd: work,
      env: { ...process.env, KESTREL_HOME: join(work, 'home'), NODE_PATH: '' },
    })
    expect(doctor.stderr).not.toContain('Cannot find')
    expect(doctor.status).toBe(0)
    const { engines } = JSON.parse(doctor.stdout) as { engines: { id: string; available: boolean }[] }
    expect(engines).toContainEqual(expect.objectContaining({ id: 'onnx', available: true }))
  })

  it('loads its native modules from beside the archive, and from nowhere else', () => {
    const script = `
      const native = ['sharp', 'better-sqlite3', 'onnxruntime-node']
      for (const name of native) await import(name)
      const loaded = process.report.getReport().sharedObjects
      console.log(JSON.stringify(loaded.filter((path) => path.includes('node_modules'))))`
    const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '--eval', script], {
      encoding: 'utf8',
      cwd: beside,
    })
    const loaded = JSON.parse(stdout || `["${stderr}"]`) as string[]
    expect(loaded.length).toBeGreaterThanOrEqual(2)
    expect(loaded.filter((path) => !path.startsWith(beside))).toEqual([])
  })

  it('has the decoder of small pictures, without which it would only be slower', () => {
    const script = `
      const { createRequire } = await import('node:module')
      const load = createRequire(import.meta.url)('@cornerstonejs/codec-libjpeg-turbo-8bit/decodewasmjs')
      console.log(typeof new (await load()).JPEGDecoder().decode)`
    const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '--eval', script], {
      encoding: 'utf8',
      cwd: join(beside, 'out'),
    })
    expect([stdout.trim(), stderr]).toEqual(['function', ''])
  })

  it('trains and exports on its own: nothing it needs is left in the project', () => {
    const folder = join(work, 'pictures')
    for (const label of ['leaf', 'shell'])
      for (const name of readdirSync(join(root, 'resources/samples/forest-finds', label))
        .sort()
        .slice(0, 10))
        cpSync(join(root, 'resources/samples/forest-finds', label, name), join(folder, label, name))
    mkdirSync(join(work, 'no-backbones'))
    const args = ['run', folder, '--out', join(work, 'Small.kestrel'), '--export', 'onnx,tfjs', '--json']
    const training = spawnSync(process.execPath, [join(beside, 'out/node/cli.mjs'), ...args], {
      encoding: 'utf8',
      cwd: work,
      env: {
        ...process.env,
        KESTREL_HOME: join(work, 'home'),
        KESTREL_BACKBONES: join(work, 'no-backbones'),
      },
    })
    expect(training.stderr).not.toContain('Cannot find')
    expect(training.status, training.stderr).toBe(0)
    const { exports } = JSON.parse(training.stdout) as {
      exports: { format: string; proof: { images: number } }[]
    }
    expect(exports.map(({ format }) => format).sort()).toEqual(['onnx', 'tfjs'])
    for (const { proof } of exports) expect(proof.images).toBeGreaterThan(0)
  })

  it('has the fuses set', async () => {
    const wire = await getCurrentFuseWire(join(unpacked, 'kestrel-studio'))
    const state = (option: FuseV1Options): FuseState | undefined => wire[option]
    expect(state(FuseV1Options.RunAsNode)).toBe(FuseState.DISABLE)
    expect(state(FuseV1Options.EnableNodeOptionsEnvironmentVariable)).toBe(FuseState.DISABLE)
    expect(state(FuseV1Options.EnableNodeCliInspectArguments)).toBe(FuseState.DISABLE)
    expect(state(FuseV1Options.EnableCookieEncryption)).toBe(FuseState.ENABLE)
    expect(state(FuseV1Options.EnableEmbeddedAsarIntegrityValidation)).toBe(FuseState.ENABLE)
    expect(state(FuseV1Options.OnlyLoadAppFromAsar)).toBe(FuseState.ENABLE)
  })
})
