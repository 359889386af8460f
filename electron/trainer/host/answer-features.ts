import { computeFeatures } from '../data/features.ts'
import type { Handlers } from './host.ts'

/** The `features` request: fills the cache and, when asked, sends the features back. */
export const answerFeatures: Handlers['features'] = async (request, context) => {
  const { backbone, images } = request
  const target = request.returnFeatures ? new Float32Array(images.length * backbone.featureLength) : null
  context.progress('features', 0, images.length)
  const outcome = await computeFeatures({
    backbone,
    images,
    cacheDir: request.cacheDir,
    target,
    stop: context.stop,
    onProgress: (done, total, rate) => context.progress('features', done, total, rate),
  })
  return {
    kind: 'features',
    cached: outcome.cached,
    computed: outcome.computed,
    failed: outcome.failed.map(({ index, error }) => ({ id: images[index]!.id, error })),
    features: target,
    seconds: outcome.seconds,
  }
}
