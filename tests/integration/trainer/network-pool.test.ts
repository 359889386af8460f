import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { preprocessFile } from '#imaging/index.ts'
import { pixelPreprocessing } from '#shared/domain/preprocessing/pixels.ts'
import { NetworkPool, type NetworkAnswer } from '#trainer/data/network-pool.ts'
import { sceneImage } from '../../helpers/pictures.ts'
import { tinyNetwork } from '../../helpers/tiny-backbone.ts'

const preprocessing = pixelPreprocessing({ width: 32, height: 32 })

describe('the pool of networks', () => {
  let folder: string
  let onnxPath: string
  const paths: string[] = []

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'kestrel-pool-'))
    onnxPath = join(folder, 'tiny.onnx')
    await writeFile(onnxPath, tinyNetwork())
    for (let i = 0; i < 60; i++) {
      const path = join(folder, `${i}.${i % 7 === 0 ? 'png' : 'jpg'}`)
      const image = sceneImage(40 + 3 * i, 30 + 2 * i)
      paths.push(path)
      // Some that libvips decodes, in threads of its own, some that cannot be decoded, some that are not there.
      if (i % 7 === 0) await image.png().toFile(path)
      else if (i % 11 === 0) await writeFile(path, 'no picture')
      else if (i % 13 !== 0) await image.jpeg().toFile(path)
    }
  })
  afterAll(() => rm(folder, { recursive: true }))

  /** Answers to all pictures, in their order. */
  async function answers(options: { workers: number; depth?: number }, rounds = 1): Promise<NetworkAnswer[]> {
    const pool = new NetworkPool({ onnxPath, preprocessing, ...options })
    try {
      const all = Array.from({ length: rounds }, () => paths).flat()
      return await Promise.all(all.map((path) => pool.submit({ path })))
    } finally {
      await pool.close()
    }
  }

  it('gives each picture its answer, however many go through together', async () => {
    const oneByOne = await answers({ workers: 1, depth: 1 })
    const together = await answers({ workers: 2 }, 3)
    oneByOne.forEach(({ values, error }, i) => {
      for (let round = 0; round < 3; round++) {
        const other = together[round * paths.length + i]!
        expect(other.error?.code).toBe(error?.code)
        expect(other.values).toEqual(values)
        expect(other.milliseconds).toBeGreaterThan(0)
      }
    })
    const codes = oneByOne.map(({ error }) => error?.code)
    expect(codes.filter((code) => code === undefined).length).toBeGreaterThan(40)
    expect(new Set(codes)).toEqual(new Set([undefined, 'not-a-picture', 'file-missing']))
  })

  it('gives the numbers of parts of pictures where it has no network', async () => {
    const pool = new NetworkPool({ onnxPath: null, preprocessing, workers: 2 })
    const region = { left: 0.25, top: 0.1, width: 0.5, height: 0.6, mirrored: true }
    const shown = [1, 2, 3, 4, 5, 6]
    const given = await Promise.all(shown.map((i) => pool.submit({ path: paths[i]!, region })))
    await pool.close()
    for (const [at, i] of shown.entries())
      expect(given[at]!.values).toEqual(await preprocessFile(paths[i]!, preprocessing, undefined, region))
  })

  it('gives back what waits when it is closed', async () => {
    const pool = new NetworkPool({ onnxPath, preprocessing, workers: 1 })
    const waiting = paths.map((path) => pool.submit({ path }))
    const outcomes = Promise.allSettled(waiting)
    await pool.close()
    // No worker has begun so soon.
    for (const outcome of await outcomes)
      expect(outcome).toMatchObject({ status: 'rejected', reason: { code: 'stopped' } })
    await expect(pool.submit({ path: paths[0]! })).rejects.toMatchObject({ code: 'stopped' })
  })
})
