import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { OutputChunk } from 'rolldown'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { strayImports, strayPageContent } from '../../../scripts/lib/check-bundle.ts'

const chunk = (fileName: string, imports: string[], dynamicImports: string[] = []) =>
  ({ fileName, imports, dynamicImports }) as unknown as OutputChunk

describe('strayImports', () => {
  const dependencies = new Set(['sharp', '@hono/node-server'])
  it('accepts what each part may use', () => {
    const built = {
      main: [chunk('index.cjs', ['electron', 'node:fs', 'updater.cjs']), chunk('updater.cjs', ['fs'])],
      preload: [chunk('index.cjs', ['electron'])],
      node: [
        chunk('studio.mjs', ['node:http', 'sharp', '@hono/node-server/serve', 'chunk.mjs']),
        chunk('chunk.mjs', []),
      ],
      renderer: [chunk('assets/a.js', ['assets/b.js']), chunk('assets/b.js', [])],
    }
    expect(strayImports(built, dependencies)).toEqual([])
  })
  it('names what does not belong', () => {
    const built = {
      main: [chunk('index.cjs', ['zod'])],
      preload: [chunk('index.cjs', ['node:fs'])],
      node: [chunk('studio.mjs', ['electron'], ['vue'])],
      renderer: [chunk('assets/a.js', ['vue'])],
    }
    expect(
      strayImports(built, new Set([...dependencies, 'electron'])).map((line) => line.split(';')[0]),
    ).toEqual([
      'out/main/index.cjs imports "zod"',
      'out/preload/index.cjs imports "node:fs"',
      'out/renderer/assets/a.js imports "vue"',
      'out/node/studio.mjs imports "electron"',
      'out/node/studio.mjs imports "vue"',
    ])
  })
})

describe('strayPageContent', () => {
  let folder: string
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'kestrel-page-'))
  })
  afterEach(() => rmSync(folder, { recursive: true }))

  it('accepts a page that has all it needs', () => {
    writeFileSync(join(folder, 'index.html'), '<script type="module" src="/assets/a.js"></script>')
    writeFileSync(
      join(folder, 'a.js'),
      'import{b}from"./b.js";const link="https://keras.io/";b("import x from y")',
    )
    writeFileSync(join(folder, 'a.css'), '@font-face{src:url(/assets/inter.woff2)}')
    expect(strayPageContent(folder)).toEqual([])
  })
  it.each([
    ['a.js', 'const f=__vite-browser-external'],
    ['a.css', '@font-face{src:url(https://fonts.example.com/a.woff2)}'],
    ['a.css', '@import "https://example.com/a.css";'],
    ['index.html', '<link rel="stylesheet" href="//example.com/a.css">'],
  ])('names what it could not load: %s %s', (name, content) => {
    writeFileSync(join(folder, name), content)
    expect(strayPageContent(folder)).toHaveLength(1)
  })
})
