import { Worker } from 'node:worker_threads'
import type { ExportRequest, Proof } from '#shared/contract/trainer.ts'
import { createRandom, shuffle } from '#shared/domain/random.ts'
import { KestrelError } from '#shared/errors/index.ts'
import { workerUrl } from '#shared/util/worker-url.ts'
import { stoppedError, type RequestContext } from '../host/context.ts'
import type { TrainedModel } from './about.ts'
import { fromProofSchema, type ProofFigures, type ProofTask } from './proof-messages.ts'

/** At most this many pictures, so that a proof takes a minute at the most on a small machine. */
const maxImages = { onnx: 1000, tfjs: 300 } as const
const sameTensorImages = 24

/** An export may be offered when at most this share of the answers differs … */
const maxOtherAnswers = 0.005
/** … and no probability differs more than this on the same resized pixels. */
const maxSameTensorDifference = 1e-3

export const isPassed = (figures: ProofFigures): boolean =>
  figures.images - figures.same_answer <= maxOtherAnswers * figures.images &&
  figures.max_abs_diff_same_tensor <= maxSameTensorDifference

/**
 * Runs a written export on the original picture files and compares it with the app's own answers. The thread it runs
 * in is ended when `context.stop` is asked for. Throws `stopped`, or what the shipped program met.
 */
export async function proveExport(
  request: ExportRequest,
  model: TrainedModel,
  context: RequestContext,
): Promise<Proof> {
  const classes = model.classes.length
  const all = request.proofImages.map(({ path }, row) => ({
    path,
    expected: Array.from(request.proofProbabilities.subarray(row * classes, (row + 1) * classes)),
  }))
  const images = stratified(all, maxImages[request.format], request.card.seed)
  const figures = await runProof(
    {
      folder: request.targetDir,
      format: request.format,
      modelPath: model.modelPath,
      preprocessing: model.preprocessing,
      classes,
      images,
      sameTensorImages,
    },
    context,
  )
  return { ...figures, passed: isPassed(figures) }
}

/** A seeded choice in which each answer of the app has the share that it has among all pictures. */
export function stratified<T extends { expected: readonly number[] }>(
  all: readonly T[],
  limit: number,
  seed: number,
): T[] {
  if (all.length <= limit) return [...all]
  const random = createRandom(seed, 'export-proof')
  const byAnswer = new Map<number, T[]>()
  for (const image of all) {
    const answer = image.expected.indexOf(Math.max(...image.expected))
    byAnswer.set(answer, [...(byAnswer.get(answer) ?? []), image])
  }
  const groups = [...byAnswer.values()].map((group) => shuffle(random, group))
  // Each picture's place in its group, as a share of it: the smallest shares come from all groups alike.
  return groups
    .flatMap((group) => group.map((image, index) => ({ image, place: (index + 0.5) / group.length })))
    .sort((a, b) => a.place - b.place)
    .slice(0, limit)
    .map(({ image }) => image)
}

function runProof(task: ProofTask, context: RequestContext): Promise<ProofFigures> {
  const worker = new Worker(workerUrl('./proof-worker.ts', import.meta.url), {
    workerData: task,
    stdout: true,
    stderr: true,
  })
  // TensorFlow.js greets on standard output, which belongs to the program.
  worker.stdout.resume()
  worker.stderr.resume()
  return new Promise<ProofFigures>((resolve, reject) => {
    const forget = context.stop.onAsked(() => {
      reject(stoppedError())
      void worker.terminate()
    })
    worker.on('message', (raw: unknown) => {
      const message = fromProofSchema.parse(raw)
      if (message.type === 'progress') {
        context.progress('proving', message.done, task.images.length, message.rate)
      } else if (message.type === 'done') resolve(message.figures)
      else reject(notRunnable(new Error(message.detail)))
    })
    worker.on('error', (error) => reject(notRunnable(error)))
    worker.on('exit', () => {
      forget()
      reject(notRunnable(new Error('the thread of the proof ended early')))
    })
  }).finally(() => void worker.terminate())
}

const notRunnable = (cause: unknown): KestrelError =>
  new KestrelError('export-proof-failed', 'The exported files could not be run, so they are not offered.', {
    kept: 'Your model in Kestrel is unchanged.',
    remedy: 'Try again, or choose the other format. If it happens again, save diagnostics from Settings.',
    cause,
  })
