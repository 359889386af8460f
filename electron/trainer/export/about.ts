import { z } from 'zod'
import type { ExportFormat, ExportRequest } from '#shared/contract/trainer.ts'
import { preprocessingSchema, type Preprocessing } from '#shared/domain/preprocessing/definition.ts'
import type { Graph } from '../graph/types.ts'

/** Everything a program needs to know about an exported model, in one small file beside it. */
export const aboutSchema = z.object({
  kestrel: z.string(),
  name: z.string(),
  createdAt: z.string(),
  format: z.enum(['onnx', 'tfjs']),
  /** The model's own file. */
  file: z.string(),
  /** In the order of the probabilities. */
  labels: z.array(z.string()).min(2),
  /** Below this top probability the answer is "not sure". */
  threshold: z.number(),
  input: z.object({
    name: z.string(),
    type: z.string(),
    shape: z.array(z.union([z.string(), z.number()])),
    meaning: z.string(),
  }),
  output: z.object({
    name: z.string(),
    type: z.string(),
    shape: z.array(z.union([z.string(), z.number()])),
    meaning: z.string(),
  }),
  preprocessing: preprocessingSchema,
  preprocessingInWords: z.array(z.string()),
})
export type About = z.infer<typeof aboutSchema>

/** Name of that file. TensorFlow.js calls its own `model.json`. */
export const aboutFile: Record<ExportFormat, string> = { onnx: 'model.json', tfjs: 'classifier.json' }

/** What has been trained: a classifier for preprocessed batches, and what belongs to it. */
export interface TrainedModel {
  /** `input` float32 [batch, 3, height, width] → `probabilities` [batch, classes]. */
  graph: Graph
  modelPath: string
  classes: readonly string[]
  preprocessing: Preprocessing
}

export function describe(request: ExportRequest, model: TrainedModel): About {
  const { classes, preprocessing } = model
  const { width, height } = preprocessing.size
  const onnx = request.format === 'onnx'
  return {
    kestrel: request.card.kestrelVersion,
    name: request.card.name,
    createdAt: request.card.createdAt,
    format: request.format,
    file: onnx ? 'model.onnx' : 'model.json',
    labels: [...classes],
    threshold: request.threshold,
    input: onnx
      ? {
          name: 'image',
          type: 'uint8',
          shape: ['height', 'width', 3],
          meaning: 'A picture of any size: red, green, blue, 0 to 255, row by row from the top.',
        }
      : {
          name: 'image',
          type: 'float32',
          shape: ['batch', height, width, 3],
          meaning: `A picture resized to ${width} x ${height} pixels: red, green, blue, 0 to 255, row by row from the top.`,
        },
    output: {
      name: 'probabilities',
      type: 'float32',
      shape: onnx ? [classes.length] : ['batch', classes.length],
      meaning: 'One probability for each label, in their order. They add up to 1.',
    },
    preprocessing,
    preprocessingInWords: preprocessingInWords(preprocessing, onnx),
  }
}

const formatted = (values: readonly number[]): string =>
  new Set(values).size === 1 ? short(values[0]) : values.map(short).join(', ')
const short = (value: number | undefined): string => String(Number((value ?? 0).toFixed(4)))

/** The preprocessing definition as steps for people, and who does each of them. */
export function preprocessingInWords(preprocessing: Preprocessing, resizeInside: boolean): string[] {
  const { size, background, channelOrder, mean, divisor } = preprocessing
  const inside = ' (done inside the model)'
  const unscaled = mean.every((value) => value === 0) && divisor.every((value) => value === 1)
  return [
    'Decode the picture and turn it upright, as its camera noted it (EXIF).',
    'Bring its colours to sRGB with 8 bits (a colour profile in the file is applied).',
    `Fill transparent places with the colour ${background.join(', ')} (red, green, blue).`,
    `Resize the whole picture to ${size.width} x ${size.height} pixels, giving up its aspect ratio, with Pillow's ` +
      `antialiased bilinear filter, first across, then down${resizeInside ? inside : ''}.`,
    unscaled
      ? `Use the values 0 to 255 as they are${inside}.`
      : `Scale each value: (value - ${formatted(mean)}) / ${formatted(divisor)}` +
        `${new Set([...mean]).size > 1 ? ' (red, green, blue)' : ''}${inside}.`,
    ...(channelOrder === 'BGR' ? [`Swap red and blue${inside}.`] : []),
  ]
}
