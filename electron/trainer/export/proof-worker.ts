import { realpath } from 'node:fs/promises'
import { registerHooks } from 'node:module'
import { pathToFileURL } from 'node:url'
import { parentPort, workerData } from 'node:worker_threads'
import { decodeToRgb } from '#imaging/decode.ts'
import { resizeFile } from '#imaging/prepare.ts'
import { tensorFromResized } from '#shared/domain/preprocessing/index.ts'
import { KestrelError, toWire } from '#shared/errors/index.ts'
import { OnnxSession } from '../engines/onnx/session.ts'
import { float32 } from '../graph/tensor.ts'
import { proofTaskSchema, type FromProof, type ProofFigures, type ProofTask } from './proof-messages.ts'

/**
 * Runs a written export with the very program that ships in it, in a thread of its own: what that program loads stays
 * apart from the app, and a proof that is no longer wanted is simply ended.
 */

/** What `predict.mjs` of every format offers. */
interface ShippedClassifier {
  labels: string[]
  predict(file: string): Promise<{ probabilities: number[] }>
  predictPixels(data: Uint8Array, width: number, height: number): Promise<{ probabilities: number[] }>
  close(): void | Promise<void>
}
interface ShippedProgram {
  loadClassifier(folder: string): Promise<ShippedClassifier>
}

const port = parentPort
if (!port) throw new KestrelError('internal', 'The proof was started outside a worker thread.')
const send = (message: FromProof): void => port.postMessage(message)

/** Packages that the program names are the app's own: the exported folder has none before `npm install`. */
async function importShipped(folder: string): Promise<ShippedProgram> {
  const inside = `${pathToFileURL(await realpath(folder)).href}/`
  registerHooks({
    resolve(specifier, context, next) {
      const bare = !/^(?:\.{0,2}\/|node:|file:|[A-Za-z]:)/.test(specifier)
      const ours = bare && context.parentURL?.startsWith(inside) === true
      return next(specifier, ours ? { ...context, parentURL: import.meta.url } : context)
    },
  })
  const program: unknown = await import(new URL('predict.mjs', inside).href)
  if (typeof program !== 'object' || program === null || !('loadClassifier' in program)) {
    throw new KestrelError('internal', 'The exported program does not offer what it should.')
  }
  return program as ShippedProgram
}

/** Reads a picture with the shipped program; formats that sharp alone cannot open are decoded by the app first. */
async function predictFile(classifier: ShippedClassifier, path: string): Promise<number[] | null> {
  try {
    return (await classifier.predict(path)).probabilities
  } catch (refused) {
    try {
      const { data, width, height } = await decodeToRgb(path)
      return (await classifier.predictPixels(data, width, height)).probabilities
    } catch (error) {
      // Moved away or damaged since: nobody can answer for this picture, so it says nothing about the export.
      if (error instanceof KestrelError) return null
      throw refused
    }
  }
}

const largest = (values: readonly number[]): number => values.indexOf(Math.max(...values))

function difference(a: readonly number[], b: readonly number[]): number {
  if (a.length !== b.length) return 1
  return a.reduce((most, value, index) => {
    const distance = Math.abs(value - b[index]!)
    // Not a number is as wrong as it can be.
    return Number.isNaN(distance) ? 1 : Math.max(most, distance)
  }, 0)
}

async function prove(task: ProofTask): Promise<ProofFigures> {
  const { folder, preprocessing, images } = task
  const program = await importShipped(folder)
  const classifier = await program.loadClassifier(folder)
  const own = await OnnxSession.open(task.modelPath, { threads: 1 })
  const { width, height } = preprocessing.size
  const figures: ProofFigures = { images: 0, same_answer: 0, max_abs_diff: 0, max_abs_diff_same_tensor: 0 }
  const began = performance.now()
  let compared = 0
  for (const [index, { path, expected }] of images.entries()) {
    const answer = await predictFile(classifier, path)
    if (answer !== null) {
      figures.images += 1
      if (largest(answer) === largest(expected)) figures.same_answer += 1
      figures.max_abs_diff = Math.max(figures.max_abs_diff, difference(answer, expected))
      if (compared < task.sameTensorImages) {
        compared += 1
        const pixels = await resizeFile(path, preprocessing)
        const theirs = (await classifier.predictPixels(pixels, width, height)).probabilities
        const input = float32([1, 3, height, width], tensorFromResized(pixels, preprocessing))
        const result = await own.run({ [own.inputs[0]?.name ?? 'input']: input })
        const ours = Array.from(result[own.outputs[0]?.name ?? 'probabilities']?.data as Float32Array)
        figures.max_abs_diff_same_tensor = Math.max(
          figures.max_abs_diff_same_tensor,
          difference(theirs, ours),
        )
      }
    }
    const seconds = (performance.now() - began) / 1000
    send({ type: 'progress', done: index + 1, rate: seconds > 0.2 ? (index + 1) / seconds : null })
  }
  await own.dispose()
  await classifier.close()
  return figures
}

try {
  send({ type: 'done', figures: await prove(proofTaskSchema.parse(workerData)) })
} catch (error) {
  const detail = error instanceof Error ? (error.stack ?? error.message) : String(error)
  send({ type: 'failed', error: toWire(error), detail })
}
