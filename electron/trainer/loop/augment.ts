import type { Random } from '#shared/domain/random.ts'

/**
 * Small changes that leave the class of any picture alone: a little turned, larger or smaller, moved, brighter, flatter.
 * Never mirrored: letters, signs and left hands would become something else. First drawn, then applied, so that the
 * same draw can be shown and repeated.
 */
export interface Augmentation {
  /** Radians, counter-clockwise. */
  angle: number
  /** 1 leaves the size; 1.1 shows a tenth more of the picture's surroundings. */
  zoom: number
  /** Part of the picture's width and height. */
  shiftX: number
  shiftY: number
  /** Added, in grey levels (0–255). */
  brightness: number
  /** Distance from the middle grey is multiplied by it. */
  contrast: number
}

export const identityAugmentation: Augmentation = {
  angle: 0,
  zoom: 1,
  shiftX: 0,
  shiftY: 0,
  brightness: 0,
  contrast: 1,
}

export function drawAugmentation(random: Random): Augmentation {
  const within = (limit: number): number => (2 * random.float() - 1) * limit
  return {
    angle: within(Math.PI / 18),
    zoom: 1 + within(0.12),
    shiftX: within(0.08),
    shiftY: within(0.08),
    brightness: within(25),
    contrast: 1 + within(0.2),
  }
}

/**
 * Bilinear, the border repeated. Writes `(value − 127.5) / 127.5` as planes.
 * @param source uint8 planes `[3, size, size]` beginning at `from`
 * @param target float32, the picture is written to `[3, size, size]` beginning at `to`
 */
export function applyAugmentation(
  source: Uint8Array,
  from: number,
  size: number,
  augmentation: Augmentation,
  target: Float32Array,
  to: number,
): void {
  const { angle, zoom, shiftX, shiftY, brightness, contrast } = augmentation
  const plane = size * size
  const middle = (size - 1) / 2
  const cos = Math.cos(angle) * zoom
  const sin = Math.sin(angle) * zoom
  const last = size - 1
  const gain = contrast / 127.5
  const offset = brightness / 127.5
  for (let y = 0; y < size; y++) {
    for (let x = 0; x < size; x++) {
      const dx = x - middle
      const dy = y - middle
      const sx = Math.min(last, Math.max(0, middle + cos * dx - sin * dy + shiftX * size))
      const sy = Math.min(last, Math.max(0, middle + sin * dx + cos * dy + shiftY * size))
      const x0 = Math.floor(sx)
      const y0 = Math.floor(sy)
      const right = x0 < last ? 1 : 0
      const down = y0 < last ? size : 0
      const wx = sx - x0
      const wy = sy - y0
      let at = from + y0 * size + x0
      let write = to + y * size + x
      for (let channel = 0; channel < 3; channel++) {
        const upper = source[at]! * (1 - wx) + source[at + right]! * wx
        const lower = source[at + down]! * (1 - wx) + source[at + down + right]! * wx
        target[write] = (upper * (1 - wy) + lower * wy - 127.5) * gain + offset
        at += plane
        write += plane
      }
    }
  }
}
