import { readFileSync, readdirSync, statSync } from 'node:fs'
import { createHash } from 'node:crypto'
import { join } from 'node:path'
import sharp from 'sharp'
import { describe, expect, it } from 'vitest'

const root = join(import.meta.dirname, '../../resources/samples/forest-finds')
const labels = readdirSync(root).sort()
const files = labels.flatMap((label) => readdirSync(join(root, label)).map((name) => join(root, label, name)))

describe('the sample', () => {
  it('has four labels with 56 pictures each, in at most 4 MB', () => {
    expect(labels).toEqual(['feather', 'leaf', 'mushroom', 'shell'])
    for (const label of labels) expect(readdirSync(join(root, label))).toHaveLength(56)
    expect(files.reduce((sum, file) => sum + statSync(file).size, 0)).toBeLessThan(4e6)
  })

  it('consists of different JPEG pictures, 320 px long', async () => {
    const hashes = new Set(files.map((file) => createHash('sha256').update(readFileSync(file)).digest('hex')))
    expect(hashes.size).toBe(files.length)
    for (const file of files) {
      const { format, width, height } = await sharp(file).metadata()
      expect(format).toBe('jpeg')
      expect(Math.max(width, height)).toBe(320)
    }
  })
})
