import { join, sep } from 'node:path'

/**
 * Where the app's own files lie. Source (`shared/util`) and bundle (`out/node`) are both two folders below the root;
 * in a package, what other processes or native code must open lies beside the archive (`app.asar.unpacked`).
 */
export const appRoot: string = join(import.meta.dirname, '..', '..')

const outsideArchive = (path: string): string =>
  path.replace(`${sep}app.asar${sep}`, `${sep}app.asar.unpacked${sep}`)

/** Samples, catalogue of backbones, icons: files on a real disk, readable by native code. */
export const resourcesFolder = (): string => outsideArchive(join(appRoot, 'resources'))

/** The built page. Missing before the first build. */
export const rendererFolder = (): string => outsideArchive(join(appRoot, 'out', 'renderer'))

/** The bundled processes (`studio.mjs`, `trainer.mjs`, `cli.mjs`). Missing before the first build. */
export const nodeBundleFolder = (): string => outsideArchive(join(appRoot, 'out', 'node'))

/** Whether this code runs from the TypeScript sources. */
export const runsFromSource: boolean = import.meta.filename.endsWith('.ts')

/** The file that starts one of the app's processes, from source or from the bundle. */
export const processEntry = (name: 'studio' | 'trainer' | 'cli'): string =>
  runsFromSource ? join(appRoot, 'electron', name, 'main.ts') : join(nodeBundleFolder(), `${name}.mjs`)
