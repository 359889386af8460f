export interface RateMeter {
  /** Forgets what was measured: another stage has another speed. */
  restart(): void
  /** @param done units done so far. @returns units per second and seconds left; null while too little is known. */
  add(done: number, total: number | null): { rate: number | null; etaSeconds: number | null }
}

/** How far back the speed is measured: long enough to be calm, short enough to follow a change. */
const WINDOW_MS = 8_000
const FIRST_RATE_AFTER_MS = 400

/** Speed over the last seconds, from a cumulative count. */
export function createRateMeter(now: () => number = () => performance.now()): RateMeter {
  let marks: { at: number; done: number }[] = []
  return {
    restart() {
      marks = []
    },
    add(done, total) {
      const at = now()
      const newest = marks.at(-1)
      // Some 30 marks are enough for the window.
      if (!newest || at - newest.at >= WINDOW_MS / 30) marks.push({ at, done })
      while (marks.length > 2 && at - marks[1]!.at >= WINDOW_MS) marks.shift()
      const first = marks[0]!
      const elapsed = at - first.at
      if (elapsed < FIRST_RATE_AFTER_MS || done <= first.done) return { rate: null, etaSeconds: null }
      const rate = ((done - first.done) * 1000) / elapsed
      return { rate, etaSeconds: total === null ? null : Math.max(0, total - done) / rate }
    },
  }
}
