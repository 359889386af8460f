import {
  toTrainerSchema,
  type FromTrainer,
  type TrainerRequest,
  type TrainerResultOf,
  type TrainMetric,
  type TrainStage,
} from '#shared/contract/trainer.ts'
import { KestrelError, toWire } from '#shared/errors/index.ts'
import { StopSignal, stoppedError, type RequestContext } from './context.ts'
import { throttleLatest } from './throttle.ts'

/** Progress reaches the studio at most this often, in milliseconds. */
const PROGRESS_INTERVAL = 80

export type Handlers = {
  [K in TrainerRequest['kind']]: (
    request: Extract<TrainerRequest, { kind: K }>,
    context: RequestContext,
  ) => Promise<TrainerResultOf<K>>
}

/** Work that wants all cores runs one at a time; everything else at once, so that a prediction never waits for a training. */
const heavy: ReadonlySet<TrainerRequest['kind']> = new Set(['train', 'distill', 'features', 'export'])

/**
 * Answers the studio's requests: each ends with exactly one `result` or `error`. Knows nothing about sockets, so that it
 * can be driven by hand in tests.
 */
export class TrainerHost {
  private readonly open = new Map<string, StopSignal>()
  private queue: Promise<void> = Promise.resolve()
  private readonly handlers: Handlers
  private readonly send: (message: FromTrainer) => void

  constructor(handlers: Handlers, send: (message: FromTrainer) => void) {
    this.handlers = handlers
    this.send = send
  }

  /** Takes one message of the studio, not yet checked. */
  receive(message: unknown): void {
    const parsed = toTrainerSchema.safeParse(message)
    if (!parsed.success) {
      this.refuse(message, parsed.error.message)
      return
    }
    if (parsed.data.type === 'stop') {
      this.open.get(parsed.data.id)?.ask(parsed.data.keep)
      return
    }
    const { id, request } = parsed.data
    if (this.open.has(id)) {
      this.send({ type: 'log', level: 'error', text: `The request id ${id} is already in use.` })
      return
    }
    const stop = new StopSignal()
    this.open.set(id, stop)
    if (heavy.has(request.kind)) this.queue = this.queue.then(() => this.answer(id, request, stop))
    else void this.answer(id, request, stop)
  }

  /** Ends every open request with this error: the process cannot go on. */
  failAll(error: unknown): void {
    for (const id of [...this.open.keys()]) this.finish(id, { type: 'error', id, error: toWire(error) })
  }

  /** Asks everything to stop: the studio has gone. */
  stopAll(): void {
    for (const stop of this.open.values()) stop.ask(false)
  }

  private async answer(id: string, request: TrainerRequest, stop: StopSignal): Promise<void> {
    const { context, flush } = this.contextOf(id, stop)
    try {
      if (stop.asked !== null) throw stoppedError()
      const result = await this.handle(request, context)
      flush()
      this.finish(id, { type: 'result', id, result })
    } catch (error) {
      flush()
      if (!(error instanceof KestrelError) || error.cause !== undefined)
        this.send({ type: 'log', level: 'error', text: describe(error) })
      this.finish(id, { type: 'error', id, error: toWire(error) })
    }
  }

  private handle(request: TrainerRequest, context: RequestContext) {
    switch (request.kind) {
      case 'hello':
        return this.handlers.hello(request, context)
      case 'prepare-backbone':
        return this.handlers['prepare-backbone'](request, context)
      case 'features':
        return this.handlers.features(request, context)
      case 'train':
        return this.handlers.train(request, context)
      case 'distill':
        return this.handlers.distill(request, context)
      case 'measure':
        return this.handlers.measure(request, context)
      case 'predict':
        return this.handlers.predict(request, context)
      case 'export':
        return this.handlers.export(request, context)
    }
  }

  private finish(id: string, message: FromTrainer): void {
    // A request that failAll has ended must not answer a second time.
    if (this.open.delete(id)) this.send(message)
  }

  private contextOf(id: string, stop: StopSignal): { context: RequestContext; flush: () => void } {
    const progress = throttleLatest<FromTrainer>((message) => this.send(message), PROGRESS_INTERVAL)
    // Every step is sent: a curve of a short fit would otherwise be its first and last point. They are a few hundred
    // small messages at most, and the studio writes them in batches.
    const metric = (value: TrainMetric): void => this.send({ type: 'metric', id, metric: value })
    let stage: TrainStage | null = null
    const flush = (): void => {
      progress.flush()
    }
    return {
      flush,
      context: {
        stop,
        progress: (next, done, total, rate = null) => {
          const message: FromTrainer = { type: 'progress', id, stage: next, done, total, rate }
          // The last word of a stage and the first of the next both arrive.
          if (next !== stage || done >= total) {
            flush()
            stage = next
            this.send(message)
          } else {
            progress(message)
          }
        },
        metric,
        partial: (partial) => this.send({ type: 'partial', id, partial }),
      },
    }
  }

  private refuse(message: unknown, reason: string): void {
    const id =
      typeof message === 'object' && message !== null && 'id' in message && typeof message.id === 'string'
        ? message.id
        : null
    this.send({ type: 'log', level: 'error', text: `A message was refused: ${reason}` })
    if (id === null || this.open.has(id)) return
    const error = toWire(
      new KestrelError('bad-request', 'The training process was asked for something it does not know.'),
    )
    this.send({ type: 'error', id, error })
  }
}

/** For the log: the stack and its causes. Never sent to the page. */
export function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const own = error.stack ?? error.message
  return error.cause === undefined ? own : `${own}\ncaused by ${describe(error.cause)}`
}
