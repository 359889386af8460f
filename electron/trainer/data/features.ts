import type { PreparedBackbone, TrainerImage } from '#shared/contract/trainer.ts'
import { KestrelError, type WireError } from '#shared/errors/index.ts'
import { stoppedError, type StopSignal } from '../host/context.ts'
import { FeatureCache } from './feature-cache.ts'
import { NetworkPool } from './network-pool.ts'

export interface FeatureJob {
  backbone: PreparedBackbone
  images: readonly TrainerImage[]
  cacheDir: string
  /** `[images, featureLength]`, filled row by row; null when only the cache is to be filled. */
  target: Float32Array | null
  stop: StopSignal
  /** `rate`: pictures computed per second, null while all come from the cache. */
  onProgress: (done: number, total: number, rate: number | null) => void
}

export interface FeatureOutcome {
  /** Pictures whose features were there already. */
  cached: number
  computed: number
  failed: { index: number; error: WireError }[]
  seconds: number
}

/**
 * Features of pictures: from the cache, or decoded, resized, run through the backbone and added to the cache in the order
 * in which they get done. Copies of a picture are computed once.
 *
 * @throws KestrelError `stopped` when asked to stop; what was computed is in the cache. Whatever the cache or the
 *   backbone throw.
 */
export async function computeFeatures(job: FeatureJob): Promise<FeatureOutcome> {
  const began = performance.now()
  const { backbone, images, target, stop } = job
  const length = backbone.featureLength
  const cache = await FeatureCache.open(job.cacheDir, {
    backboneSha256: backbone.sha256,
    preprocessing: backbone.preprocessing,
    featureLength: length,
  })
  try {
    const places = new Map<string, number[]>()
    images.forEach(({ sha256 }, index) => {
      const known = places.get(sha256)
      if (known) known.push(index)
      else places.set(sha256, [index])
    })
    const keys = [...places.keys()]
    const { missing, cached } = target
      ? await readCached(cache, keys, places, target, length)
      : { missing: keys.filter((key) => !cache.has(key)), cached: 0 }
    const cachedPictures = target
      ? cached
      : images.length - missing.reduce((sum, key) => sum + places.get(key)!.length, 0)
    job.onProgress(cachedPictures, images.length, null)

    const outcome: FeatureOutcome = { cached: cachedPictures, computed: 0, failed: [], seconds: 0 }
    if (missing.length > 0) {
      stop.throwIfAsked('Features computed so far are kept.')
      await computeMissing(job, cache, missing, places, outcome)
    }
    await cache.flush()
    outcome.failed.sort((a, b) => a.index - b.index)
    outcome.seconds = (performance.now() - began) / 1000
    return outcome
  } finally {
    await cache.close()
  }
}

async function readCached(
  cache: FeatureCache,
  keys: readonly string[],
  places: ReadonlyMap<string, readonly number[]>,
  target: Float32Array,
  length: number,
): Promise<{ missing: string[]; cached: number }> {
  const missing: string[] = []
  let cached = 0
  const perPiece = Math.max(1, Math.floor((8 * 1024 * 1024) / (length * 4)))
  const piece = new Float32Array(Math.min(perPiece, keys.length) * length)
  for (let first = 0; first < keys.length; first += perPiece) {
    const some = keys.slice(first, first + perPiece)
    const found = await cache.read(some, piece)
    some.forEach((key, i) => {
      if (!found[i]) {
        missing.push(key)
        return
      }
      const row = piece.subarray(i * length, (i + 1) * length)
      for (const index of places.get(key)!) target.set(row, index * length)
      cached += places.get(key)!.length
    })
  }
  return { missing, cached }
}

async function computeMissing(
  job: FeatureJob,
  cache: FeatureCache,
  missing: readonly string[],
  places: ReadonlyMap<string, readonly number[]>,
  outcome: FeatureOutcome,
): Promise<void> {
  const { backbone, images, target, stop } = job
  const length = backbone.featureLength
  const pool = new NetworkPool({ onnxPath: backbone.onnxPath, preprocessing: backbone.preprocessing })
  const began = performance.now()
  let next = 0
  const lane = async (): Promise<void> => {
    while (next < missing.length && stop.asked === null) {
      const key = missing[next++]!
      const indices = places.get(key)!
      const { values, error } = await pool.submit(images[indices[0]!]!)
      if (values) {
        if (values.length !== length)
          throw new KestrelError(
            'backbone-damaged',
            `The backbone gives ${values.length} features instead of ${length}.`,
            {
              remedy: 'Add the backbone again.',
            },
          )
        // Numbers that are not finite are never kept: a later version of the backbone's file would inherit them.
        if (values.every(Number.isFinite)) cache.append(key, values)
        for (const index of indices) target?.set(values, index * length)
        outcome.computed += indices.length
      } else if (error) {
        for (const index of indices) {
          target?.fill(Number.NaN, index * length, (index + 1) * length)
          outcome.failed.push({ index, error })
        }
      }
      const seconds = (performance.now() - began) / 1000
      const done = outcome.cached + outcome.computed + outcome.failed.length
      job.onProgress(
        done,
        images.length,
        seconds > 0.2 ? (outcome.computed + outcome.failed.length) / seconds : null,
      )
    }
  }
  try {
    await Promise.all(Array.from({ length: Math.min(pool.capacity, missing.length) }, lane))
  } finally {
    await pool.close()
  }
  if (stop.asked !== null) throw stoppedError('Features computed so far are kept.')
}
