import { stat } from 'node:fs/promises'
import type { NetworkSpec } from '#shared/domain/network/index.ts'
import { OnnxSession } from '../engines/onnx/session.ts'
import { writeOnnx } from '../graph/onnx/index.ts'
import { optimiseForInference } from '../graph/optimise.ts'
import { float32 } from '../graph/tensor.ts'
import type { Handlers } from '../host/host.ts'
import { readRunFolder } from '../host/run-folder.ts'
import { buildNetwork } from '../models/layers/build.ts'

/** Of single pictures; the first ones warm up. */
const ROUNDS = { warm: 3, counted: 15 }

export interface Weight {
  /** Of the model file. */
  bytes: number
  /** For one picture, decoding not counted; the median of some. */
  milliseconds: number
}

/** The `measure` request. */
export const measureModels: Handlers['measure'] = async ({ models }) => {
  const weights: Weight[] = []
  // One after the other: side by side they would take the cores from each other.
  for (const model of models)
    weights.push(
      'network' in model ? await weighNetwork(model.network) : await weighFile(await fileOf(model)),
    )
  return { kind: 'measure', models: weights }
}

const fileOf = async (model: { file: string } | { modelDir: string }): Promise<string> =>
  'file' in model ? model.file : (await readRunFolder(model.modelDir)).modelPath

/** @param path of a model for batches of preprocessed pictures. @throws KestrelError `model-unreadable` */
export async function weighFile(path: string): Promise<Weight> {
  const { size } = await stat(path)
  return { bytes: size, milliseconds: await timeOf(path) }
}

/** With the weights it would begin with: what they are changes neither size nor time. */
async function weighNetwork(spec: NetworkSpec): Promise<Weight> {
  const bytes = writeOnnx(optimiseForInference(buildNetwork(spec, { seed: 1 }).graph))
  return { bytes: bytes.length, milliseconds: await timeOf(bytes) }
}

async function timeOf(model: string | Uint8Array): Promise<number> {
  const session = await OnnxSession.open(model)
  try {
    const [input] = session.inputs
    const shape = input!.shape.map((size) => (typeof size === 'number' && size > 0 ? size : 1))
    const picture = float32(shape, new Float32Array(shape.reduce((a, b) => a * b, 1)))
    const times: number[] = []
    for (let round = 0; round < ROUNDS.warm + ROUNDS.counted; round++) {
      const began = performance.now()
      await session.run({ [input!.name]: picture })
      if (round >= ROUNDS.warm) times.push(performance.now() - began)
    }
    return times.sort((a, b) => a - b)[Math.floor(ROUNDS.counted / 2)]!
  } finally {
    await session.dispose()
  }
}
