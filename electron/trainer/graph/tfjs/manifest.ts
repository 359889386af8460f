import { z } from 'zod'
import { KestrelError } from '#shared/errors/index.ts'
import { elementCount, float32, fromBytes, halfToNumber } from '../tensor.ts'
import type { Tensor } from '../types.ts'

/** `weightsManifest` of a TF.js model.json (github.com/tensorflow/tfjs, tfjs-core/src/io/types.ts). */

const quantizationSchema = z.object({
  dtype: z.enum(['uint8', 'uint16', 'float16']),
  scale: z.number().optional(),
  min: z.number().optional(),
})

const weightSchema = z.object({
  name: z.string(),
  shape: z.array(z.int().min(0)).max(8),
  dtype: z.string(),
  quantization: quantizationSchema.optional(),
})

export const manifestSchema = z.array(
  z.object({ paths: z.array(z.string()), weights: z.array(weightSchema) }),
)
export type Manifest = z.infer<typeof manifestSchema>

const bytesOf: Record<string, number> = { float32: 4, int32: 4, bool: 1, uint8: 1, uint16: 2, float16: 2 }
const maxElements = 2 ** 29

const damaged = (what: string): KestrelError =>
  new KestrelError('backbone-damaged', `This TensorFlow.js model is damaged: ${what}.`)

/** Cuts one group's bytes into weights; quantised ones are brought back to 32-bit floats. */
export function unpackGroup(
  group: Manifest[number],
  bytes: Uint8Array,
): Map<string, Extract<Tensor, { type: 'float32' }>> {
  const weights = new Map<string, Extract<Tensor, { type: 'float32' }>>()
  let at = 0
  for (const { name, shape, dtype, quantization } of group.weights) {
    const stored = quantization?.dtype ?? dtype
    const size = bytesOf[stored]
    const count = elementCount(shape)
    if (size === undefined) throw damaged(`the weights "${name}" have the number type ${stored}`)
    if (!(count <= maxElements) || at + count * size > bytes.length)
      throw damaged(`the weights "${name}" are cut off`)
    const part = bytes.subarray(at, at + count * size)
    at += count * size
    weights.set(name, float32(shape, decode(part, stored, quantization)))
  }
  if (at !== bytes.length) throw damaged('its weight files are longer than its list of weights')
  return weights
}

function decode(
  bytes: Uint8Array,
  stored: string,
  quantization: z.infer<typeof quantizationSchema> | undefined,
): Float32Array {
  if (stored === 'float32') return fromBytes('float32', bytes) as Float32Array
  if (stored === 'float16') {
    const halves = fromBytes('uint16', bytes) as Uint16Array
    return Float32Array.from(halves, halfToNumber)
  }
  const kind = stored === 'uint16' ? 'uint16' : stored === 'int32' ? 'int32' : 'uint8'
  const { scale = 1, min = 0 } = quantization ?? {}
  return Float32Array.from(fromBytes(kind, bytes) as ArrayLike<number>, (value) => value * scale + min)
}
