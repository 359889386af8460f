import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import sharp from 'sharp'
import { expect, it } from 'vitest'
import { decodeToRgb } from '#imaging/index.ts'
import { describeWithShared, sharedPath } from '../helpers/shared.ts'

const sets = ['flowers5', 'trashnet6', 'sign-digits10', 'magnetic-tile6', 'caltech-boats']
const AT_MOST = 80

/**
 * Without their notes, with matrices applied by us: pictures are decoded another way than libvips does it alone, and what a
 * network is shown must not depend on that.
 */
describeWithShared(
  'real pictures',
  sets.map((set) => `data/${set}`),
  () => {
    it.each(sets)('of %s are decoded to the pixels that libvips gives', async (set) => {
      const files = readdirSync(sharedPath(`data/${set}`), { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile() && /\.(jpe?g|png)$/i.test(entry.name))
        .map((entry) => join(entry.parentPath, entry.name))
        .sort()
      const every = Math.ceil(files.length / AT_MOST)
      let compared = 0
      for (const file of files.filter((_, at) => at % every === 0)) {
        const { icc } = await sharp(file).metadata()
        const ours = await decodeToRgb(file)
        const { data, info } = await sharp(file, { failOn: 'none' })
          .autoOrient()
          .flatten({ background: '#fff' })
          .toColourspace('srgb')
          .raw({ depth: 'uchar' })
          .toBuffer({ resolveWithObject: true })
        expect([file, ours.width, ours.height]).toEqual([file, info.width, info.height])
        const worst = ours.data.reduce((most, value, at) => {
          const theirs = info.channels === 1 ? data[Math.floor(at / 3)]! : data[at]!
          return Math.max(most, Math.abs(value - theirs))
        }, 0)
        // A profile that says sRGB is not applied: a conversion that changes nothing but by rounding.
        const isSrgb = icc !== undefined && icc.includes('sRGB')
        expect([file, worst <= (isSrgb ? 1 : 0)]).toEqual([file, true])
        compared++
      }
      expect(compared).toBeGreaterThan(40)
    })
  },
)
