import type { Page } from 'playwright-core'

/** A frame of a scroll. Times in ms. */
export interface ScrollFrame {
  /** Since the frame before it was drawn. */
  took: number
  /**
   * What the browser worked for it: the longest task of each thread a picture passes (main thread, compositor, display),
   * and all of the raster, one after the other, ms of processor time. A frame that came late although this is short
   * waited for a machine that did something else.
   */
  worked: number
}

/** What a scroll cost, from Chromium's own trace. */
export interface ScrollTrace {
  /** In the order of time; from the first moved picture to the last. */
  frames: ScrollFrame[]
  /** The longest work on the page's main thread in one piece, ms of processor time. */
  longestTask: number
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
 * Scrolls down with a wheel's gesture, as smooth as the browser can, and traces it.
 * @param distance px @param speed px per second
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
    yDistance: -distance,
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

export function readTrace(events: readonly TraceEvent[]): ScrollTrace {
  const named = (name: string): TraceEvent[] => events.filter((event) => event.name === name)
  const scrolls = named('ScrollLayer').map(({ ts }) => ts)
  const [page] = named('ScrollLayer')
  const main = named('thread_name').find(
    ({ args, pid }) => args.name === 'CrRendererMain' && pid === page?.pid,
  )
  if (!main || !page) throw new Error('nothing was scrolled')
  const threads = named('thread_name').flatMap(({ pid, tid, args }) => {
    const stage = stages.find(({ name }) => name.test(args.name ?? ''))
    return stage && (pid === main.pid || !stage.ofPage) ? [{ pid, tid, ...stage }] : []
  })
  const tasks = events.filter(({ name, ph }) => ph === 'X' && /(^ThreadPool_|::)RunTask$/.test(name))
  const perThread = threads.map((thread) => ({
    thread,
    tasks: tasks.filter(({ pid, tid }) => pid === thread.pid && tid === thread.tid),
  }))
  // Before the first step of the scroll, the gesture itself is being set up: nothing moves, nothing can be late.
  const [first, last] = [Math.min(...scrolls), Math.max(...scrolls)]
  const draws = named('DrawFrame')
    .filter(({ pid, ts }) => pid === main.pid && ts >= first && ts <= last)
    .map(({ ts }) => ts)
    .toSorted((a, b) => a - b)
  const frames = draws.slice(1).map((end, i) => {
    const began = draws[i]!
    const worked = perThread.map(({ thread, tasks: own }) => {
      const within = own.map((task) => cpuWithin(task, began, end))
      return thread.all ? sum(within) : Math.max(0, ...within)
    })
    return { took: (end - began) / 1000, worked: sum(worked) / 1000 }
  })
  const onMain = tasks.filter(({ pid, tid }) => pid === main.pid && tid === main.tid)
  return { frames, longestTask: Math.max(0, ...onMain.map(cpu)) / 1000 }
}

/** Threads a picture passes on its way to the screen; `all`: it may need several of the thread's tasks. */
const stages = [
  { name: /^CrRendererMain$/, ofPage: true, all: false },
  { name: /^Compositor$/, ofPage: true, all: false },
  { name: /^(ThreadPoolForegroundWorker|CompositorTileWorker)/, ofPage: true, all: true },
  { name: /^VizCompositorThread$/, ofPage: false, all: false },
] as const

const cpu = ({ tdur, dur }: TraceEvent): number => tdur ?? dur ?? 0

/** Processor time of a task that falls between two moments, spread evenly over it, µs. */
function cpuWithin(task: TraceEvent, from: number, to: number): number {
  const duration = task.dur ?? 0
  const overlap = Math.min(task.ts + duration, to) - Math.max(task.ts, from)
  return overlap <= 0 || duration === 0 ? 0 : (cpu(task) * overlap) / duration
}

const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0)
