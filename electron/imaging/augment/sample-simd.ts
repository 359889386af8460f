import { hasRoom, kernelOf } from '#shared/domain/simd-kernel.ts'
import type { Affine } from '#shared/domain/augmentation/index.ts'
import type { Colour, ColourMap, PlaneOrder, Planes } from './sample.ts'

/**
 * Geometry and colours of `sample` four numbers at a time in WebAssembly, the same to the last bit and several times as
 * fast: a training step wants every core, and whatever augmentation takes from them the step has to wait for.
 *
 * The program is sample-simd.wat, assembled and written down here by scripts/assemble-simd.ts; a test compares it
 * with the plain way.
 */
const program =
  'AGFzbQEAAAABEgJgA39/fwBgCH9/f39/f39/AAMDAgABBQMBAAEHIAMGbWVtb3J5AgAKaW50ZXJsZWF2ZQAABnNhbXBsZQABCpIHAvcB' +
  'AgJ/B3sgACABaiEDIAFBAXQhBANAIAD9AAQAIQUgACABav0ABAAhBiAAIARq/QAEACEHIAUgBv0NABABEQISAxMEFAUVBhYHFyEIIAUg' +
  'Bv0NCBgJGQoaCxsMHA0dDh4PHyEJIAf9iQEhCiAH/YoBIQsgAiAIIAr9DQABEBECAxITBAUUFQYHFhf9CwQAIAIgCCAK/Q0ICRgZCgsa' +
  'GwwNHB0ODx4f/QsEECACIAkgC/0NAAEQEQIDEhMEBRQVBgcWF/0LBCAgAiAJIAv9DQgJGBkKCxobDA0cHQ4PHh/9CwQwIAJBwABqIQIg' +
  'AEEQaiIAIANJDQALC5YFAgh/EHsgBP0ABAAhECAE/QAEECERIAT9AAQgIRIgBP0ABDAhEyAE/QAEQCEcIAT9AARQIR0gBP0ABGAhFSAE' +
  '/QAEcCEWIAT9AASAASEXIAT9AASQASEYIAT9AASgASEZIAT9AASwASEaIAT9AATAASEbA0AgESAJuP0U/fIBIBL98AEhFCACIQgDQCAT' +
  '/QwAAAAAAAAAAAAAAAAAAAAAIBT99wH99gH9DAAAAAAAADhDAAAAAAAAOEP98AEhHyAUIBz9SSAUIB39Sv1QIR4gFCAQ/fABIRQgH/0b' +
  'ACEKIB/9GwIhCyAAIAtBDnYgAWwgCkEOdkECdGpqIQ8gCkH//wBxIQogC0H//wBxIQsgCiALbEGAwABqQQ52IQ4gCyAOayENIAogDmsh' +
  'DCAP/V0DAP0MAAAAAAAAAAAAAAAAAAAAAP0NAAQBBQIGAwcICAgICAgICP2JAUGAgAEgCmsgDWsgDEEQdHL9Ef26ASAPIAFq/V0DAP0M' +
  'AAAAAAAAAAAAAAAAAAAAAP0NAAQBBQIGAwcICAgICAgICP2JASANIA5BEHRy/RH9ugH9rgH9+gEhHyAe/VMEQCAbIR8L/QwAAH9DAAB/' +
  'QwAAf0MAAH9D/QwAAAAAAAAAAAAAAAAAAAAAIBggFSAfIB/9DQABAgMAAQIDAAECAwABAgP95gH95AEgFiAfIB/9DQQFBgcEBQYHBAUG' +
  'BwQFBgf95gH95AEgFyAfIB/9DQgJCgsICQoLCAkKCwgJCgv95gH95AH96wH96gEgGf3mASAa/eQBIR8gBSAf/VoCAAAgBiAf/VoCAAEg' +
  'ByAf/VoCAAIgBUEEaiEFIAZBBGohBiAHQQRqIQcgCEEBayIIDQALIAlBAWoiCSADSQ0ACws='

interface Kernel {
  memory: WebAssembly.Memory
  interleave: (planes: number, count: number, pixels: number) => void
  sample: (...numbers: number[]) => void
}

/** WebAssembly memory is never given back, so it must stay small; larger pictures are for the plain way. */
const MOST_MEMORY = 48 * 1024 * 1024
/** Bytes before the planes: six pairs of 64 bits, then seven quadruples of 32 bits, as the program says. */
const NUMBERS = 208
const PAIRS = 12
const QUADRUPLES = { columns: 24, offset: 36, gain: 40, bias: 44, fill: 48 }
/** Whole vectors are read and written: up to 15 pixels too far, and a row below the last. */
const SLACK = 64
/** Places and sampled values are multiples of 1/16384; a power of two changes nothing but the exponent. */
const ONE = 16384

const kernel = kernelOf<Kernel>(program)

interface Views {
  bytes: Uint8Array
  pairs: Float64Array
  floats: Float32Array
}
/** Of the kernel's memory; made anew when it grows. */
let views: Views | null = null

function viewsOf({ memory }: Kernel): Views {
  if (views?.bytes.buffer !== memory.buffer)
    views = {
      bytes: new Uint8Array(memory.buffer),
      pairs: new Float64Array(memory.buffer, 0, PAIRS),
      floats: new Float32Array(memory.buffer),
    }
  return views
}

/** `sample`, or nothing. @returns whether it was done; false where it cannot be. */
export function sampleFast(
  source: Planes<Uint8Array>,
  affine: Affine,
  map: ColourMap,
  fill: Colour | null,
  target: Planes<Float32Array>,
  [red, green, blue]: PlaneOrder,
): boolean {
  const simd = kernel()
  if (simd === null) return false
  const { width, height } = target.size
  const count = source.size.width * source.size.height
  const plane = width * height
  const stride = source.size.width * 4
  const pixels = align(NUMBERS + 3 * count + SLACK)
  const result = align(pixels + 4 * count + stride + SLACK)
  const needed = result + 12 * plane + SLACK
  if (needed > MOST_MEMORY || !hasRoom(simd, needed)) return false

  const { bytes, pairs, floats } = viewsOf(simd)
  bytes.set(source.data.subarray(source.offset, source.offset + 3 * count), NUMBERS)
  simd.interleave(NUMBERS, count, pixels)
  writePlaces(pairs, affine, source.size.width - 1, source.size.height - 1, fill === null ? Infinity : 0.5)
  writeColours(floats, map, fill)
  const at = (position: number): number => result + position * plane * 4
  simd.sample(pixels, stride, width, height, 0, at(red), at(green), at(blue))
  target.data.set(floats.subarray(result / 4, result / 4 + 3 * plane), target.offset)
  return true
}

/** @param margin how far beyond the last pixel's middle a place is not yet outside */
function writePlaces(
  pairs: Float64Array,
  affine: Affine,
  lastX: number,
  lastY: number,
  margin: number,
): void {
  pairs[0] = affine.xx * ONE
  pairs[1] = affine.yx * ONE
  pairs[2] = affine.xy * ONE
  pairs[3] = affine.yy * ONE
  pairs[4] = affine.x0 * ONE
  pairs[5] = affine.y0 * ONE
  pairs[6] = lastX * ONE
  pairs[7] = lastY * ONE
  pairs[8] = pairs[9] = -margin * ONE
  pairs[10] = (lastX + margin) * ONE
  pairs[11] = (lastY + margin) * ONE
}

function writeColours(floats: Float32Array, { matrix, gain, bias }: ColourMap, fill: Colour | null): void {
  for (let channel = 0; channel < 3; channel++) {
    for (let column = 0; column < 3; column++)
      floats[QUADRUPLES.columns + column * 4 + channel] = matrix[channel * 4 + column]! / ONE
    floats[QUADRUPLES.offset + channel] = matrix[channel * 4 + 3]!
    floats[QUADRUPLES.gain + channel] = gain[channel]!
    floats[QUADRUPLES.bias + channel] = bias[channel]!
    floats[QUADRUPLES.fill + channel] = (fill?.[channel] ?? 0) * ONE
  }
}

const align = (bytes: number): number => (bytes + 15) & ~15
