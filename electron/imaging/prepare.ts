import type { Region } from '#shared/domain/distillation/views.ts'
import {
  partOf,
  resizeRgbFast,
  rgbOf,
  toNetworkInput,
  type Preprocessing,
  type ResampleBuffers,
} from '#shared/domain/preprocessing/index.ts'
import { KestrelError } from '#shared/errors/index.ts'
import { usePixels } from './decode.ts'

/**
 * One set per thread is enough: pixels are resized between two awaits, so no other call of this thread can be in the
 * middle of it. Used again because large arrays are what makes the garbage collector run.
 */
const buffers: ResampleBuffers = {}

function check(definition: Preprocessing): void {
  if (!definition.jpegScaledDecode) return
  throw new KestrelError(
    'backbone-unsupported',
    'This network was prepared for pictures decoded at a smaller scale, which this version of Kestrel does not do.',
    { remedy: 'Prepare the network again.' },
  )
}

/**
 * A picture file up to the resize of its definition.
 *
 * @param input a path, or the bytes of the file
 * @param target written to when it has the right length
 * @returns uint8 `[size.height, size.width, 3]`, RGB
 * @throws KestrelError as `decodeToRgb`; backbone-unsupported for a definition that asks for scaled decoding
 */
export async function resizeFile(
  input: string | Uint8Array,
  definition: Preprocessing,
  target?: Uint8Array,
): Promise<Uint8Array> {
  check(definition)
  const { width, height } = definition.size
  return usePixels(input, { background: definition.background }, (stored) => {
    const picture = rgbOf(stored)
    buffers.target = target
    return resizeRgbFast(picture.data, picture.width, picture.height, width, height, buffers)
  })
}

/**
 * A picture file as numbers for the network: the whole definition.
 *
 * @param input a path, or the bytes of the file
 * @param place asked when the picture has been decoded: a batch buffer `[batch, 3, height, width]` and where in it, in
 * numbers, this picture begins. Written to at once.
 * @param region only this part of the upright picture
 * @returns float32 planes `[3, size.height, size.width]`, or the batch buffer
 * @throws KestrelError as `resizeFile`
 */
export async function preprocessFile(
  input: string | Uint8Array,
  definition: Preprocessing,
  place?: () => { target: Float32Array; offset: number },
  region?: Region,
): Promise<Float32Array> {
  check(definition)
  return usePixels(input, { background: definition.background }, (whole) => {
    const picture = region ? partOf(rgbOf(whole), region) : whole
    return toNetworkInput(picture, definition, place?.())
  })
}
