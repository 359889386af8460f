import type { Initialiser } from '#shared/domain/network/index.ts'
import type { Random } from '#shared/domain/random.ts'

/**
 * How many numbers a neuron takes in, and how many neurons a number goes to. For a convolution: channels of its group ×
 * pixels of the filter. (Keras counts a depthwise filter's fan-in over all channels, PyTorch its fan-out; here both are
 * what one filter really sees.)
 */
export interface Fans {
  in: number
  out: number
}

export const denseFans = (inputs: number, units: number): Fans => ({ in: inputs, out: units })

/** @param shape of the weight, `[filters, channels per group, height, width]` */
export function convFans(shape: readonly number[], groups: number): Fans {
  const [filters = 1, perGroup = 1, height = 1, width = 1] = shape
  return { in: perGroup * height * width, out: (filters / groups) * height * width }
}

type Distribution = { kind: 'normal'; deviation: number } | { kind: 'uniform'; limit: number }

/**
 * - Glorot & Bengio 2010, "Understanding the difficulty of training deep feedforward neural networks", eq. 12 and 16:
 *   variance 2 / (in + out), uniform within ±√(6 / (in + out)). For tanh and its like.
 * - He et al. 2015, "Delving deep into rectifiers", eq. 10: variance 2 / in. For ReLU and its like.
 * - LeCun et al. 1998, "Efficient BackProp", section 4.6: variance 1 / in. For linear layers, SELU, tanh.
 *
 * A uniform distribution within ±l has the variance l² / 3. Normal ones are not truncated, as in the papers (Keras
 * truncates at two deviations and corrects the variance).
 */
export function distributionOf(initialiser: Initialiser, fans: Fans): Distribution {
  if (typeof initialiser === 'object') return { kind: 'normal', deviation: initialiser.normal }
  switch (initialiser) {
    case 'zeros':
      return { kind: 'normal', deviation: 0 }
    case 'small':
      return { kind: 'normal', deviation: 0.01 }
    case 'too-large':
      return { kind: 'normal', deviation: 1 }
    case 'glorot-uniform':
      return { kind: 'uniform', limit: Math.sqrt(6 / (fans.in + fans.out)) }
    case 'glorot-normal':
      return { kind: 'normal', deviation: Math.sqrt(2 / (fans.in + fans.out)) }
    case 'he-uniform':
      return { kind: 'uniform', limit: Math.sqrt(6 / fans.in) }
    case 'he-normal':
      return { kind: 'normal', deviation: Math.sqrt(2 / fans.in) }
    case 'lecun-uniform':
      return { kind: 'uniform', limit: Math.sqrt(3 / fans.in) }
    case 'lecun-normal':
      return { kind: 'normal', deviation: Math.sqrt(1 / fans.in) }
  }
}

export function drawWeights(
  initialiser: Initialiser,
  count: number,
  fans: Fans,
  random: Random,
): Float32Array {
  const distribution = distributionOf(initialiser, fans)
  const weights = new Float32Array(count)
  if (distribution.kind === 'uniform') {
    const { limit } = distribution
    for (let index = 0; index < count; index++) weights[index] = (2 * random.float() - 1) * limit
  } else if (distribution.deviation > 0) {
    for (let index = 0; index < count; index++) weights[index] = random.normal(0, distribution.deviation)
  }
  return weights
}
