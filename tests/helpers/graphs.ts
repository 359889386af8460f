import * as onnxruntime from 'onnxruntime-node'
import sharp from 'sharp'
import { readFileSync } from 'node:fs'
import type { Preprocessing } from '#shared/domain/preprocessing/definition.ts'
import { readNpy } from '#shared/util/npy.ts'
import { writeOnnx } from '../../electron/trainer/graph/onnx/index.ts'
import type { Graph } from '../../electron/trainer/graph/types.ts'
import { sharedPath } from './shared.ts'

/** Runs a graph with one float input and one float output in ONNX Runtime. */
export async function runGraph(
  graph: Graph | Uint8Array,
  input: Float32Array,
  shape: readonly number[],
): Promise<{ data: Float32Array; shape: readonly number[] }> {
  const session = await onnxruntime.InferenceSession.create(
    graph instanceof Uint8Array ? graph : writeOnnx(graph),
  )
  const [inputName] = session.inputNames
  const [outputName] = session.outputNames
  const result = await session.run({ [inputName!]: new onnxruntime.Tensor('float32', input, [...shape]) })
  const output = result[outputName!]!
  await session.release()
  return { data: output.data as Float32Array, shape: output.dims }
}

/** The 16 reference pictures at a network's input size, as it wants them: [16, 3, size, size]. */
export async function referenceInputs(preprocessing: Preprocessing): Promise<Float32Array> {
  const { width, height } = preprocessing.size
  const plane = width * height
  const inputs = new Float32Array(16 * 3 * plane)
  for (let row = 0; row < 16; row++) {
    const name = `${String(row).padStart(2, '0')}_${width}.png`
    // The references were made without applying colour profiles, as Keras reads pictures.
    const path = sharedPath(`backbones/reference/${name}`)
    const pixels = await sharp(path, { ignoreIcc: true }).removeAlpha().raw().toBuffer()
    fillPlanes(pixels, preprocessing, inputs.subarray(row * 3 * plane, (row + 1) * 3 * plane))
  }
  return inputs
}

/** [height, width, 3] bytes to the planes a network wants. */
export function fillPlanes(pixels: Uint8Array, preprocessing: Preprocessing, into: Float32Array): void {
  const plane = into.length / 3
  for (let channel = 0; channel < 3; channel++) {
    const from = preprocessing.channelOrder === 'BGR' ? 2 - channel : channel
    const [mean, divisor] = [preprocessing.mean[from]!, preprocessing.divisor[from]!]
    for (let pixel = 0; pixel < plane; pixel++) {
      into[channel * plane + pixel] = (pixels[pixel * 3 + from]! - mean) / divisor
    }
  }
}

export const referenceFeatures = (id: string): Float32Array =>
  readNpy(readFileSync(sharedPath(`backbones/${id}/reference_features.npy`))).data as Float32Array

export function largestDifference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  if (a.length !== b.length) return Infinity
  let largest = 0
  for (let index = 0; index < a.length; index++) {
    const difference = Math.abs(a[index]! - b[index]!)
    if (!(difference <= largest)) largest = difference
  }
  return largest
}
