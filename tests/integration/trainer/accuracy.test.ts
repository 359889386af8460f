import { createHash } from 'node:crypto'
import { mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { PreparedBackbone, TrainRequest } from '#shared/contract/trainer.ts'
import { preprocessingSchema } from '#shared/domain/preprocessing/index.ts'
import { stratifiedSplit } from '#shared/domain/splits.ts'
import { temporaryFolder } from '../../helpers/folders.ts'
import { describeWithShared, sharedPath } from '../../helpers/shared.ts'
import { TrainerProcess } from '../../helpers/trainer-process.ts'

/** Pooled 10-fold accuracy that scikit-learn reaches on Keras' features of the same pictures is .870 with v2. */
const expected = [
  { id: 'mobilenet_v1_0.25_128', atLeast: 0.79 },
  { id: 'mobilenet_v2_1.0_224', atLeast: 0.85 },
]

describeWithShared(
  'real pictures',
  ['data/flowers5', ...expected.map(({ id }) => `backbones/${id}/model.h5`)],
  () => {
    let trainer: TrainerProcess
    beforeAll(async () => {
      trainer = await TrainerProcess.start()
    })
    afterAll(() => trainer.close())

    it.each(expected)(
      '$id sorts flowers, ten folds pooled',
      async ({ id, atLeast }) => {
        const folder = temporaryFolder()
        const { preprocessing, ...prepared } = await trainer.request({
          kind: 'prepare-backbone',
          file: sharedPath(`backbones/${id}/model.h5`),
          target: join(folder, 'backbone.onnx'),
        }).answer
        const backbone: PreparedBackbone = {
          id,
          sha256: prepared.sha256,
          onnxPath: join(folder, 'backbone.onnx'),
          featureLength: prepared.featureLength,
          preprocessing: preprocessingSchema.parse(preprocessing),
        }
        const { classes, images } = flowers()
        const runDir = join(folder, 'run')
        mkdirSync(runDir)
        const result = await trainer.request({
          kind: 'train',
          recipe: 'head',
          backbone,
          classes,
          images,
          seed: 1,
          folds: 10,
          cacheDir: join(folder, 'cache'),
          runDir,
          warmStartFrom: null,
          gradients: null,
          engine: 'onnx',
          checkpointDir: null,
        }).answer
        expect(result.failed).toEqual([])
        const labels = new Map(images.map((image) => [image.id, image.label]))
        const { ids, probabilities } = result.outOfFold!
        const right = [...ids].filter((picture, row) => {
          const of = probabilities.subarray(row * classes.length, (row + 1) * classes.length)
          return of.indexOf(Math.max(...of)) === labels.get(picture)
        })
        expect(right.length / ids.length).toBeGreaterThan(atLeast)
      },
      240_000,
    )
  },
)

/** All pictures take part in the folds; there is no test part. */
function flowers(): { classes: string[]; images: TrainRequest['images'] } {
  const root = sharedPath('data/flowers5')
  const classes = readdirSync(root, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => name)
    .sort()
  const found = classes.flatMap((name, label) =>
    readdirSync(join(root, name))
      .sort()
      .map((file) => ({ path: join(root, name, file), label })),
  )
  const keys = found.map(({ path }) => createHash('sha256').update(readFileSync(path)).digest('hex'))
  const split = stratifiedSplit({
    labels: found.map(({ label }) => label),
    keys,
    seed: 1,
    fractions: { train: 85, val: 15, test: 0 },
  })
  return { classes, images: found.map((each, id) => ({ ...each, id, sha256: keys[id]!, split: split[id]! })) }
}
