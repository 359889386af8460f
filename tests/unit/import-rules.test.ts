import { expect, test } from 'vitest'
import { ignoredFile } from '#shared/domain/import-rules.ts'

test.each([
  '.DS_Store',
  '._rose.jpg',
  '.hidden.jpg',
  'Thumbs.db',
  'MANIFEST.md',
  'EXPECTED.tsv',
  'notes.TXT',
  '__MACOSX',
])('%s is passed over', (name) => expect(ignoredFile(name)).toBe(true))
test.each([
  'rose.jpg',
  'UPPER CASE.JPG',
  'no-extension',
  'IMG_1.HEIC',
  'x.unknown',
  'Straße – naïve café.jpg',
  'md',
  'test',
])('%s is looked at', (name) => expect(ignoredFile(name)).toBe(false))
