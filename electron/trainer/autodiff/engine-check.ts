import type { Engine } from '../engines/engine.ts'
import { elementCount, numbers } from '../graph/tensor.ts'
import { gradientName, withGradients } from './gradient-check.ts'
import type { GradientProblem, GradientVerdict } from './gradient-check.ts'

/** Largest difference of a gradient, by the largest number in it: what 32 bits and another order of sums may cost. */
const thresholds = { good: 1e-5, acceptable: 1e-4, doubtful: 1e-2 } as const

export interface EngineCheckRow {
  name: string
  elements: number
  /** max |a − b| ÷ max |b|, with a from the engine and b from the one it is measured by. */
  relativeError: number
  verdict: GradientVerdict
}

/** Compares the gradients of two engines, all elements of all values in question. */
export async function compareEngines(
  engine: Engine,
  by: Engine,
  problem: GradientProblem,
): Promise<EngineCheckRow[]> {
  const graph = withGradients(problem.graph, problem)
  const run = async (on: Engine) => {
    const session = await on.open(graph, { purpose: 'training' })
    try {
      return await session.run(problem.feeds)
    } finally {
      await session.dispose()
    }
  }
  const [mine, theirs] = [await run(engine), await run(by)]
  return problem.values.map((name) => {
    const a = numbers(mine[gradientName(name)]!)
    const expected = theirs[gradientName(name)]!
    const b = numbers(expected)
    const largest = b.reduce((most, value) => Math.max(most, Math.abs(value)), 0)
    const difference = b.reduce((most, value, i) => Math.max(most, Math.abs(value - a[i]!)), 0)
    const relativeError = difference === 0 ? 0 : difference / Math.max(largest, 1e-30)
    return { name, elements: elementCount(expected.shape), relativeError, verdict: verdictOf(relativeError) }
  })
}

function verdictOf(error: number): GradientVerdict {
  if (error <= thresholds.good) return 'good'
  if (error <= thresholds.acceptable) return 'acceptable'
  return error <= thresholds.doubtful ? 'doubtful' : 'wrong'
}
