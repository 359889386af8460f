import { globSync } from 'node:fs'
import { existsSync } from 'node:fs'
import { basename, join } from 'node:path'
import { isBuiltin } from 'node:module'
import type { RolldownOptions } from 'rolldown'

const root = import.meta.dirname

/** npm packages and Node's own modules; everything of ours is relative or an alias beginning with `#`. */
const isPackage = (id: string): boolean => isBuiltin(id) || /^[@a-z]/i.test(id)
const isElectronOrBuiltin = (id: string): boolean => id === 'electron' || isBuiltin(id)

/** Every `*-worker.ts` of the Node side is an entry of its own, found at run time by `shared/util/worker-url.ts`. */
export function workerEntries(): Record<string, string> {
  const entries: Record<string, string> = {}
  for (const file of globSync('{electron,shared}/**/*-worker.ts', { cwd: root })) {
    const name = basename(file, '.ts')
    if (entries[name]) throw new Error(`two workers are called ${name}: ${entries[name]} and ${file}`)
    entries[name] = join(root, file)
  }
  return entries
}

const present = (entries: Record<string, string>): Record<string, string> =>
  Object.fromEntries(
    Object.entries(entries)
      .map(([name, file]) => [name, join(root, file)] as const)
      .filter(([, file]) => existsSync(file)),
  )

/**
 * The desktop shell is one file for Electron's main process and one for its sandboxed preload. Both are CommonJS and
 * lowered to what Electron 22 (Node 16, Chromium 108) runs, because that is the runtime a machine without access to
 * Electron's own downloads can test with.
 */
const shell = (outDir: string): RolldownOptions[] => [
  {
    input: present({ index: 'electron/main/index.ts' }),
    platform: 'node',
    external: isElectronOrBuiltin,
    transform: { target: 'node16' },
    output: {
      dir: join(outDir, 'main'),
      format: 'cjs',
      entryFileNames: '[name].cjs',
      chunkFileNames: '[name]-[hash].cjs',
      sourcemap: true,
    },
  },
  {
    input: present({ index: 'electron/preload/index.ts' }),
    platform: 'browser',
    external: ['electron'],
    transform: { target: 'chrome108' },
    output: { dir: join(outDir, 'preload'), format: 'cjs', entryFileNames: '[name].cjs', sourcemap: false },
  },
]

/** Studio, trainer, command line and their worker threads: one ESM bundle with shared chunks, npm packages outside. */
const processes = (outDir: string): RolldownOptions => ({
  input: {
    ...present({
      studio: 'electron/studio/main.ts',
      trainer: 'electron/trainer/main.ts',
      cli: 'electron/cli/main.ts',
    }),
    ...workerEntries(),
  },
  platform: 'node',
  external: isPackage,
  // Node 24 here, in Electron 45 and in the `node` package: nothing is lowered, so nothing needs helpers from a package.
  transform: { target: 'esnext' },
  output: {
    dir: join(outDir, 'node'),
    format: 'esm',
    // One flat folder: `shared/util/app-folders.ts` and `worker-url.ts` count on it.
    entryFileNames: '[name].mjs',
    chunkFileNames: 'chunk-[name]-[hash].mjs',
    sourcemap: true,
  },
})

/** @param outDir where `main`, `preload` and `node` are written */
export const bundles = (outDir: string): RolldownOptions[] =>
  [...shell(outDir), processes(outDir)].filter(({ input }) => Object.keys(input ?? {}).length > 0)

export default bundles(join(root, 'out'))
