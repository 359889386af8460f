import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createRandom } from '#shared/domain/random.ts'
import { KestrelError } from '#shared/errors/index.ts'
import { readKeras } from '../../../electron/trainer/graph/keras/index.ts'
import type { KerasFormat } from '../../../electron/trainer/graph/keras/messages.ts'
import { validate } from '../../../electron/trainer/graph/validate.ts'
import { withContents } from '../../helpers/folders.ts'

const fixture = (name: string): string => join(import.meta.dirname, '../../fixtures/keras', name)

/** A damaged file may still hold a whole network; it may be refused in words; nothing else may happen. */
describe('damaged Keras files are read or refused, never more', () => {
  let folder: string
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'kestrel-damaged-'))
  })
  afterAll(() => rmSync(folder, withContents))

  async function readsOrRefuses(name: string, format: KerasFormat, bytes: Uint8Array): Promise<void> {
    const file = join(folder, name)
    writeFileSync(file, bytes)
    try {
      validate(await readKeras(format, file))
    } catch (error) {
      expect(error).toBeInstanceOf(KestrelError)
      expect((error as KestrelError).code).toMatch(/^(?:backbone|operator|archive)-/)
    }
  }

  const files: [string, KerasFormat][] = [
    ['nested.h5', 'keras-h5'],
    ['nested.keras', 'keras-archive'],
  ]

  test.each(files)('%s cut off', async (name, format) => {
    const whole = readFileSync(fixture(name))
    const lengths = [0, 100, 3000, Math.floor(whole.length / 2), whole.length - 1]
    await Promise.all(
      lengths.map((length) => readsOrRefuses(`cut-${length}-${name}`, format, whole.subarray(0, length))),
    )
  })

  test.each(files)('%s with bits turned over', async (name, format) => {
    const whole = readFileSync(fixture(name))
    const random = createRandom(21)
    const damaged = Array.from({ length: 8 }, () => {
      const bytes = new Uint8Array(whole)
      // The structure of both formats lies at their beginning and end.
      for (let flip = 0; flip < 12; flip++) {
        const near =
          random.below(2) === 0 ? random.below(Math.min(6000, bytes.length)) : random.below(bytes.length)
        bytes[near]! ^= 1 << random.below(8)
      }
      return bytes
    })
    for (let begin = 0; begin < damaged.length; begin += 4) {
      const some = damaged.slice(begin, begin + 4)
      await Promise.all(
        some.map((bytes, index) => readsOrRefuses(`bits-${begin + index}-${name}`, format, bytes)),
      )
    }
  })
})
