/** Adam (Kingma & Ba 2015, algorithm 1) with decoupled weight decay (Loshchilov & Hutter 2019). */
export interface AdamOptions {
  beta1?: number
  beta2?: number
  epsilon?: number
  /** Per step and unit of learning rate. */
  weightDecay?: number
}

export class Adam {
  private readonly first: Float64Array
  private readonly second: Float64Array
  private steps = 0
  private readonly options: Required<AdamOptions>

  constructor(parameters: number, options: AdamOptions = {}) {
    this.first = new Float64Array(parameters)
    this.second = new Float64Array(parameters)
    this.options = { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0, ...options }
  }

  /** Changes `parameters` in place. `decays` tells which of them are weights; biases and scales are not decayed. */
  step(
    parameters: Float32Array,
    gradient: Float32Array,
    learningRate: number,
    decays: (index: number) => boolean = () => true,
  ): void {
    const { beta1, beta2, epsilon, weightDecay } = this.options
    this.steps += 1
    const correct1 = 1 - beta1 ** this.steps
    const correct2 = 1 - beta2 ** this.steps
    for (let i = 0; i < parameters.length; i++) {
      const slope = gradient[i]!
      const first = beta1 * this.first[i]! + (1 - beta1) * slope
      const second = beta2 * this.second[i]! + (1 - beta2) * slope * slope
      this.first[i] = first
      this.second[i] = second
      const decay = weightDecay > 0 && decays(i) ? weightDecay * parameters[i]! : 0
      parameters[i] =
        parameters[i]! - learningRate * (first / correct1 / (Math.sqrt(second / correct2) + epsilon) + decay)
    }
  }
}

/** Learning rate of a step: linear warm-up, then half a cosine down to zero (Loshchilov & Hutter 2017). */
export function cosineRate(step: number, steps: number, peak: number, warmup: number): number {
  if (step < warmup) return (peak * (step + 1)) / warmup
  const progress = (step - warmup) / Math.max(1, steps - warmup)
  return 0.5 * peak * (1 + Math.cos(Math.PI * Math.min(1, progress)))
}
