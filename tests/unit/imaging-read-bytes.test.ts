import { mkdtemp, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { limits } from '#imaging/limits.ts'
import { readBytes, readBytesInThread } from '#imaging/read-bytes.ts'
import { withContents } from '../helpers/folders.ts'

let folder: string
beforeAll(async () => void (folder = await mkdtemp(join(tmpdir(), 'kestrel-read-'))))
afterAll(() => rm(folder, withContents))

describe.each([
  ['through the thread pool', readBytes],
  ['in its own thread', readBytesInThread],
])('a file that is read %s', (_, read) => {
  it('comes whole, also when it is empty', async () => {
    const content = Uint8Array.from({ length: 200_000 }, (__, i) => i * 7)
    await writeFile(join(folder, 'whole'), content)
    expect(Buffer.compare(await read(join(folder, 'whole')), content)).toBe(0)
    await writeFile(join(folder, 'empty'), '')
    expect(await read(join(folder, 'empty'))).toHaveLength(0)
  })

  it('that is too large is refused before it is read', async () => {
    await writeFile(join(folder, 'large'), '')
    await truncate(join(folder, 'large'), limits.fileBytes + 1)
    await expect(read(join(folder, 'large'))).rejects.toMatchObject({ code: 'picture-too-large' })
  })

  it('that is not there, or is a folder, is refused in words', async () => {
    await expect(read(join(folder, 'none'))).rejects.toMatchObject({ code: 'file-missing' })
    await expect(read(folder)).rejects.toMatchObject({ code: 'file-unreadable' })
  })
})
