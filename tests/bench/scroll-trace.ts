import type { Page } from 'playwright-core'

/** What a scroll cost, from Chromium's own trace. All times in ms. */
export interface ScrollTrace {
  /** Time between two frames that were drawn while the scroll went on, ascending. */
  frames: number[]
  /** Work on the page's main thread in one piece (its CPU time, where the trace has it), ascending. */
  tasks: number[]
}

interface TraceEvent {
  name: string
  ph: string
  pid: number
  tid: number
  /** µs */
  ts: number
  dur?: number
  tdur?: number
  args: { name?: string }
}

const categories = 'devtools.timeline,toplevel,disabled-by-default-devtools.timeline.frame'

/**
 * Scrolls with a finger's gesture, as smooth as the browser can, and traces it.
 * @param distance px, negative scrolls down @param speed px per second
 */
export async function traceScroll(
  page: Page,
  selector: string,
  distance: number,
  speed: number,
): Promise<ScrollTrace> {
  const box = await page.locator(selector).boundingBox()
  if (!box) throw new Error(`${selector} is not on the page`)
  const session = await page.context().newCDPSession(page)
  const events: TraceEvent[] = []
  session.on('Tracing.dataCollected', ({ value }) => events.push(...(value as unknown as TraceEvent[])))
  await session.send('Tracing.start', {
    transferMode: 'ReportEvents',
    traceConfig: { includedCategories: categories.split(',') },
  })
  await session.send('Input.synthesizeScrollGesture', {
    x: box.x + box.width / 2,
    y: box.y + box.height / 2,
    yDistance: distance,
    speed,
    gestureSourceType: 'mouse',
    preventFling: true,
  })
  const complete = new Promise((done) => session.once('Tracing.tracingComplete', done))
  await session.send('Tracing.end')
  await complete
  await session.detach()
  return readTrace(events)
}

function readTrace(events: readonly TraceEvent[]): ScrollTrace {
  const main = events.find(({ name, args }) => name === 'thread_name' && args.name === 'CrRendererMain')
  const draws = events
    .filter(({ name, pid }) => name === 'DrawFrame' && pid === main?.pid)
    .map(({ ts }) => ts / 1000)
    .toSorted((a, b) => a - b)
  const frames = draws.slice(1).map((at, i) => at - (draws[i] ?? at))
  const tasks = events
    .filter(
      ({ name, ph, pid, tid }) =>
        name === 'ThreadControllerImpl::RunTask' && ph === 'X' && pid === main?.pid && tid === main.tid,
    )
    .map(({ tdur, dur }) => (tdur ?? dur ?? 0) / 1000)
  return { frames: frames.toSorted((a, b) => a - b), tasks: tasks.toSorted((a, b) => a - b) }
}
