// Says whether the build in out/ belongs to the sources. Plain JavaScript: `resources/bin/kestrel.mjs` needs it on Node 18.
import { createHash } from 'node:crypto'
import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..')
export const stampFile = join(root, 'out', 'stamp.json')

const inputs = [
  'electron',
  'shared',
  'renderer',
  'scripts/build.ts',
  'scripts/lib',
  'rolldown.config.ts',
  'vite.config.ts',
  'package.json',
  'package-lock.json',
]

/** @param {string} path @param {(path: string) => void} visit */
function walk(path, visit) {
  const full = join(root, path)
  if (!existsSync(full)) return
  let entries
  try {
    entries = readdirSync(full, { withFileTypes: true })
  } catch (error) {
    if (error.code !== 'ENOTDIR') throw error
    visit(path)
    return
  }
  entries.sort((a, b) => (a.name < b.name ? -1 : 1))
  for (const entry of entries) {
    if (entry.isDirectory()) walk(`${path}/${entry.name}`, visit)
    else if (entry.isFile()) visit(`${path}/${entry.name}`)
  }
}

/** Hash over names and contents of everything the build reads. */
export function inputHash() {
  const hash = createHash('sha256')
  for (const input of inputs)
    walk(input, (path) => {
      const content = readFileSync(join(root, path))
      hash.update(`${path}\0${content.byteLength}\0`).update(content)
    })
  return hash.digest('hex')
}

/** `fresh`; `stale` when sources changed; `missing` when there is no build; a copy without sources is never stale. */
export function buildState() {
  if (!existsSync(stampFile)) return 'missing'
  if (!existsSync(join(root, 'scripts', 'build.ts')) || !existsSync(join(root, 'electron'))) return 'fresh'
  const stamp = JSON.parse(readFileSync(stampFile, 'utf8'))
  return stamp.inputs === inputHash() ? 'fresh' : 'stale'
}
