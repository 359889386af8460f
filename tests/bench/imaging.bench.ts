import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import sharp from 'sharp'
import { preprocessFile, readForImport, THUMBNAIL_EDGE } from '#imaging/index.ts'
import type { Preprocessing } from '#shared/domain/preprocessing/index.ts'
import type { Bench, BenchResult } from './types.ts'

/**
 * What Kestrel does with picture files beside what bare sharp needs to decode and resize the same files, in one process,
 * turn about, so that both see the same machine. Both have the same number of files in flight.
 */

const IN_FLIGHT = 6
const ROUNDS = 3
/** Labelled sets: many small pictures, web photos, photos of 512 × 384. */
const SETS = ['flowers5', 'trashnet6', 'sign-digits10', 'magnetic-tile6', 'caltech-boats']

function picturesBelow(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && /\.(jpe?g|png)$/i.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name))
    .sort()
}

async function filesPerSecond(
  files: readonly string[],
  work: (path: string) => Promise<unknown>,
): Promise<number> {
  const began = performance.now()
  let next = 0
  const lane = async (): Promise<void> => {
    for (let path = files[next++]; path !== undefined; path = files[next++]) await work(path)
  }
  await Promise.all(Array.from({ length: IN_FLIGHT }, lane))
  return (files.length * 1000) / (performance.now() - began)
}

const median = (values: number[]): number =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0

/** Both ways turn about; medians, and the median of the ratios of one turn. */
async function compare(
  files: readonly string[],
  ours: (path: string) => Promise<unknown>,
  bare: (path: string) => Promise<unknown>,
): Promise<{ ours: number; bare: number; ratio: number }> {
  const warm = files.slice(0, 60)
  await filesPerSecond(warm, ours)
  await filesPerSecond(warm, bare)
  const turns: { ours: number; bare: number }[] = []
  for (let round = 0; round < ROUNDS; round++) {
    turns.push({ bare: await filesPerSecond(files, bare), ours: await filesPerSecond(files, ours) })
  }
  return {
    ours: median(turns.map((turn) => turn.ours)),
    bare: median(turns.map((turn) => turn.bare)),
    ratio: median(turns.map((turn) => turn.ours / turn.bare)),
  }
}

const bareThumbnail = (path: string): Promise<unknown> =>
  sharp(path)
    .autoOrient()
    .resize({ width: THUMBNAIL_EDGE, height: THUMBNAIL_EDGE, fit: 'inside', withoutEnlargement: true })
    .raw()
    .toBuffer()

const bareSquare =
  (size: number) =>
  (path: string): Promise<unknown> =>
    sharp(path).autoOrient().resize({ width: size, height: size, fit: 'fill' }).raw().toBuffer()

const definition = (size: number): Preprocessing => ({
  version: 1,
  size: { width: size, height: size },
  fit: 'stretch',
  filter: 'pillow-bilinear',
  background: [255, 255, 255],
  channelOrder: 'RGB',
  mean: [127.5, 127.5, 127.5],
  divisor: [127.5, 127.5, 127.5],
  jpegScaledDecode: false,
})

/** Files per second of ours beside bare sharp's, and their ratio. */
async function measured(
  name: string,
  files: readonly string[],
  ways: { ours: (path: string) => Promise<unknown>; bare: (path: string) => Promise<unknown> },
  target?: BenchResult['target'],
): Promise<BenchResult[]> {
  const { ours, bare, ratio } = await compare(files, ways.ours, ways.bare)
  const reference = { name: 'bare sharp', value: bare, unit: 'img/s' }
  const note = `${files.length} files, ${IN_FLIGHT} in flight, median of ${ROUNDS} rounds turn about`
  return [
    { group: 'Import', name, value: ours, unit: 'img/s', reference, note },
    { group: 'Import', name: `${name} ÷ bare sharp`, value: ratio, unit: '', ...(target && { target }) },
  ]
}

export const run: Bench = async ({ shared, say }) => {
  const folders = SETS.map((set) => shared(`data/${set}`)).filter((folder) => folder !== null)
  const files = folders.flatMap(picturesBelow)
  if (files.length === 0) return []
  say(`${files.length} picture files`)
  const results = await measured(
    'Reading for import (hash, findings, thumbnail)',
    files,
    { ours: (path) => readForImport(path), bare: bareThumbnail },
    { atLeast: 0.6 },
  )
  for (const size of [224, 128]) {
    say(`${size} px`)
    const wanted = definition(size)
    results.push(
      ...(await measured(`Preprocessing to ${size} px`, files, {
        ours: (path) => preprocessFile(path, wanted),
        bare: bareSquare(size),
      })),
    )
  }
  return results
}
