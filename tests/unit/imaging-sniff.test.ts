import sharp from 'sharp'
import { describe, expect, it } from 'vitest'
import { requireFormat, sniffFormat } from '#imaging/sniff.ts'
import { ignoredFile } from '#shared/domain/import-rules.ts'
import { sceneImage } from '../helpers/pictures.ts'

const text = (content: string): Uint8Array => new TextEncoder().encode(content)
const latin = (content: string): Uint8Array => Uint8Array.from(content, (letter) => letter.charCodeAt(0))

describe('telling formats by content', () => {
  it('knows what sharp writes', async () => {
    for (const format of ['jpeg', 'png', 'webp', 'gif', 'tiff', 'avif'] as const) {
      expect(sniffFormat(await sceneImage(16, 16).toFormat(format).toBuffer())).toBe(format)
    }
    const bigTiff = await sharp(await sceneImage(16, 16).png().toBuffer())
      .tiff({ bigtiff: true })
      .toBuffer()
    expect(sniffFormat(bigTiff)).toBe('tiff')
  })

  it('knows TIFF of both byte orders, bitmaps by their second header, ISO media by all their brands', () => {
    expect(sniffFormat(latin('MM\0*\0\0\0\x08'))).toBe('tiff')
    const bitmap = new Uint8Array(30)
    bitmap.set(latin('BM'))
    bitmap[14] = 40
    expect(sniffFormat(bitmap)).toBe('bmp')
    expect(sniffFormat(text('BMW is a maker of cars, and this is a text.'))).toBe(null)
    const media = (major: string, ...others: string[]): Uint8Array =>
      latin(`\0\0\0${String.fromCharCode(16 + others.length * 4)}ftyp${major}\0\0\0\0${others.join('')}....`)
    expect(sniffFormat(media('heic', 'mif1'))).toBe('heic')
    expect(sniffFormat(media('mif1', 'heic'))).toBe('heic')
    expect(sniffFormat(media('mif1', 'miaf', 'avif'))).toBe('avif')
    expect(sniffFormat(media('avif'))).toBe('avif')
    expect(sniffFormat(media('isom', 'mp42'))).toBe(null)
  })

  it('never fails on short or random bytes', () => {
    for (let length = 0; length < 40; length++) {
      for (const fill of [0, 0x42, 0x49, 0x4d, 0xff]) {
        expect(() => sniffFormat(new Uint8Array(length).fill(fill))).not.toThrow()
      }
    }
  })
})

describe('refusing what is no picture', () => {
  const cases: [what: string, bytes: Uint8Array, code: string, words: RegExp][] = [
    ['nothing', new Uint8Array(0), 'file-empty', /empty/],
    ['text', text('A note about sunflowers.\n'), 'not-a-picture', /text file/],
    [
      'text in another language',
      text('Ein Text über Sonnenblumen. '.repeat(4)),
      'not-a-picture',
      /not a picture/,
    ],
    ['a web page', text('<!DOCTYPE html>\n<html><body>404</body></html>'), 'not-a-picture', /web page/],
    ['a drawing', text('<svg xmlns="http://www.w3.org/2000/svg"></svg>'), 'format-unsupported', /drawing/],
    [
      'a drawing with a preamble',
      text('\ufeff<?xml version="1.0"?>\n<!-- made -->\n<svg width="1"/>'),
      'format-unsupported',
      /drawing/,
    ],
    ['XML', text('<?xml version="1.0"?><annotation/>'), 'not-a-picture', /XML/],
    ['a document', text('%PDF-1.7 ...'), 'not-a-picture', /PDF/],
    ['an archive', latin('PK\x03\x04........'), 'not-a-picture', /archive/],
    ['a video', latin('\0\0\0\x18ftypisom\0\0\0\0mp42'), 'not-a-picture', /video/],
    ['a Photoshop document', latin('8BPS\0\x01'), 'format-unsupported', /Photoshop/],
    ['a JPEG XL', latin('\xff\x0a\x01\x02\x03'), 'format-unsupported', /JPEG XL/],
    ['a helper file of macOS', latin('\0\x05\x16\x07\0\x02\0\0Mac OS X'), 'not-a-picture', /macOS/],
    ['anything else', Uint8Array.from([1, 2, 3, 4, 200]), 'not-a-picture', /does not know/],
  ]
  for (const [what, bytes, code, words] of cases) {
    it(`says so: ${what}`, () => {
      expect(() => requireFormat(bytes)).toThrow(
        expect.objectContaining({ code, message: expect.stringMatching(words) }),
      )
    })
  }
})

describe('files passed over in silence', () => {
  it('are hidden ones, what systems leave behind, and documents', () => {
    for (const name of [
      '.hidden.jpg',
      '._photo.jpg',
      '.DS_Store',
      'Thumbs.db',
      'THUMBS.DB',
      'desktop.ini',
      '__MACOSX',
      'MANIFEST.md',
      'EXPECTED.tsv',
      'labels.CSV',
      'notes.txt',
      'paper.pdf',
      'annotations.json',
      '~$report.docx',
      '',
    ]) {
      expect([name, ignoredFile(name)]).toEqual([name, true])
    }
  })

  it('are never files that may be pictures', () => {
    for (const name of [
      'a.jpg',
      'A.JPEG',
      'no-extension',
      'x.unknown',
      'photo.jpg.png',
      'txt',
      'csv.png',
      'text-named.jpg',
    ]) {
      expect([name, ignoredFile(name)]).toEqual([name, false])
    }
  })
})
