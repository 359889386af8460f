import { expect, test } from 'vitest'
import { isIgnoredFile, isIgnoredFolder } from '#shared/domain/import-rules.ts'

test.each([
  '.DS_Store',
  '._rose.jpg',
  '.hidden.jpg',
  'Thumbs.db',
  'MANIFEST.md',
  'EXPECTED.tsv',
  'notes.TXT',
  'a.zip',
])('%s is passed over', (name) => expect(isIgnoredFile(name)).toBe(true))
test.each([
  'rose.jpg',
  'UPPER CASE.JPG',
  'no-extension',
  'IMG_1.HEIC',
  'x.unknown',
  'Straße – naïve café.jpg',
  'md',
])('%s is looked at', (name) => expect(isIgnoredFile(name)).toBe(false))
test('folders of systems and of Kestrel are passed over', () => {
  for (const name of ['__MACOSX', '.git', '@eaDir', 'Flowers.kestrel'])
    expect(isIgnoredFolder(name)).toBe(true)
  for (const name of ['daisy', 'test', '日本']) expect(isIgnoredFolder(name)).toBe(false)
})
