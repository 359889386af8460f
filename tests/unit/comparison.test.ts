import { describe, expect, it } from 'vitest'
import type { TrainImage } from '#trainer/head/rows.ts'
import { comparison, frozenStays } from '#trainer/loop/comparison.ts'

const image = (id: number, split: TrainImage['split'], label = 0): TrainImage => ({
  ...{ id, split, label },
  sha256: String(id),
  path: '',
})
const training = Array.from({ length: 200 }, (_, i) => image(i + 100, 'train'))
const judged = { images: [...training, image(1, 'val', 0), image(2, 'val', 1)] }
/** Right about the first picture, wrong about the second. */
const head = { val: { ids: Int32Array.of(1, 2), probabilities: Float32Array.of(0.9, 0.1, 0.8, 0.2) } }
const nobody = { val: { ids: new Int32Array(0), probabilities: new Float32Array(0) } }
const best = (accuracy: number, loss: number) => ({ epoch: 1, accuracy, loss })

describe('fine-tuned against frozen', () => {
  it('the one with more validation pictures right is the model, at a tie the one with the lower loss', () => {
    const against = (accuracy: number, loss: number) =>
      comparison(judged, head, { best: best(accuracy, loss), before: null })
    expect(against(1, 0.1)).toEqual({ tuned: true, headAccuracy: 0.5, tunedAccuracy: 1 })
    expect(against(0.5, 0.1)).toMatchObject({ tuned: true })
    expect(against(0.5, 9)).toMatchObject({ tuned: false })
    expect(against(0, 0.1)).toEqual({ tuned: false, headAccuracy: 0.5, tunedAccuracy: 0 })
  })

  it('without validation pictures has no figures, and keeps the frozen one only where training pictures say so clearly', () => {
    const of = (tuned: number, frozen: number, images = training) =>
      comparison({ images }, nobody, { best: best(tuned, 1), before: { accuracy: frozen, loss: 0.1 } })
    expect(of(0.98, 1)).toEqual({ tuned: true, headAccuracy: null, tunedAccuracy: null })
    expect(of(0.4, 1)).toEqual({ tuned: false, headAccuracy: null, tunedAccuracy: null })
    // One of nine is chance, not a clear difference.
    expect(of(8 / 9, 1, training.slice(0, 9)).tuned).toBe(true)
    expect(comparison({ images: training }, nobody, { best: null, before: null }).tuned).toBe(true)
  })

  it('has one figure where adapting came to nothing', () => {
    expect(frozenStays(judged, head)).toEqual({ tuned: false, headAccuracy: 0.5, tunedAccuracy: null })
    expect(frozenStays({ images: training }, nobody)).toMatchObject({ headAccuracy: null })
  })
})
