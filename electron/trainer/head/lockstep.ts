import type { HeadEvaluation, HeadProblem, HeadRequest, RowSet } from './problem.ts'

/** What a fit needs: evaluations, alone or beside other fits. */
export interface Evaluator {
  readonly parameters: number
  /** The first of them, which the strength is for; the rest are biases. */
  readonly weights: number
  evaluate(point: Float64Array, rows: RowSet, strength: number): Promise<HeadEvaluation>
}

interface Waiting {
  request: HeadRequest
  resolve: (evaluation: HeadEvaluation) => void
  reject: (error: unknown) => void
}

/**
 * Runs fits side by side. Each asks for its evaluations as if it were alone; when all that still run have asked, one pass
 * over the features answers them together. Ten models cost about as much as five that way, because a matrix product with
 * few columns is bound by memory.
 *
 * @returns what each gives, in their order.
 * @throws what the first one that failed threw, when all have ended.
 */
export async function inLockstep<T>(
  problem: HeadProblem,
  fits: readonly ((evaluator: Evaluator) => Promise<T>)[],
): Promise<T[]> {
  let running = fits.length
  let failure: { error: unknown } | null = null
  const waiting: Waiting[] = []

  const pass = async (some: readonly Waiting[]): Promise<void> => {
    try {
      const evaluations = await problem.evaluateAll(some.map(({ request }) => request))
      some.forEach(({ resolve }, index) => resolve(evaluations[index]!))
    } catch (error) {
      for (const { reject } of some) reject(error)
    }
  }
  const go = (): void => {
    if (waiting.length > 0 && waiting.length >= Math.min(running, problem.width))
      void pass(waiting.splice(0, problem.width))
  }
  const evaluator: Evaluator = {
    parameters: problem.parameters,
    weights: problem.weights,
    evaluate: (point, rows, strength) =>
      new Promise((resolve, reject) => {
        if (failure) {
          reject(failure.error)
          return
        }
        waiting.push({ request: { point, rows, strength }, resolve, reject })
        go()
      }),
  }
  const results = await Promise.all(
    fits.map(async (fit): Promise<T | null> => {
      try {
        return await fit(evaluator)
      } catch (error) {
        failure ??= { error }
        return null
      } finally {
        running -= 1
        go()
      }
    }),
  )
  if (failure) throw (failure as { error: unknown }).error
  return results as T[]
}
