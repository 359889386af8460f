import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { KestrelError } from '#shared/errors/index.ts'
import { wordsOfError } from '../../electron/cli/terminal.ts'
import { withoutWindow } from '../../electron/cli/window-words.ts'

const root = join(import.meta.dirname, '..', '..')

/** What only a window has. */
const ofTheWindow =
  /\b(?:Settings|[Dd]rop (?:it|a|the|or|pictures)|[Pp]ress|[Cc]lick|button|start page|diagnostics|Train with Quick)\b|on the window/

/** Words that the command line never comes by: what was dropped or uploaded, views of a window, its events. */
const elsewhere = [
  'electron/studio/predictions/given-pictures.ts',
  'electron/studio/predictions/service.ts',
  'electron/studio/sources/',
  'electron/studio/diagnostics/',
  'electron/studio/projects/open-project.ts',
  'electron/studio/compose-training.ts',
]

/** Sentences in quotes. */
function sentences(source: string): string[] {
  const code = source.replaceAll(/\/\*[\s\S]*?\*\/|(?<=^|\s)\/\/.*$/gm, '')
  const quoted = code.matchAll(/'((?:[^'\\\n]|\\.)*)'|`([^`]*)`/g)
  return [...quoted]
    .map(([, single, template]) => single ?? template ?? '')
    .filter((text) => /[a-z] /.test(text))
}

describe('words of the window', () => {
  it('have their counterpart on the command line', () => {
    const files = globSync(['electron/{studio,trainer,imaging}/**/*.ts', 'shared/{errors,domain}/**/*.ts'], {
      cwd: root,
    }).filter((file) => !elsewhere.some((place) => file.replaceAll('\\', '/').startsWith(place)))
    expect(files.length).toBeGreaterThan(100)
    const found = files.flatMap((file) => sentences(readFileSync(join(root, file), 'utf8')))
    expect(found.some((text) => ofTheWindow.test(text))).toBe(true)
    expect(found.map(withoutWindow).filter((text) => ofTheWindow.test(text))).toEqual([])
  })

  it('are not said in an error', () => {
    const { text, wire } = wordsOfError(
      new KestrelError('training-crashed', 'It ended.', {
        remedy:
          'Press Train again: it goes on from what is kept. If it happens again, save diagnostics from Settings.',
      }),
    )
    expect(text).toBe(
      'It ended. Run the same command again: it goes on from what is kept. If it happens again, look into the logs ("kestrel doctor" says where they are).',
    )
    expect(wire).toEqual({
      code: 'training-crashed',
      message: 'It ended.',
      remedy: text.slice('It ended. '.length),
    })
  })
})
