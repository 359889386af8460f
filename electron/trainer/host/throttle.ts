/** Passes a value on at once, then at most one (the newest) per interval; `flush` passes on what is still held back. */
export interface Throttled<T> {
  (value: T): void
  flush(): void
}

/**
 * Leading and trailing throttle without timers of its own: work that computes for long keeps timers from running, so the
 * held-back value leaves with the next call after the interval, or with `flush`.
 */
export function throttleLatest<T>(
  send: (value: T) => void,
  intervalMs: number,
  now: () => number = () => performance.now(),
): Throttled<T> {
  let last = Number.NEGATIVE_INFINITY
  let held: { value: T } | null = null
  const throttled = (value: T): void => {
    if (now() - last < intervalMs) {
      held = { value }
      return
    }
    last = now()
    held = null
    send(value)
  }
  return Object.assign(throttled, {
    flush() {
      if (!held) return
      const { value } = held
      held = null
      last = now()
      send(value)
    },
  })
}
