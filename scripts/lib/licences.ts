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

/** What is compiled into a package whose own files do not say so, in the words its authors ask for. */
const compiledIn: Record<string, string> = {
  '@cornerstonejs/codec-libjpeg-turbo-8bit': `libjpeg-turbo, compiled to WebAssembly.
Copyright (C) 1991-2026 The libjpeg-turbo Project and many others.
This software is based in part on the work of the Independent JPEG Group.

Redistribution and use in source and binary forms, with or without modification, are permitted provided that the following
conditions are met:
- Redistributions of source code must retain the above copyright notice, this list of conditions and the following
  disclaimer.
- Redistributions in binary form must reproduce the above copyright notice, this list of conditions and the following
  disclaimer in the documentation and/or other materials provided with the distribution.
- Neither the name of the libjpeg-turbo Project nor the names of its contributors may be used to endorse or promote products
  derived from this software without specific prior written permission.
THIS SOFTWARE IS PROVIDED BY THE COPYRIGHT HOLDERS AND CONTRIBUTORS "AS IS", AND ANY EXPRESS OR IMPLIED WARRANTIES, INCLUDING,
BUT NOT LIMITED TO, THE IMPLIED WARRANTIES OF MERCHANTABILITY AND FITNESS FOR A PARTICULAR PURPOSE ARE DISCLAIMED. IN NO
EVENT SHALL THE COPYRIGHT HOLDERS OR CONTRIBUTORS BE LIABLE FOR ANY DIRECT, INDIRECT, INCIDENTAL, SPECIAL, EXEMPLARY, OR
CONSEQUENTIAL DAMAGES (INCLUDING, BUT NOT LIMITED TO, PROCUREMENT OF SUBSTITUTE GOODS OR SERVICES; LOSS OF USE, DATA, OR
PROFITS; OR BUSINESS INTERRUPTION) HOWEVER CAUSED AND ON ANY THEORY OF LIABILITY, WHETHER IN CONTRACT, STRICT LIABILITY, OR
TORT (INCLUDING NEGLIGENCE OR OTHERWISE) ARISING IN ANY WAY OUT OF THE USE OF THIS SOFTWARE, EVEN IF ADVISED OF THE
POSSIBILITY OF SUCH DAMAGE.`,
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
    const text = compiledIn[name] ?? licenceText(join(root, path))
    return `${name} ${entry.version ?? ''} (${entry.license ?? 'licence not stated'})\n\n${text}`
  })
  return `Kestrel Studio is built with these packages.\n\n${sections.join(`\n\n${'-'.repeat(80)}\n\n`)}\n`
}
