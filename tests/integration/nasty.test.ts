import { createHash } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { basename, resolve } from 'node:path'
import { expect, it } from 'vitest'
import { decodeToRgb, readForImport, renderPreview, renderThumbnail } from '#imaging/index.ts'
import { KestrelError } from '#shared/errors/index.ts'
import { ignoredFile } from '#shared/domain/import-rules.ts'
import { resizeRgb } from '#shared/domain/preprocessing/index.ts'
import { describeWithShared, sharedPath } from '../helpers/shared.ts'

interface Golden {
  pillow: string
  files: Record<string, { width: number; height: number; sha256?: string; grid: string }>
}
const golden = JSON.parse(
  readFileSync(resolve(import.meta.dirname, '../fixtures/imaging/nasty.json'), 'utf8'),
) as Golden

const folder = sharedPath('data/nasty')
const rows = existsSync(`${folder}/EXPECTED.tsv`)
  ? readFileSync(`${folder}/EXPECTED.tsv`, 'utf8')
      .split('\n')
      .slice(1)
      .filter((line) => line.includes('\t') && !line.startsWith('#'))
      .map((line) => line.split('\t') as [file: string, outcome: string])
  : []

async function outcomeOf(path: string): Promise<{ read: boolean; findings: string[]; error?: KestrelError }> {
  try {
    const { findings } = await readForImport(path)
    return { read: true, findings: findings.map(({ code }) => code) }
  } catch (error) {
    if (!(error instanceof KestrelError)) throw error
    return { read: false, findings: [], error }
  }
}

const meanDistance = (a: Uint8Array, b: Uint8Array): number =>
  a.reduce((sum, value, i) => sum + Math.abs(value - b[i]!), 0) / a.length

describeWithShared('nasty files, row by row', ['data/nasty'], () => {
  const hashes = new Map<string, string>()

  for (const [file, outcome] of rows) {
    const path = `${folder}/${file}`

    it(`${file}: ${outcome}`, async () => {
      expect(ignoredFile(basename(file))).toBe(outcome === 'ignored')
      if (outcome === 'ignored') return
      const { read, findings, error } = await outcomeOf(path)
      if (error !== undefined) {
        // Words for a person, never a decoder's message or an unknown failure.
        expect(error.code).not.toBe('internal')
        expect(error.message).toMatch(/^[A-Z].*\.$/)
        expect(error.message).not.toMatch(/vips|libpng|libheif|undefined|NaN/i)
      }
      if (outcome === 'refused') expect(read).toBe(false)
      else if (outcome.startsWith('damaged')) expect(!read || findings.length > 0).toBe(true)
      else expect(read).toBe(true)
      if (outcome === 'read, with a finding') expect(findings).not.toEqual([])
      // One half of a pair of equal files: the import knows the other by its hash.
      if (outcome === 'duplicate') {
        const { sha256 } = await readForImport(path)
        expect([...hashes.values()]).toContain(sha256)
        expect(await readForImport(path, { known: (hash) => hash === sha256 })).toEqual({
          sha256,
          known: true,
        })
      } else if (read) {
        hashes.set(file, (await readForImport(path)).sha256)
      }
    })

    const expected = golden.files[file]
    if (expected === undefined) continue
    it(`${file}: the right way up and in the right colours, like Pillow ${golden.pillow}`, async () => {
      const picture = await decodeToRgb(path)
      const { width, height } = expected
      expect([picture.width, picture.height]).toEqual([width, height])
      const inspected = await readForImport(path)
      expect([inspected.width, inspected.height]).toEqual([width, height])
      if (expected.sha256 !== undefined) {
        expect(createHash('sha256').update(picture.data).digest('hex')).toBe(expected.sha256)
      }
      const grid = new Uint8Array(Buffer.from(expected.grid, 'hex'))
      // Pillow's own conversion of printing colours without a profile is a rough one.
      const tolerance = file.startsWith('cmyk') ? 30 : 12
      const small = resizeRgb(picture.data, width, height, 8, 8)
      expect(meanDistance(small, grid)).toBeLessThan(tolerance)
      // What is shown agrees with what is learned from.
      for (const shown of [
        inspected.thumbnail,
        await renderThumbnail(path),
        await renderPreview(path, 640),
      ]) {
        const view = await decodeToRgb(shown.bytes)
        expect(Math.max(view.width, view.height)).toBeLessThanOrEqual(640)
        const scale = Math.max(view.width, view.height) / Math.max(width, height)
        expect(Math.abs(view.width - width * scale)).toBeLessThanOrEqual(1)
        expect(Math.abs(view.height - height * scale)).toBeLessThanOrEqual(1)
        expect(meanDistance(resizeRgb(view.data, view.width, view.height, 8, 8), small)).toBeLessThan(8)
      }
    })
  }

  it('says why, in words that fit', async () => {
    const message = async (file: string): Promise<[string | undefined, string | undefined]> => {
      const { error } = await outcomeOf(`${folder}/${file}`)
      return [error?.code, error?.message]
    }
    expect(await message('zero-bytes.jpg')).toEqual(['file-empty', 'The file is empty (0 bytes).'])
    expect(await message('html-error-page.jpg')).toEqual([
      'not-a-picture',
      expect.stringContaining('web page'),
    ])
    expect(await message('text-named.jpg')).toEqual(['not-a-picture', expect.stringContaining('text file')])
    expect(await message('svg-named.png')).toEqual(['format-unsupported', expect.stringContaining('drawing')])
    expect(await message('png-30000x30000-bomb.png')).toEqual([
      'picture-too-large',
      expect.stringContaining('30000 × 30000'),
    ])
    expect(await message('png-header-only-50000x50000.png')).toEqual([
      'picture-too-large',
      expect.any(String),
    ])
    expect(await message('avif-17000x17000-bomb.avif')).toEqual(['picture-too-large', expect.any(String)])
    expect(await message('heic-corrupted.heic')).toEqual(['picture-damaged', expect.any(String)])
    expect((await message('gif-bomb.gif'))[0]).toMatch(/picture-(damaged|too-large)/)
  })

  it('finds what is odd about them', async () => {
    const findings = async (file: string): Promise<string[]> =>
      (await outcomeOf(`${folder}/${file}`)).findings
    expect(await findings('one-pixel.png')).toContain('tiny')
    expect(await findings('thin-4000x1.png')).toEqual(expect.arrayContaining(['tiny', 'odd-shape']))
    expect(await findings('uniform-black.jpg')).toEqual(['uniform'])
    expect(await findings('png-fully-transparent.png')).toEqual(['transparent'])
    expect(await findings('exif-bad-hopper.jpg')).toEqual(['damaged'])
    expect(await findings('jpeg-truncated.jpg')).toContain('damaged')
    expect(await findings('exif-invalid.jpg')).toContain('exif-broken')
    expect(await findings('exif-orientation-6.jpg')).toEqual([])
  })

  it('sees that a re-encoded picture is nearly the same', async () => {
    const bits = async (file: string): Promise<bigint> =>
      BigInt(`0x${(await readForImport(`${folder}/${file}`)).perceptualHash}`)
    const distance = (a: bigint, b: bigint): number => (a ^ b).toString(2).replaceAll('0', '').length
    const picture = await bits('duplicate-a.jpg')
    for (const file of [
      'near-duplicate.jpg',
      'png-named.jpg',
      'jpeg-progressive.jpg',
      'exif-orientation-8.jpg',
    ]) {
      expect(distance(picture, await bits(file))).toBeLessThanOrEqual(3)
    }
    for (const file of ['webp-still.webp', 'tiff-lzw.tif', 'mpo-named-jpg.jpg']) {
      expect(distance(picture, await bits(file))).toBeGreaterThan(12)
    }
  })

  it('reads phone pictures (HEIC) many at a time, a broken one among them', async () => {
    const names = [
      'heic-photo.heic',
      'heic-corrupted.heic',
      'heif-small.heif',
      'heic-photo.heic',
      'heif-small.heif',
    ]
    const outcomes = await Promise.allSettled(names.map((name) => decodeToRgb(`${folder}/${name}`)))
    expect(outcomes.map(({ status }) => status)).toEqual([
      'fulfilled',
      'rejected',
      'fulfilled',
      'fulfilled',
      'fulfilled',
    ])
    const sizes = outcomes.map((outcome) => (outcome.status === 'fulfilled' ? outcome.value.width : 0))
    expect(sizes).toEqual([64, 0, 128, 64, 128])
  })
})
