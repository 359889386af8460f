import { readFileSync, readdirSync } from 'node:fs'
import { createHash } from 'node:crypto'
import { readHeader } from '#imaging/header.ts'
import { readPlainJpegHeader } from '#imaging/jpeg-header.ts'
for (const s of ['flowers5', 'trashnet6', 'sign-digits10', 'magnetic-tile6', 'caltech-boats', 'unlabelled-caltech']) {
  const root = '/work/shared/data/' + s
  const files = readdirSync(root, { recursive: true }).map((f) => root + '/' + f).filter((f) => /\.(jpe?g)$/i.test(f))
  const kinds = new Map<string, number>()
  for (const f of files) { const b = readFileSync(f); const p = readPlainJpegHeader(b); const h = await readHeader(b, 'jpeg'); const key = p === null ? 'not plain' : p.profile === null ? 'none' : `${h.ignoreProfile ? 'sRGB' : 'other'} ${p.profile.length} ${createHash('md5').update(p.profile).digest('hex').slice(0, 6)} ${Buffer.from(p.profile).toString('latin1').match(/desc\0\0\0\0....([\x20-\x7e]+)/s)?.[1]}`; kinds.set(key, (kinds.get(key) ?? 0) + 1) }
  console.log(s, [...kinds].sort((a, b) => b[1] - a[1]).slice(0, 8))
}
