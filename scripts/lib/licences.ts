import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'

/** The texts that the licences of the parts we ship ask us to pass on. */

interface LockEntry {
  version?: string
  license?: string
  dev?: boolean
  devOptional?: boolean
}

/** `node_modules/…` folder of the package a bundled module is from, or null when it is ours. */
function packageFolder(moduleId: string, root: string): string | null {
  const path = moduleId.replaceAll('\\', '/').replace(/^\0/, '').split('?')[0] ?? ''
  const at = path.lastIndexOf('/node_modules/')
  if (at < 0 || !path.startsWith(root.replaceAll('\\', '/'))) return null
  const parts = path.slice(at + '/node_modules/'.length).split('/')
  const name = parts[0]?.startsWith('@') ? `${parts[0]}/${parts[1]}` : parts[0]
  return `${path.slice(root.length + 1, at)}${at > root.length ? '/' : ''}node_modules/${name}`
}

function licenceText(folder: string): string {
  if (!existsSync(folder)) return '(not installed on the machine that built this)'
  const file = readdirSync(folder).find((name) => /^(licen[cs]e|copying)(\.|-|$)/i.test(name))
  return file ? readFileSync(join(folder, file), 'utf8').trim() : '(the package carries no licence text)'
}

/**
 * @param moduleIds files that were bundled, from any of the bundles
 * @returns the whole licences file: packages of `dependencies` that are shipped as they are, and bundled ones
 */
export function licences(root: string, moduleIds: Iterable<string>): string {
  const lock = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')) as {
    packages: Record<string, LockEntry>
  }
  const shipped = new Set(
    Object.entries(lock.packages)
      .filter(([path, entry]) => path !== '' && !entry.dev && !entry.devOptional)
      .map(([path]) => path),
  )
  for (const id of moduleIds) {
    const folder = packageFolder(id, root)
    if (folder !== null && lock.packages[folder]) shipped.add(folder)
  }
  const sections = [...shipped].sort().map((path) => {
    const entry = lock.packages[path] ?? {}
    const name = path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length)
    return `${name} ${entry.version ?? ''} (${entry.license ?? 'licence not stated'})\n\n${licenceText(join(root, path))}`
  })
  return `Kestrel Studio is built with these packages.\n\n${sections.join(`\n\n${'-'.repeat(80)}\n\n`)}\n`
}
