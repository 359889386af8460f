import * as tf from '@tensorflow/tfjs-core'
import { loadGraphModel } from '@tensorflow/tfjs-converter'
import { z } from 'zod'
import { writeTfjsModel, type TfjsScaling } from '../../electron/trainer/graph/tfjs/index.ts'
import type { Graph } from '../../electron/trainer/graph/types.ts'

const jsonSchema = z.object({
  modelTopology: z.record(z.string(), z.unknown()),
  format: z.string(),
  signature: z.record(z.string(), z.unknown()),
  weightsManifest: z.array(z.object({ weights: z.array(z.custom<tf.io.WeightsManifestEntry>()) })),
})

/** What TF.js makes of the written model for one picture [height, width, 3]; a back end has to be set before. */
export async function answerOfTfjs(graph: Graph, scaling: TfjsScaling, pixels: Float32Array) {
  const [, , height, width] = graph.inputs[0]!.shape as [string, number, number, number]
  const { json, shards } = writeTfjsModel(graph, scaling, {})
  const { modelTopology, format, signature, weightsManifest } = jsonSchema.parse(json)
  const bytes = new Uint8Array(Buffer.concat([...shards.values()]))
  const weightSpecs = weightsManifest.flatMap((group) => group.weights)
  const model = await loadGraphModel({
    load: () => Promise.resolve({ modelTopology, format, signature, weightSpecs, weightData: bytes.buffer }),
  })
  const input = tf.tensor4d(pixels, [1, height, width, 3])
  const output = model.predict(input) as tf.Tensor
  const result = { data: await output.data(), shape: output.shape }
  tf.dispose([input, output])
  model.dispose()
  return result
}
