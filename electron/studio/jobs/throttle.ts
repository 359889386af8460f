export interface Throttled {
  (): void
  /** Makes a call that is still due, now. */
  flush(): void
}

/** Calls at once, then at most every `intervalMs`, and once more after the last request: the last percent arrives. */
export function throttle(call: () => void, intervalMs: number): Throttled {
  let timer: NodeJS.Timeout | null = null
  let due = false
  const fire = (): void => {
    due = false
    call()
    timer = setTimeout(() => {
      timer = null
      if (due) fire()
    }, intervalMs)
    // Progress must not keep a process alive that has nothing else to do.
    timer.unref()
  }
  const throttled = (): void => {
    due = true
    if (timer === null) fire()
  }
  return Object.assign(throttled, {
    flush() {
      if (timer !== null) clearTimeout(timer)
      timer = null
      if (!due) return
      due = false
      call()
    },
  })
}
