import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { readCheckpoint, writeCheckpoint } from '../../../electron/trainer/loop/checkpoint.ts'
import { temporaryFolder } from '../../helpers/folders.ts'

const progressSchema = z.object({ epoch: z.int() })
const vectors = new Map([
  ['parameters/0', Float32Array.of(1.5, -0, NaN, Infinity, 1e-40)],
  ['statistics', new Float32Array(0)],
  ['slot/0/first', Float32Array.of(3)],
])

async function written(): Promise<string> {
  const file = join(temporaryFolder(), 'checkpoint.bin')
  await writeCheckpoint(file, { fingerprint: 'this', progress: { epoch: 3 }, vectors })
  return file
}

describe('a checkpoint', () => {
  test('comes back bit by bit', async () => {
    const kept = await readCheckpoint(await written(), 'this', progressSchema)
    expect(kept?.progress).toEqual({ epoch: 3 })
    expect([...kept!.vectors.keys()]).toEqual([...vectors.keys()])
    for (const [name, vector] of vectors)
      expect(new Uint32Array(kept!.vectors.get(name)!.buffer)).toEqual(new Uint32Array(vector.buffer))
  })

  test('is replaced as a whole and leaves nothing beside it', async () => {
    const file = await written()
    await writeCheckpoint(file, { fingerprint: 'this', progress: { epoch: 4 }, vectors })
    expect((await readCheckpoint(file, 'this', progressSchema))?.progress.epoch).toBe(4)
    expect(readdirSync(join(file, '..'))).toEqual(['checkpoint.bin'])
  })

  test('is not there before the first epoch, and not for another training', async () => {
    expect(await readCheckpoint(join(temporaryFolder(), 'none'), 'this', progressSchema)).toBeNull()
    expect(await readCheckpoint(await written(), 'other', progressSchema)).toBeNull()
  })

  test.each([
    ['cut off', (bytes: Buffer) => bytes.subarray(0, bytes.length - 3)],
    ['with more behind it', (bytes: Buffer) => Buffer.concat([bytes, Buffer.from('x')])],
    ['overwritten', () => Buffer.from('no checkpoint')],
    ['empty', () => Buffer.alloc(0)],
    [
      'of another kind',
      (bytes: Buffer) => Buffer.from(bytes.toString('latin1').replace('"epoch":3', '"epoch":"'), 'latin1'),
    ],
  ])('%s is told in words', async (_, damage) => {
    const file = await written()
    writeFileSync(file, damage(readFileSync(file)))
    await expect(readCheckpoint(file, 'this', progressSchema)).rejects.toMatchObject({
      code: 'model-unreadable',
    })
  })
})
