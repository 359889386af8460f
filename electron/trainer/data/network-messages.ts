import { z } from 'zod'
import { preprocessingSchema } from '#shared/domain/preprocessing/definition.ts'
import type { Region } from '#shared/domain/distillation/views.ts'
import type { WireError } from '#shared/errors/index.ts'

/** What a network worker is started with. */
export const networkWorkerDataSchema = z.object({
  /**
   * One output float32 [batch, length], one input: float32 [batch, 3, height, width] of preprocessed numbers, or uint8
   * [height, width, 3] where the network does the preprocessing itself. Null: the answer is the preprocessed numbers.
   */
  onnxPath: z.string().nullable(),
  /** `model.json` of an export for TensorFlow.js, which takes pictures that are only resized, in place of an ONNX file. */
  tfjsPath: z.string().nullable(),
  preprocessing: preprocessingSchema,
  threads: z.int().min(1),
})
export type NetworkWorkerData = z.infer<typeof networkWorkerDataSchema>

/** A picture file, or a part of it. */
export interface PictureSource {
  path: string
  region?: Region | undefined
}

export interface PictureTask {
  task: number
  source: PictureSource
}

export type ToNetworkWorker = { type: 'pictures'; tasks: PictureTask[] } | { type: 'end' }

export type FromNetworkWorker =
  /** `values`: those of the first task, then of the next. */
  | { type: 'done'; tasks: { task: number; milliseconds: number }[]; values: Float32Array }
  | { type: 'failed'; task: number; error: WireError; milliseconds: number }
