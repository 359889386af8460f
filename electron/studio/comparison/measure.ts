import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { TrainResult } from '#shared/contract/trainer.ts'
import { predictedClasses } from '#shared/domain/metrics.ts'
import { countPairs } from '#shared/domain/paired-comparison.ts'
import type { PairedCounts } from '#shared/domain/paired-comparison.ts'
import { KestrelError } from '#shared/errors/index.ts'
import type { MeasuredRatesStore } from '../backbones/rates.ts'
import type { BackboneService, ReadyBackbone } from '../backbones/service.ts'
import type { JobContext } from '../jobs/job-runner.ts'
import type { OpenProject } from '../projects/open-project.ts'
import type { TrainerPool } from '../trainer-client/pool.ts'
import { imagesOf } from '../training/plan.ts'
import type { PlannedPicture } from '../training/plan.ts'
import { isQuick } from '../training/run-training.ts'

export interface MeasurePorts {
  pool: TrainerPool
  backbones: BackboneService
  rates: MeasuredRatesStore
}

export interface MeasureRequest {
  ownId: string
  otherId: string
  /** Names of the classes that `pictures` speak of. */
  classes: readonly string[]
  /** The sample; no test pictures. */
  pictures: readonly PlannedPicture[]
  seed: number
}

export interface Measured extends PairedCounts {
  own: ReadyBackbone
  other: ReadyBackbone
}

const FOLDS = 5

/**
 * Has both backbones answer the same pictures, each picture by a head that did not learn from it, with the same folds.
 * Features go into the project's cache: a training later finds them. The heads themselves are thrown away.
 * @throws KestrelError stopped, and whatever a training of a head may end with
 */
export async function measureBoth(
  ports: MeasurePorts,
  project: OpenProject,
  request: MeasureRequest,
  job: JobContext,
): Promise<Measured> {
  const own = await answersOf(ports, project, request, request.ownId, 0, job)
  const other = await answersOf(ports, project, request, request.otherId, 1, job)
  // A picture that one of the two could not read is left out for both.
  const known = request.pictures.filter(
    ({ pictureId }) => own.answers.has(pictureId) && other.answers.has(pictureId),
  )
  if (known.length === 0) throw notMeasured()
  const counts = countPairs(
    known.map((picture) => picture.class),
    known.map(({ pictureId }) => own.answers.get(pictureId)!),
    known.map(({ pictureId }) => other.answers.get(pictureId)!),
  )
  return { ...counts, own: own.backbone, other: other.backbone }
}

async function answersOf(
  { pool, backbones, rates }: MeasurePorts,
  project: OpenProject,
  { classes, pictures, seed }: MeasureRequest,
  backboneId: string,
  turn: 0 | 1,
  job: JobContext,
): Promise<{ backbone: ReadyBackbone; answers: Map<number, number> }> {
  const before = turn * pictures.length
  job.update({ stage: 'converting', done: before, total: 2 * pictures.length })
  const backbone = await backbones.ensure(backboneId)
  job.signal.throwIfAborted()
  const folder = join(project.paths.temporary, `compare-${job.id}-${turn}`)
  await mkdir(folder, { recursive: true })
  try {
    const call = (await isQuick(project, { pictures: [...pictures] }, backbone)) ? pool.quick : pool.long
    const result = await call<'train'>(
      {
        kind: 'train',
        recipe: 'head',
        backbone: {
          id: backbone.id,
          sha256: backbone.sha256,
          onnxPath: backbone.onnxPath,
          featureLength: backbone.featureLength,
          preprocessing: backbone.preprocessing,
        },
        objective: 'softmax',
        classes: [...classes],
        images: imagesOf(pictures),
        ...{ seed, folds: FOLDS, cacheDir: project.paths.features, runDir: folder },
        ...{ warmStartFrom: null, gradients: null, engine: 'onnx', checkpointDir: null },
      },
      {
        signal: job.signal,
        onProgress: ({ stage, done, rate }) =>
          job.update({
            stage,
            // Reading pictures takes nearly all of the time; what follows has no size of its own in the bar.
            done: before + (stage === 'features' ? Math.min(done, pictures.length) : pictures.length),
            ...(rate === null ? {} : { rate }),
          }),
      },
    )
    await rates.noteFeatures(backboneId, result.features.computed, result.timings.features_s)
    return { backbone, answers: answersIn(result, classes.length) }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

function answersIn({ outOfFold }: TrainResult, classes: number): Map<number, number> {
  if (!outOfFold) throw notMeasured()
  const said = predictedClasses(outOfFold.probabilities, classes)
  return new Map(Array.from(outOfFold.ids, (id, row) => [id, said[row]!]))
}

const notMeasured = (): KestrelError =>
  new KestrelError('too-few-pictures', 'The two networks could not be compared on these pictures.', {
    kept: 'Pictures, labels and models are unchanged.',
    remedy: 'Add pictures, or train with either of them.',
  })
