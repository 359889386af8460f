import { readFileSync, readdirSync } from 'node:fs'
import { isBuiltin } from 'node:module'
import { join } from 'node:path'
import type { OutputChunk } from 'rolldown'

/**
 * Looks at what was built for imports that must not be there: a layering mistake that slipped through lint, or a package
 * the packaged app would not find.
 */

const packageName = (specifier: string): string =>
  specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/')

export interface BuiltChunks {
  main: OutputChunk[]
  preload: OutputChunk[]
  node: OutputChunk[]
  renderer: Pick<OutputChunk, 'fileName' | 'imports' | 'dynamicImports'>[]
}

const outsideImports = (chunk: BuiltChunks['renderer'][number], own: Set<string>): string[] =>
  [...chunk.imports, ...chunk.dynamicImports].filter((specifier) => !own.has(specifier))

/**
 * @param dependencies names in package.json's `dependencies` and `optionalDependencies`
 * @returns one sentence per offence
 */
export function strayImports(built: BuiltChunks, dependencies: ReadonlySet<string>): string[] {
  const rules: [keyof BuiltChunks, string, (specifier: string) => boolean][] = [
    ['main', 'electron and Node', (name) => name === 'electron' || isBuiltin(name)],
    ['preload', 'electron', (name) => name === 'electron'],
    ['renderer', 'nothing: a page has no packages', () => false],
    [
      'node',
      'Node and the dependencies of package.json',
      (name) => isBuiltin(name) || (name !== 'electron' && dependencies.has(packageName(name))),
    ],
  ]
  const offences: string[] = []
  for (const [part, allowed, mayImport] of rules) {
    const own = new Set(built[part].map((chunk) => chunk.fileName))
    for (const chunk of built[part])
      for (const specifier of outsideImports(chunk, own))
        if (!mayImport(specifier))
          offences.push(`out/${part}/${chunk.fileName} imports "${specifier}"; allowed there: ${allowed}`)
  }
  return offences
}

/** What a page under `default-src 'self'` could not load, or should not: other origins and Node's modules. */
const pageOffences: [files: RegExp, pattern: RegExp, words: string][] = [
  [/\.js$/, /__vite-browser-external/, "uses one of Node's modules"],
  [/\.(css|html)$/, /@import\s+(?:url\()?["']?(?:https?:)?\/\//, 'imports a style sheet from another origin'],
  [/\.(css|html)$/, /url\(["']?(?:https?:)?\/\//, 'loads something from another origin'],
  [
    /\.html$/,
    /<(?:script|link|img)[^>]+(?:src|href)=["'](?:https?:)?\/\//,
    'loads something from another origin',
  ],
]

/** @returns one sentence per offence in the built page. */
export function strayPageContent(folder: string): string[] {
  const offences: string[] = []
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile() || !/\.(js|css|html)$/.test(entry.name)) continue
    const path = join(entry.parentPath, entry.name)
    const text = readFileSync(path, 'utf8')
    for (const [files, pattern, words] of pageOffences) {
      if (!files.test(entry.name)) continue
      const found = pattern.exec(text)
      if (found) offences.push(`${path} ${words}: ${text.slice(found.index, found.index + 80)}`)
    }
  }
  return offences
}
