/** An answer of the disk that takes longer holds a thread up for nothing: others could be on their way meanwhile. */
const AT_ONCE_MS = 2
/** Questions until it is tried again. */
const PATIENCE = 64

/**
 * For many small questions to a disk: asked in this thread as long as it answers at once, because the way through the
 * pool of threads takes several times as long as an answer out of the machine's memory; else through the pool.
 *
 * @returns a function that asks, for one kind of question: `now` waits for the answer in this thread, `later` does not
 */
export function askedAtOnce(): <T>(now: () => T, later: () => Promise<T>) => Promise<T> {
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
      if (performance.now() - began > AT_ONCE_MS) patient = PATIENCE
    }
  }
}
