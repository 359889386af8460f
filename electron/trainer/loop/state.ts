import type { Engine } from '../engines/engine.ts'
import { tensor } from '../graph/tensor.ts'
import type { Tensor } from '../graph/types.ts'

/** 64 bits on the reference engine, 32 on the others. */
export type Vector = Float32Array | Float64Array
export type Vectors = ReadonlyMap<string, Vector>

/**
 * Everything that changes while a network learns: parameters, optimiser state, averages, running statistics, as named flat
 * vectors (see autodiff/step.ts). Two copies take turns: a step reads one and writes the other in place.
 */
export class TrainingState {
  private current: Vectors
  private other: Vectors

  /** @param real what the engine computes in; the numbers are copied. */
  constructor(vectors: Vectors, real: Engine['real'] = 'float32') {
    const Real = real === 'float64' ? Float64Array : Float32Array
    this.current = new Map([...vectors].map(([name, vector]) => [name, Real.from(vector)]))
    this.other = new Map([...vectors].map(([name, vector]) => [name, new Real(vector.length)]))
  }

  get names(): string[] {
    return [...this.current.keys()]
  }

  /** @throws RangeError when there is no such vector. */
  vector(name: string): Vector {
    const found = this.current.get(name)
    if (!found) throw new RangeError(`The state has no vector "${name}".`)
    return found
  }

  /** The present numbers, as a step reads them. */
  feeds(): Record<string, Tensor> {
    return tensors(this.current, '')
  }

  /** Where a step writes the next numbers. They become the present ones with `advance`. */
  targets(): Record<string, Tensor> {
    return tensors(this.other, 'next/')
  }

  advance(): void {
    const before = this.current
    this.current = this.other
    this.other = before
  }

  copy(): Map<string, Vector> {
    return new Map([...this.current].map(([name, vector]) => [name, vector.slice()]))
  }

  /** Takes numbers over (copies). @throws RangeError when a vector is missing or has another length. */
  restore(vectors: Vectors): void {
    for (const [name, mine] of this.current) {
      const kept = vectors.get(name)
      if (kept?.length !== mine.length)
        throw new RangeError(`"${name}" should hold ${mine.length} numbers, found ${kept?.length ?? 'none'}.`)
    }
    for (const [name, mine] of this.current) mine.set(vectors.get(name)!)
  }
}

function tensors(vectors: Vectors, prefix: string): Record<string, Tensor> {
  return Object.fromEntries(
    [...vectors].map(([name, vector]) => [
      `${prefix}${name}`,
      vector instanceof Float64Array
        ? tensor('float64', [vector.length], vector)
        : tensor('float32', [vector.length], vector),
    ]),
  )
}
