// Plain JavaScript for any Node from 18 on.
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { root } from './stamp.mjs'

/** This Node when it is new enough, else the one of the `node` package; null when there is neither. */
export function findNode() {
  if (Number(process.versions.node.split('.')[0]) >= 24) return process.execPath
  const own = join(root, 'node_modules', 'node', 'bin', process.platform === 'win32' ? 'node.exe' : 'node')
  return existsSync(own) ? own : null
}

/**
 * Node's own choice keeps up to 134 MB ready for short-lived objects, in a process that lives for days beside other
 * programs. With this the studio holds 120 MB less while it imports, at the same speed.
 */
export const nodeFlags = ['--max-semi-space-size=16']
