import { createHash } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import sharp, { type Sharp } from 'sharp'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  decodeToRgb,
  preprocessFile,
  readForImport,
  renderPreview,
  renderThumbnail,
  resizeFile,
} from '#imaging/index.ts'
import { differenceHash, laplacianVariance, measure } from '#imaging/measures.ts'
import { resizeRgb, tensorFromResized, type Preprocessing } from '#shared/domain/preprocessing/index.ts'
import { createRandom } from '#shared/domain/random.ts'
import { isUpright, scene, sceneImage, storedImage } from '../helpers/pictures.ts'

let folder: string
let files = 0
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'kestrel-imaging-'))
})
afterAll(() => rm(folder, { recursive: true }))

async function fileOf(bytes: Uint8Array): Promise<string> {
  const path = join(folder, `${files++}`)
  await writeFile(path, bytes)
  return path
}
const codes = async (image: Sharp): Promise<string[]> => {
  const { findings } = await readForImport(await fileOf(await image.png().toBuffer()))
  return findings.map(({ code }) => code)
}

/** Soft shapes with edges, like a photograph of things. */
function shapes(width: number, height: number, low = 0, high = 255): Sharp {
  const random = createRandom(5)
  const data = new Uint8Array(width * height * 3).fill((low + high) / 2)
  for (let shape = 0; shape < 60; shape++) {
    const [x0, y0] = [random.below(width), random.below(height)]
    const size = 5 + random.below(Math.min(width, height) / 4)
    const colour = [0, 1, 2].map(() => low + random.below(high - low))
    for (let y = y0; y < Math.min(height, y0 + size); y++) {
      for (let x = x0; x < Math.min(width, x0 + size); x++) data.set(colour, (y * width + x) * 3)
    }
  }
  return sharp(data, { raw: { width, height, channels: 3 } })
}

describe('reading for import', () => {
  it('gives hash, format, size and a thumbnail from one reading', async () => {
    const bytes = await sceneImage(800, 500).jpeg().toBuffer()
    const picture = await readForImport(await fileOf(bytes))
    expect(picture).toMatchObject({
      sha256: createHash('sha256').update(bytes).digest('hex'),
      format: 'jpeg',
      bytes: bytes.length,
      width: 800,
      height: 500,
      orientation: 1,
      findings: [],
    })
    expect(picture.perceptualHash).toMatch(/^[0-9a-f]{16}$/)
    const thumbnail = await decodeToRgb(picture.thumbnail.bytes)
    expect([thumbnail.width, thumbnail.height]).toEqual([320, 200])
    expect(isUpright(thumbnail)).toBe(true)
    expect(picture.thumbnail).toMatchObject({ ending: 'jpg', contentType: 'image/jpeg' })
  })

  it('hashes large files too, off the thread', async () => {
    const bytes = await sharp(Buffer.alloc(900 * 900 * 3, 1), {
      raw: { width: 900, height: 900, channels: 3 },
    })
      .png({ compressionLevel: 0 })
      .toBuffer()
    expect(bytes.length).toBeGreaterThan(1_000_000)
    const { sha256 } = await readForImport(await fileOf(bytes))
    expect(sha256).toBe(createHash('sha256').update(bytes).digest('hex'))
  })

  for (const orientation of [3, 5, 6, 8]) {
    it(`shows a picture with orientation ${orientation} upright everywhere`, async () => {
      const bytes = await storedImage(orientation, 600, 400).withMetadata({ orientation }).jpeg().toBuffer()
      const path = await fileOf(bytes)
      const picture = await readForImport(path)
      expect([picture.width, picture.height, picture.orientation]).toEqual([600, 400, orientation])
      for (const shown of [picture.thumbnail, await renderThumbnail(path), await renderPreview(path, 500)]) {
        const view = await decodeToRgb(shown.bytes)
        expect(view.width).toBeGreaterThan(view.height)
        expect(isUpright(view)).toBe(true)
      }
    })
  }

  it('uses a small upright JPEG as its own thumbnail, and only that', async () => {
    const small = await sceneImage(100, 80).jpeg().toBuffer()
    expect((await readForImport(await fileOf(small))).thumbnail.bytes).toEqual(new Uint8Array(small))
    const turned = await storedImage(6, 100, 80).withMetadata({ orientation: 6 }).jpeg().toBuffer()
    expect((await readForImport(await fileOf(turned))).thumbnail.bytes).not.toEqual(new Uint8Array(turned))
    const cmyk = await sceneImage(100, 80).toColourspace('cmyk').jpeg().toBuffer()
    const { thumbnail } = await readForImport(await fileOf(cmyk))
    expect((await sharp(thumbnail.bytes).metadata()).space).toBe('srgb')
  })

  it('makes thumbnails of another size when asked', async () => {
    const path = await fileOf(await sceneImage(800, 500).png().toBuffer())
    const { thumbnail } = await readForImport(path, { thumbnailEdge: 100 })
    const view = await decodeToRgb(thumbnail.bytes)
    expect([view.width, view.height]).toEqual([100, 63])
    expect((await renderPreview(path, 2048)).contentType).toBe('image/jpeg')
  })

  it('stops before decoding when the content is known', async () => {
    const path = await fileOf(await sceneImage(8, 8).png().toBuffer())
    const { sha256 } = await readForImport(path)
    expect(await readForImport(path, { known: (hash) => hash === sha256 })).toEqual({ sha256, known: true })
    expect(await readForImport(path, { known: () => false })).toMatchObject({ sha256, width: 8 })
  })

  it('stops when asked to', async () => {
    const path = await fileOf(await sceneImage(8, 8).png().toBuffer())
    await expect(readForImport(path, { signal: AbortSignal.abort() })).rejects.toMatchObject({
      code: 'stopped',
    })
    const controller = new AbortController()
    const reading = readForImport(path, { signal: controller.signal })
    controller.abort()
    await expect(reading).rejects.toMatchObject({ code: 'stopped' })
  })

  it('refuses with a code and words', async () => {
    await expect(readForImport(join(folder, 'gone.jpg'))).rejects.toMatchObject({ code: 'file-missing' })
    await expect(readForImport(folder)).rejects.toMatchObject({ name: 'KestrelError' })
    const broken = (await sceneImage(100, 100).jpeg().toBuffer()).subarray(0, 60)
    await expect(readForImport(await fileOf(broken))).rejects.toMatchObject({ code: 'picture-damaged' })
  })
})

describe('findings', () => {
  it('are none for ordinary pictures', async () => {
    expect(await codes(shapes(400, 300))).toEqual([])
    expect(await codes(sceneImage(120, 90))).toEqual([])
    expect(await codes(shapes(100, 100, 90, 150))).toEqual([])
  })

  it('name what is odd', async () => {
    expect(await codes(shapes(400, 300, 0, 12))).toEqual(['dark'])
    expect(await codes(shapes(400, 300, 243, 255))).toEqual(['light'])
    expect(await codes(shapes(400, 300).blur(14))).toEqual(['blurry'])
    expect(await codes(shapes(20, 20))).toEqual(['tiny'])
    expect(await codes(shapes(600, 60))).toEqual(['odd-shape'])
    const plain = sharp({ create: { width: 90, height: 90, channels: 3, background: '#456' } })
    expect(await codes(plain)).toEqual(['uniform'])
    const clear = sharp({
      create: { width: 90, height: 90, channels: 4, background: { r: 9, g: 9, b: 9, alpha: 0 } },
    })
    expect(await codes(clear)).toEqual(['transparent'])
  })

  it('tell of damage and of broken camera notes', async () => {
    const jpeg = await shapes(400, 300).jpeg({ quality: 95 }).toBuffer()
    const cut = await readForImport(await fileOf(jpeg.subarray(0, Math.floor(jpeg.length * 0.7))))
    expect(cut.findings[0]).toEqual({ code: 'damaged', words: expect.stringContaining('damaged') })
    const tagged = await shapes(400, 300).withMetadata({ orientation: 1 }).jpeg().toBuffer()
    const exif = tagged.indexOf('Exif\0\0')
    tagged.fill(0xff, exif + 6, exif + 10)
    const { findings } = await readForImport(await fileOf(tagged))
    expect(findings.map(({ code }) => code)).toEqual(['exif-broken'])
  })
})

describe('measures', () => {
  it('agree with their definitions on small pictures', () => {
    // One bright pixel in the middle of 3 × 3: Laplacian 4 × 100, one value, so no variance; two values in 3 × 4.
    const dot = Uint8Array.from([0, 0, 0, 0, 0, 100, 0, 0, 0, 0, 0, 0])
    expect(laplacianVariance(dot, 4, 3)).toBe(((400 - 150) ** 2 + (-100 - 150) ** 2) / 2)
    expect(laplacianVariance(dot, 12, 1)).toBe(0)
    const ramp = Uint8Array.from({ length: 9 * 8 }, (_, i) => (i % 9) * 20)
    expect(differenceHash(ramp, 9, 8)).toBe('ffffffffffffffff')
    expect(differenceHash(ramp.toReversed(), 9, 8)).toBe('0000000000000000')
    const grey = measure(new Uint8Array(30 * 30 * 3).fill(51), 30, 30)
    expect(grey).toEqual({
      ...{ sharpness: 0, brightness: 0.2, contrast: 0, perceptualHash: '0000000000000000' },
      look: new Uint8Array(32 * 32).fill(51),
    })
    expect(measure(new Uint8Array(3).fill(255), 1, 1).brightness).toBe(1)
  })

  it('fall when a picture gets blurred', async () => {
    const sharpness = async (image: Sharp): Promise<number> =>
      (await readForImport(await fileOf(await image.png().toBuffer()))).sharpness
    const values = [
      await sharpness(shapes(300, 200)),
      await sharpness(shapes(300, 200).blur(1)),
      await sharpness(shapes(300, 200).blur(4)),
    ]
    expect(values).toEqual(values.toSorted((a, b) => b - a))
  })
})

describe('preparing for a network', () => {
  const definition: Preprocessing = {
    version: 1,
    size: { width: 32, height: 24 },
    fit: 'stretch',
    filter: 'pillow-bilinear',
    background: [255, 255, 255],
    channelOrder: 'BGR',
    mean: [103, 116, 123],
    divisor: [1, 1, 1],
    jpegScaledDecode: false,
  }

  it('is decoding, resizing and scaling by the definition, many at once', async () => {
    const sizes = [
      [100, 60],
      [32, 24],
      [20, 90],
      [64, 48],
      [33, 25],
      [300, 200],
    ] as const
    const paths = await Promise.all(
      sizes.map(async ([w, h]) => fileOf(await sceneImage(w, h).png().toBuffer())),
    )
    const results = await Promise.all(paths.map((path) => preprocessFile(path, definition)))
    sizes.forEach(([w, h], i) => {
      expect(results[i]).toEqual(tensorFromResized(resizeRgb(scene(w, h), w, h, 32, 24), definition))
    })
    const batch = new Float32Array(2 * 3 * 32 * 24)
    await preprocessFile(paths[0]!, definition, () => ({ target: batch, offset: 3 * 32 * 24 }))
    expect(batch.subarray(3 * 32 * 24)).toEqual(results[0])
    expect(await resizeFile(paths[0]!, definition)).toEqual(resizeRgb(scene(100, 60), 100, 60, 32, 24))
  })

  it('flattens on the background of the definition', async () => {
    const clear = sharp({
      create: { width: 9, height: 9, channels: 4, background: { r: 0, g: 0, b: 0, alpha: 0 } },
    })
    const path = await fileOf(await clear.png().toBuffer())
    const pixels = await resizeFile(path, { ...definition, background: [1, 2, 3] })
    expect([...pixels.subarray(0, 3)]).toEqual([1, 2, 3])
  })

  it('refuses a definition it would not follow', async () => {
    const path = await fileOf(await sceneImage(9, 9).png().toBuffer())
    await expect(preprocessFile(path, { ...definition, jpegScaledDecode: true })).rejects.toMatchObject({
      code: 'backbone-unsupported',
    })
  })
})
