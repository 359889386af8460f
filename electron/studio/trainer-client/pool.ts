import type { TrainerRequest, TrainerResultOf } from '#shared/contract/trainer.ts'
import { KestrelError } from '#shared/errors/index.ts'
import type { TrainerLauncher } from '../parent-link.ts'
import { defaultDeadlines, startTrainer } from './trainer.ts'
import type { RequestOf, RequestOptions, Trainer, TrainerDeadlines, TrainerLog } from './trainer.ts'

/** One warm trainer for what must feel instant; one of its own for every long piece of work. */
export interface TrainerPool {
  /** On the warm trainer, which is started when it is needed first, or again after it has died. */
  quick<K extends TrainerRequest['kind']>(
    request: RequestOf<K>,
    options?: RequestOptions,
  ): Promise<TrainerResultOf<K>>
  /** On a fresh trainer that ends with the request: its crash ends this work and nothing else. */
  long<K extends TrainerRequest['kind']>(
    request: RequestOf<K>,
    options?: RequestOptions,
  ): Promise<TrainerResultOf<K>>
  /** Starts the warm trainer ahead of need. */
  warmUp(): Promise<void>
  /** Ends all trainers. Open requests fail; later ones are refused. */
  close(): Promise<void>
}

export interface TrainerPoolPorts {
  launcher: TrainerLauncher
  log: TrainerLog
  deadlines?: TrainerDeadlines
  /** The warm trainer is ended after so long without work: it holds a few hundred megabytes. */
  idleMs?: number
}

const TEN_MINUTES = 600_000

export function createTrainerPool({
  launcher,
  log,
  deadlines = defaultDeadlines,
  idleMs = TEN_MINUTES,
}: TrainerPoolPorts): TrainerPool {
  const running = new Set<Trainer>()
  const starting = new Set<Promise<Trainer>>()
  let warm: Promise<Trainer> | null = null
  let idle: NodeJS.Timeout | undefined
  let closed = false

  async function start(): Promise<Trainer> {
    if (closed) throw new KestrelError('stopped', 'Kestrel is closing.')
    const launch = startTrainer(launcher, log, deadlines)
    starting.add(launch)
    const trainer = await launch.finally(() => starting.delete(launch))
    running.add(trainer)
    void trainer.gone.then(() => running.delete(trainer))
    if (closed) await trainer.close()
    return trainer
  }

  function warmTrainer(): Promise<Trainer> {
    if (warm) return warm
    const started = start()
    warm = started
    const forget = (): void => {
      if (warm === started) warm = null
    }
    started.then((trainer) => trainer.gone.then(forget), forget)
    return started
  }

  const restartIdle = (trainer: Trainer): void => {
    clearTimeout(idle)
    idle = setTimeout(() => {
      if (trainer.busy) return restartIdle(trainer)
      void trainer.close()
    }, idleMs)
    idle.unref()
  }

  return {
    async quick(request, options) {
      options?.signal?.throwIfAborted()
      let trainer = await warmTrainer()
      // Closed for idleness, or dead, at this very moment: a fresh one.
      if (!trainer.alive) {
        warm = null
        trainer = await warmTrainer()
      }
      return await trainer.request(request, options).finally(() => restartIdle(trainer))
    },
    async long(request, options) {
      options?.signal?.throwIfAborted()
      const trainer = await start()
      try {
        return await trainer.request(request, options)
      } finally {
        // The work is done: nobody has to wait for the process to leave.
        void trainer.close()
      }
    },
    async warmUp() {
      restartIdle(await warmTrainer())
    },
    async close() {
      closed = true
      clearTimeout(idle)
      await Promise.allSettled(starting)
      await Promise.all([...running].map((trainer) => trainer.close()))
    },
  }
}
