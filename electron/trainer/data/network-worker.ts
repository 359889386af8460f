import { readFile } from 'node:fs/promises'
import { parentPort, workerData } from 'node:worker_threads'
import { decodeToRgb } from '#imaging/decode.ts'
import { preprocessFile, resizeFile } from '#imaging/prepare.ts'
import { readBytesInThread } from '#imaging/read-bytes.ts'
import { networkInputLength, partOf } from '#shared/domain/preprocessing/index.ts'
import { KestrelError, toWire } from '#shared/errors/index.ts'
import type { OnnxSession } from '../engines/onnx/session.ts'
import type { TfjsClassifier } from '../engines/tfjs/classifier.ts'
import { tensor } from '../graph/tensor.ts'
import { networkWorkerDataSchema } from './network-messages.ts'
import type { FromNetworkWorker, PictureTask, ToNetworkWorker } from './network-messages.ts'
import { PictureNetwork, type PictureAnswer } from './picture-network.ts'

/**
 * One core's worth of the way from picture files to a network's output. Small pictures are read and decoded here, larger
 * ones in the process's thread pool while this thread runs the network on earlier ones, so both are always at work.
 */
const { onnxPath, tfjsPath, preprocessing, threads } = networkWorkerDataSchema.parse(workerData)
const port = parentPort
if (!port) throw new KestrelError('internal', 'The network worker was started outside a worker thread.')

/** Pictures that are being read and decoded at any time; the others are no more than their paths. */
const DECODING = 4

async function openNetwork(path: string): Promise<OnnxSession> {
  // Threads that only decode do without the runtime: they start sooner and take less memory.
  const { OnnxSession } = await import('../engines/onnx/session.ts')
  return OnnxSession.open(path, { threads })
}

async function openTfjs(path: string): Promise<TfjsClassifier> {
  const { TfjsClassifier } = await import('../engines/tfjs/classifier.ts')
  return TfjsClassifier.open(path)
}

const classifier = tfjsPath === null ? null : await openTfjs(tfjsPath)
const session = onnxPath === null ? null : await openNetwork(onnxPath)
const takesFiles = session?.inputs[0]?.type === 'uint8'
const network =
  session === null || takesFiles ? null : new PictureNetwork(session, preprocessing.size, keepsApart)

async function keepsApart(): Promise<boolean> {
  const [{ readOnnx }, { keepsPicturesApart }] = await Promise.all([
    import('../graph/onnx/index.ts'),
    import('../graph/keeps-apart.ts'),
  ])
  return keepsPicturesApart(readOnnx(await readFile(onnxPath!)))
}

interface Work extends PictureTask {
  began: number
  /** When it had been decoded; what comes after that until the network sees it is waiting. */
  decoded: number
}

/** Pictures that go through the network together. */
interface Batch {
  /** float32 `[most, 3, height, width]` */
  numbers: Float32Array
  /** Pictures it has room for. */
  most: number
  pictures: Work[]
}

/** What is being filled: whatever comes together until it is full, or until this thread has nothing else to do. */
let gathering: Batch | null = null
/** Half a megabyte anew for each picture would keep the garbage collector at work all the time. */
const spare: Float32Array[] = []

/** Room for a picture that has been decoded. */
function place(network: PictureNetwork, work: Work): { target: Float32Array; offset: number } {
  const length = networkInputLength(preprocessing)
  const batch = (gathering ??= begin(network.most * length, network.most))
  const offset = batch.pictures.length * length
  work.decoded = performance.now()
  batch.pictures.push(work)
  if (batch.pictures.length === batch.most) {
    gathering = null
    // Once the picture has been written there.
    queueMicrotask(() => void show(network, batch))
  }
  return { target: batch.numbers, offset }
}

function begin(length: number, most: number): Batch {
  const used = spare.pop()
  return { numbers: used && used.length >= length ? used : new Float32Array(length), most, pictures: [] }
}

async function show(network: PictureNetwork, { numbers, pictures }: Batch): Promise<void> {
  try {
    done(pictures, await network.answer(numbers, pictures.length))
  } catch (error) {
    for (const work of pictures) failed(work, error)
  }
  spare.push(numbers)
}

async function toNetwork(network: PictureNetwork, work: Work): Promise<void> {
  const { path, region } = work.source
  const file = await readBytesInThread(path)
  await preprocessFile(file, preprocessing, () => place(network, work), region)
  if (gathering === null) return
  setImmediate(() => {
    if (gathering === null) return
    const batch = gathering
    gathering = null
    void show(network, batch)
  })
}

/** For networks that do all, or a part, of the preprocessing themselves, and where there is none. */
async function answerAlone({ path, region }: Work['source']): Promise<Float32Array> {
  const file = await readBytesInThread(path)
  if (classifier) {
    const { width, height } = preprocessing.size
    return classifier.answer(await resizeFile(file, preprocessing), width, height)
  }
  if (session === null) return preprocessFile(file, preprocessing, undefined, region)
  const whole = await decodeToRgb(file, { background: preprocessing.background })
  const { data, width, height } = region ? partOf(whole, region) : whole
  const [input, output] = [session.inputs[0]!.name, session.outputs[0]!.name]
  const values = (await session.run({ [input]: tensor('uint8', [height, width, 3], data) }, [output]))[output]
  if (!(values?.data instanceof Float32Array))
    throw new KestrelError('backbone-unsupported', 'The network did not answer with numbers.')
  return values.data
}

const reply = (message: FromNetworkWorker, transfer: ArrayBuffer[] = []): void =>
  port.postMessage(message, transfer)

function done(pictures: readonly Work[], answers: readonly PictureAnswer[]): void {
  // A copy of its own: the runtime or the decoder may hand out a view of something larger, which cannot be moved.
  const length = answers[0]!.values.length
  const values = new Float32Array(length * answers.length)
  answers.forEach((answer, at) => values.set(answer.values, at * length))
  const tasks = pictures.map(({ task, began, decoded }, at) => ({
    task,
    milliseconds: decoded - began + answers[at]!.milliseconds,
  }))
  reply({ type: 'done', tasks, values }, [values.buffer])
}

function failed({ task, began }: Work, error: unknown): void {
  reply({ type: 'failed', task, error: toWire(error), milliseconds: performance.now() - began })
}

const queue: PictureTask[] = []
let lanes = 0

async function lane(): Promise<void> {
  lanes += 1
  for (let task = queue.shift(); task !== undefined; task = queue.shift()) {
    const began = performance.now()
    const work = { ...task, began, decoded: began }
    try {
      if (network) await toNetwork(network, work)
      else {
        const values = await answerAlone(work.source)
        done([work], [{ values, milliseconds: performance.now() - began }])
      }
    } catch (error) {
      failed(work, error)
    }
  }
  lanes -= 1
}

port.on('message', (message: ToNetworkWorker) => {
  if (message.type === 'pictures') {
    queue.push(...message.tasks)
    while (lanes < DECODING && queue.length > 0) void lane()
    return
  }
  // Nobody waits for what has not been begun.
  queue.length = 0
  port.close()
  void session?.dispose()
  classifier?.dispose()
})
