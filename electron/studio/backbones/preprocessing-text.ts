import { z } from 'zod'
import type { Scaling } from '#shared/domain/preprocessing/scaling.ts'

type Triple = [number, number, number]

const number = String.raw`-?\d+(?:\.\d+)?`
const numbers = String.raw`(?:${number}|\(${number},${number},${number}\))`
const shapes: { pattern: RegExp; scaling: (match: RegExpExecArray) => Omit<Scaling, 'channelOrder'> }[] = [
  // (x/255-mean)/deviation, mean and deviation for values of 0 … 1
  {
    pattern: new RegExp(`^\\(x/(${number})-(${numbers})\\)/(${numbers})$`),
    scaling: ([, by, mean, deviation]) => ({
      mean: times(triple(mean), Number(by)),
      divisor: times(triple(deviation), Number(by)),
    }),
  },
  // (x-mean)/deviation
  {
    pattern: new RegExp(`^\\(x-(${numbers})\\)/(${numbers})$`),
    scaling: ([, mean, deviation]) => ({ mean: triple(mean), divisor: triple(deviation) }),
  },
  // x/127.5-1
  {
    pattern: new RegExp(`^x/(${number})(?:-(${number}))?$`),
    scaling: ([, by, less]) => ({ mean: times(triple(less ?? '0'), Number(by)), divisor: triple(by) }),
  },
  // x-mean, or "minus mean"
  {
    pattern: new RegExp(`^(?:x-|minus)(${numbers})$`),
    scaling: ([, mean]) => ({ mean: triple(mean), divisor: [1, 1, 1] }),
  },
  { pattern: /^x$/, scaling: () => ({ mean: [0, 0, 0], divisor: [1, 1, 1] }) },
]

/**
 * Reads how the publishers of backbones write their scaling: `x/127.5-1 RGB`, `BGR minus (104,117,123)`,
 * `(x/255-(0.485,0.456,0.406))/(0.229,0.224,0.225) RGB`, `(x-127)/128 RGB`, `x RGB`. Triples are in the order that is
 * named; the result is always RGB.
 * @throws z.ZodError when it is written in another way
 */
export const scalingText = z.string().transform((text, context): Scaling => {
  const channelOrder = /\bBGR\b/.test(text) ? 'BGR' : 'RGB'
  const formula = text.replace(/\b(RGB|BGR)\b/, '').replaceAll(/\s/g, '')
  for (const { pattern, scaling } of shapes) {
    const match = pattern.exec(formula)
    if (!match) continue
    const { mean, divisor } = scaling(match)
    if (divisor.includes(0)) break
    return channelOrder === 'BGR'
      ? { channelOrder, mean: turned(mean), divisor: turned(divisor) }
      : { channelOrder, mean, divisor }
  }
  context.addIssue({ code: 'custom', message: `preprocessing "${text}" is not understood` })
  return z.NEVER
})

function triple(text: string | undefined): Triple {
  const parts = (text ?? '').replaceAll(/[()]/g, '').split(',').map(Number)
  const [first = Number.NaN, second = first, third = first] = parts
  return [first, second, third]
}

const times = (values: Triple, factor: number): Triple => [
  values[0] * factor,
  values[1] * factor,
  values[2] * factor,
]
const turned = ([a, b, c]: Triple): Triple => [c, b, a]
