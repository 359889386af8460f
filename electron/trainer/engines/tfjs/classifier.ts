import { readFile, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import '@tensorflow/tfjs-backend-cpu'
import '@tensorflow/tfjs-backend-wasm'
import { loadGraphModel } from '@tensorflow/tfjs-converter'
import type { GraphModel } from '@tensorflow/tfjs-converter'
import * as tf from '@tensorflow/tfjs-core'
import { z } from 'zod'
import { KestrelError } from '#shared/errors/index.ts'
import { manifestSchema, unpackGroup } from '../../graph/tfjs/manifest.ts'
import { readGroups } from '../../graph/tfjs/reader.ts'

const maxJsonBytes = 64 * 2 ** 20

const fileSchema = z.object({
  format: z.literal('graph-model'),
  modelTopology: z.record(z.string(), z.unknown()),
  signature: z.record(z.string(), z.unknown()).optional(),
  weightsManifest: manifestSchema,
})

/** A network that Kestrel has exported for TensorFlow.js, run by TensorFlow.js itself, as its proof does. */
export class TfjsClassifier {
  private readonly model: GraphModel

  private constructor(model: GraphModel) {
    this.model = model
  }

  /**
   * @param file `model.json` of a graph model, with its files of numbers beside it
   * @throws KestrelError `model-unreadable` when a file is missing or damaged, or TensorFlow.js refuses the network
   */
  static async open(file: string): Promise<TfjsClassifier> {
    // Without its greeting and its advice, which would stand between the lines of a command.
    tf.env().set('PROD', true)
    // WebAssembly is 20 to 50 times as fast as plain JavaScript, which is there where it cannot be had.
    if (!(await tf.setBackend('wasm'))) await tf.setBackend('cpu')
    try {
      if ((await stat(file)).size > maxJsonBytes) throw new Error('model.json is too large')
      const parsed: unknown = JSON.parse(await readFile(file, 'utf8'))
      const { modelTopology, signature, weightsManifest } = fileSchema.parse(parsed)
      const groups = await readGroups(dirname(file), weightsManifest)
      // What is cut off is found here; TensorFlow.js would go on with what is there.
      groups.forEach((bytes, index) => unpackGroup(weightsManifest[index]!, bytes))
      const model = await loadGraphModel({
        load: () =>
          Promise.resolve({
            ...{ modelTopology, format: 'graph-model' },
            ...(signature && { signature }),
            weightSpecs: weightsManifest.flatMap(({ weights }) => weights) as tf.io.WeightsManifestEntry[],
            weightData: new Uint8Array(Buffer.concat(groups)).buffer,
          }),
      })
      return new TfjsClassifier(model)
    } catch (error) {
      throw new KestrelError('model-unreadable', 'The network could not be loaded by TensorFlow.js.', {
        remedy: 'Export the model again.',
        cause: error,
      })
    }
  }

  /**
   * @param pixels red, green, blue, 0 to 255, `[height, width, 3]`, as large as the network wants them
   * @returns a probability for each class
   */
  async answer(pixels: Uint8Array, width: number, height: number): Promise<Float32Array> {
    const input = tf.tensor4d(Float32Array.from(pixels), [1, height, width, 3])
    try {
      const output = this.model.predict(input) as tf.Tensor
      try {
        return Float32Array.from(await output.data())
      } finally {
        output.dispose()
      }
    } finally {
      input.dispose()
    }
  }

  dispose(): void {
    this.model.dispose()
  }
}
