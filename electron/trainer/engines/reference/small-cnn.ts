import { EPSILON, parameterLayout, type CnnSpec } from '../../loop/small-cnn.ts'

/**
 * The loss of the small network in plain 64-bit TypeScript: slow and obviously right, written as the textbook says it,
 * without a thought for the graph it checks.
 *
 * @param x `[rows, 3, size, size]`
 * @returns mean cross-entropy with batch statistics.
 */
export function referenceLoss(
  spec: CnnSpec,
  parameters: ArrayLike<number>,
  x: ArrayLike<number>,
  labels: readonly number[],
): number {
  const infos = new Map(parameterLayout(spec).infos.map((info) => [info.name, info]))
  const value = (name: string, index: number): number => parameters[infos.get(name)!.offset + index]!
  const rows = labels.length
  let maps: Float64Array = Float64Array.from(x)
  let channels = 3
  let size = spec.size
  spec.filters.forEach((filters, block) => {
    const conv = convolve(maps, rows, channels, size, filters, (index) => value(`w${block}`, index))
    const pooled = maxPool(conv, rows * filters, size)
    size /= 2
    channels = filters
    normalise(
      pooled,
      rows,
      channels,
      size,
      (c) => value(`gamma${block}`, c),
      (c) => value(`beta${block}`, c),
    )
    maps = pooled.map((each) => Math.max(0, each))
  })
  let loss = 0
  const pixels = size * size
  labels.forEach((label, row) => {
    const features = Array.from({ length: channels }, (_, c) => {
      const from = (row * channels + c) * pixels
      return maps.subarray(from, from + pixels).reduce((a, b) => a + b, 0) / pixels
    })
    const logits = Array.from({ length: spec.classes }, (_, k) =>
      features.reduce(
        (sum, feature, c) => sum + feature * value('dense', k * channels + c),
        value('bias', k),
      ),
    )
    const top = Math.max(...logits)
    loss += Math.log(logits.reduce((sum, logit) => sum + Math.exp(logit - top), 0)) + top - logits[label]!
  })
  return loss / rows
}

function convolve(
  maps: Float64Array,
  rows: number,
  from: number,
  size: number,
  to: number,
  weight: (index: number) => number,
): Float64Array {
  const result = new Float64Array(rows * to * size * size)
  for (let n = 0; n < rows; n++)
    for (let o = 0; o < to; o++)
      for (let y = 0; y < size; y++)
        for (let x = 0; x < size; x++) {
          let sum = 0
          for (let i = 0; i < from; i++)
            for (let dy = -1; dy <= 1; dy++)
              for (let dx = -1; dx <= 1; dx++) {
                if (y + dy < 0 || y + dy >= size || x + dx < 0 || x + dx >= size) continue
                const pixel = maps[((n * from + i) * size + y + dy) * size + x + dx]!
                sum += pixel * weight(((o * from + i) * 3 + dy + 1) * 3 + dx + 1)
              }
          result[((n * to + o) * size + y) * size + x] = sum
        }
  return result
}

function maxPool(maps: Float64Array, count: number, size: number): Float64Array {
  const half = size / 2
  const result = new Float64Array(count * half * half)
  for (let m = 0; m < count; m++)
    for (let y = 0; y < half; y++)
      for (let x = 0; x < half; x++) {
        const at = (m * size + 2 * y) * size + 2 * x
        result[(m * half + y) * half + x] = Math.max(
          maps[at]!,
          maps[at + 1]!,
          maps[at + size]!,
          maps[at + size + 1]!,
        )
      }
  return result
}

/** Batch normalisation with the statistics of these very maps, in place. */
function normalise(
  maps: Float64Array,
  rows: number,
  channels: number,
  size: number,
  gamma: (channel: number) => number,
  beta: (channel: number) => number,
): void {
  const pixels = size * size
  for (let c = 0; c < channels; c++) {
    const indices: number[] = []
    for (let n = 0; n < rows; n++)
      for (let p = 0; p < pixels; p++) indices.push((n * channels + c) * pixels + p)
    const mean = indices.reduce((sum, at) => sum + maps[at]!, 0) / indices.length
    const variance = indices.reduce((sum, at) => sum + (maps[at]! - mean) ** 2, 0) / indices.length
    for (const at of indices)
      maps[at] = (gamma(c) * (maps[at]! - mean)) / Math.sqrt(variance + EPSILON) + beta(c)
  }
}
