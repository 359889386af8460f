/** Questions until it is tried again. */
const PATIENCE = 64

/**
 * For many small questions to a disk: asked in this thread as long as it answers at once, because the way through the
 * pool of threads takes several times as long as an answer out of the machine's memory; else through the pool.
 *
 * @param slow milliseconds: an answer that takes longer holds the thread up, where others could be on their way
 * @returns a function that asks, for one kind of question: `now` waits for the answer in this thread, `later` does not
 */
export function askedAtOnce(slow: number): <T>(now: () => T, later: () => Promise<T>) => Promise<T> {
  let patient = 0
  return async (now, later) => {
    if (patient > 0) {
      patient -= 1
      return later()
    }
    const began = performance.now()
    try {
      return now()
    } finally {
      if (performance.now() - began > slow) patient = PATIENCE
    }
  }
}
