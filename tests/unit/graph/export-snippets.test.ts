import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { resampleSnippet, resampleSource, stripTypes } from '../../../scripts/write-export-snippets.ts'

test('the resize in TensorFlow.js exports is the one of the app', async () => {
  // When this fails: node scripts/write-export-snippets.ts
  expect(readFileSync(resampleSnippet, 'utf8')).toBe(await stripTypes(readFileSync(resampleSource, 'utf8')))
})
