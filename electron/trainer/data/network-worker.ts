import { parentPort, workerData } from 'node:worker_threads'
import { decodeToRgb } from '#imaging/decode.ts'
import { preprocessFile, resizeFile } from '#imaging/prepare.ts'
import { readBytesInThread } from '#imaging/read-bytes.ts'
import { networkInputLength, partOf } from '#shared/domain/preprocessing/index.ts'
import { KestrelError, toWire } from '#shared/errors/index.ts'
import type { OnnxSession } from '../engines/onnx/session.ts'
import type { TfjsClassifier } from '../engines/tfjs/classifier.ts'
import { float32, tensor } from '../graph/tensor.ts'
import type { Tensor } from '../graph/types.ts'
import { networkWorkerDataSchema } from './network-messages.ts'
import type { FromNetworkWorker, PictureSource, ToNetworkWorker } from './network-messages.ts'

/**
 * One core's worth of the way from picture files to a network's output. Small pictures are read and decoded here, larger
 * ones in the process's thread pool while this thread runs the network on an earlier picture, so both are always at work;
 * as many pictures are decoded ahead as the pool hands out, no more.
 */
const { onnxPath, tfjsPath, preprocessing, threads } = networkWorkerDataSchema.parse(workerData)
const port = parentPort
if (!port) throw new KestrelError('internal', 'The network worker was started outside a worker thread.')

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
const [input, output] = [session?.inputs[0], session?.outputs[0]]

/**
 * What pictures were laid out in before, ready for the next: one for each picture that is on its way. Half a megabyte
 * anew for each picture would keep the garbage collector at work all the time.
 */
const spare: Float32Array[] = []

async function readInput({ path, region }: PictureSource): Promise<Tensor> {
  const file = await readBytesInThread(path)
  if (input?.type === 'uint8') {
    const whole = await decodeToRgb(file, { background: preprocessing.background })
    const { data, width, height } = region ? partOf(whole, region) : whole
    return tensor('uint8', [height, width, 3], data)
  }
  const { width, height } = preprocessing.size
  const target = spare.pop() ?? new Float32Array(networkInputLength(preprocessing))
  return float32(
    [1, 3, height, width],
    await preprocessFile(file, preprocessing, { target, offset: 0 }, region),
  )
}

async function answer(source: PictureSource): Promise<Float32Array> {
  if (classifier) {
    const { width, height } = preprocessing.size
    return classifier.answer(
      await resizeFile(await readBytesInThread(source.path), preprocessing),
      width,
      height,
    )
  }
  const picture = await readInput(source)
  if (!session || !input || !output) return picture.data as Float32Array
  const values = (await session.run({ [input.name]: picture }, [output.name]))[output.name]?.data
  if (picture.data instanceof Float32Array) spare.push(picture.data)
  if (!(values instanceof Float32Array))
    throw new KestrelError('backbone-unsupported', 'The network did not answer with numbers.')
  return values
}

async function handle(task: number, source: PictureSource): Promise<void> {
  const began = performance.now()
  const reply = (message: FromNetworkWorker, transfer: ArrayBuffer[] = []): void =>
    port!.postMessage(message, transfer)
  try {
    const values = await answer(source)
    const milliseconds = performance.now() - began
    // A copy of its own: the runtime or the decoder may hand out a view of something larger, which cannot be moved.
    const own = values.slice()
    reply({ type: 'done', task, values: own, milliseconds }, [own.buffer])
  } catch (error) {
    reply({ type: 'failed', task, error: toWire(error), milliseconds: performance.now() - began })
  }
}

port.on('message', (message: ToNetworkWorker) => {
  if (message.type === 'picture') {
    void handle(message.task, message.source)
    return
  }
  port.close()
  void session?.dispose()
  classifier?.dispose()
})
