import type { PredictPartial, TrainMetric, TrainStage } from '#shared/contract/trainer.ts'
import { KestrelError } from '#shared/errors/index.ts'

/** Whether and how a request was asked to end. Asked for once; work looks at it between its steps. */
export class StopSignal {
  /** `keep`: end with the best so far. `drop`: give the work up. */
  asked: 'keep' | 'drop' | null = null
  private readonly listeners = new Set<() => void>()

  ask(keep: boolean): void {
    // Giving up wins over keeping, never the other way round.
    if (this.asked === 'drop' || (this.asked === 'keep' && keep)) return
    this.asked = keep ? 'keep' : 'drop'
    for (const listener of this.listeners) listener()
  }

  /** Called at the moment it is asked for. @returns takes the listener away again. */
  onAsked(listener: () => void): () => void {
    this.listeners.add(listener)
    return () => void this.listeners.delete(listener)
  }

  /** @throws KestrelError `stopped` once asked for, where nothing can be kept. */
  throwIfAsked(kept?: string): void {
    if (this.asked !== null) throw stoppedError(kept)
  }

  /** @throws KestrelError `stopped` when the work is to be given up. */
  throwIfDropped(): void {
    if (this.asked === 'drop') throw stoppedError()
  }
}

export const stoppedError = (kept?: string): KestrelError =>
  new KestrelError('stopped', 'Stopped.', kept === undefined ? {} : { kept })

/** What a piece of work can say while it runs, and where it hears that it is to stop. */
export interface RequestContext {
  stop: StopSignal
  /** `rate`: pictures per second. Throttled; the last call of a stage always arrives. */
  progress(stage: TrainStage, done: number, total: number, rate?: number | null): void
  /** Throttled; the last call always arrives. */
  metric(metric: TrainMetric): void
  partial(partial: PredictPartial): void
}
