import { createServer } from 'node:net'
import type { Server, Socket } from 'node:net'
import { deserialize, serialize } from 'node:v8'
import { fromTrainerSchema } from '#shared/contract/trainer.ts'
import type {
  FromTrainer,
  PredictPartial,
  ToTrainer,
  TrainMetric,
  TrainStage,
  TrainerRequest,
  TrainerResult,
  TrainerResultOf,
} from '#shared/contract/trainer.ts'
import { KestrelError, fromWire } from '#shared/errors/index.ts'
import { FrameDecoder, encodeFrame } from '#shared/util/frames.ts'
import type { TrainerExit, TrainerLauncher, TrainerProcess } from '../parent-link.ts'
import { privateAddress } from './address.ts'
import { crashError, diedOfMemory, memoryKills } from './crash.ts'

export type TrainerLog = (level: 'info' | 'warn' | 'error', text: string) => void

export interface TrainerProgress {
  stage: TrainStage
  done: number
  total: number
  /** Pictures per second. */
  rate: number | null
}

export interface RequestOptions {
  /** Aborted: the trainer is asked to stop; when it does not answer in time it is ended. */
  signal?: AbortSignal
  /** What is asked for when aborted: an end with the best so far (the request resolves), or to give up (it rejects with `stopped`). */
  keepBest?: boolean
  onProgress?(progress: TrainerProgress): void
  onMetric?(metric: TrainMetric): void
  onPartial?(partial: PredictPartial): void
}

export type RequestOf<K extends TrainerRequest['kind']> = Extract<TrainerRequest, { kind: K }>

/** One trainer process, connected. */
export interface Trainer {
  readonly pid: number
  /** False as soon as the process or its socket is gone. */
  readonly alive: boolean
  readonly busy: boolean
  /** @throws KestrelError what the trainer says; `training-crashed` or `out-of-memory` when it dies; `stopped`. */
  request<K extends TrainerRequest['kind']>(
    request: RequestOf<K>,
    options?: RequestOptions,
  ): Promise<TrainerResultOf<K>>
  /** Ends the process: the socket closes, and what is still there after the deadline is killed. */
  close(): Promise<void>
  readonly gone: Promise<TrainerExit>
}

export interface TrainerDeadlines {
  /** From launch to `ready`. Loading native libraries on a busy old laptop takes its time. */
  readyMs: number
  /** From asking for a stop to ending the process. */
  stopMs: number
  /** From closing the socket to ending the process. */
  closeMs: number
}
export const defaultDeadlines: TrainerDeadlines = { readyMs: 90_000, stopMs: 20_000, closeMs: 4_000 }

interface Open {
  kind: TrainerRequest['kind']
  options: RequestOptions
  resolve(result: TrainerResult): void
  reject(error: unknown): void
  /** Undoes the abort listener and the deadline. */
  release(): void
  enforced: boolean
}

/** Launches a trainer and waits until it is ready. @throws KestrelError training-crashed */
export async function startTrainer(
  launcher: TrainerLauncher,
  log: TrainerLog,
  deadlines: TrainerDeadlines = defaultDeadlines,
): Promise<Trainer> {
  const killsBefore = await memoryKills()
  const address = privateAddress()
  const server = createServer()
  let child: TrainerProcess | null = null
  // A command may end while its trainer starts: one that is not connected yet would look for it in vain.
  const takeAlong = (): void => child?.kill('SIGKILL')
  process.once('exit', takeAlong)
  try {
    await listen(server, address.path)
    child = launcher.launch({ KESTREL_TRAINER_SOCKET: address.path })
    const socket = await firstConnection(server, child, deadlines.readyMs)
    return await connectedTrainer(child, socket, log, deadlines, killsBefore)
  } catch (error) {
    child?.kill('SIGKILL')
    throw error
  } finally {
    process.off('exit', takeAlong)
    // One trainer per address: nobody else may connect.
    server.close()
    await address.remove()
  }
}

function listen(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(path, () => resolve())
  })
}

function firstConnection(server: Server, child: TrainerProcess, deadlineMs: number): Promise<Socket> {
  const { promise, resolve, reject } = Promise.withResolvers<Socket>()
  const timer = setTimeout(() => reject(notStarted(`no connection within ${deadlineMs} ms`)), deadlineMs)
  server.once('connection', resolve)
  void child.exited.then((exit) =>
    reject(notStarted(`it exited with code ${exit.code}, signal ${exit.signal}`)),
  )
  return promise.finally(() => clearTimeout(timer))
}

const notStarted = (why: string): KestrelError =>
  new KestrelError('training-crashed', 'The part of Kestrel that trains and predicts could not be started.', {
    kept: 'Your pictures and labels are safe.',
    remedy: 'Start Kestrel again. If it happens again, save diagnostics from Settings.',
    cause: new Error(`trainer did not start: ${why}`),
  })

async function connectedTrainer(
  child: TrainerProcess,
  socket: Socket,
  log: TrainerLog,
  deadlines: TrainerDeadlines,
  killsBefore: number | null,
): Promise<Trainer> {
  const open = new Map<string, Open>()
  const ready = Promise.withResolvers<number>()
  const decoder = new FrameDecoder()
  let counter = 0
  let alive = true
  let closing = false

  const send = (message: ToTrainer): void => {
    socket.write(encodeFrame(serialize(message)))
  }

  const settle = (id: string, end: (entry: Open) => void): void => {
    const entry = open.get(id)
    if (!entry) return
    open.delete(id)
    entry.release()
    end(entry)
  }

  const receive = (message: FromTrainer): void => {
    switch (message.type) {
      case 'ready':
        return ready.resolve(message.pid)
      case 'log':
        return log(message.level, message.text)
      case 'progress': {
        const { stage, done, total, rate } = message
        return open.get(message.id)?.options.onProgress?.({ stage, done, total, rate })
      }
      case 'metric':
        return open.get(message.id)?.options.onMetric?.(message.metric)
      case 'partial':
        return open.get(message.id)?.options.onPartial?.(message.partial)
      case 'error':
        return settle(message.id, (entry) => entry.reject(fromWire(message.error)))
      case 'result':
        return settle(message.id, (entry) => {
          if (message.result.kind === entry.kind) entry.resolve(message.result)
          else entry.reject(new TypeError(`asked for ${entry.kind}, answered with ${message.result.kind}`))
        })
    }
  }

  const failAll = (error: (entry: Open) => unknown): void => {
    for (const id of [...open.keys()]) settle(id, (entry) => entry.reject(error(entry)))
  }

  socket.on('data', (chunk) => {
    try {
      for (const payload of decoder.push(chunk)) receive(fromTrainerSchema.parse(deserialize(payload)))
    } catch (error) {
      // A trainer that does not keep to the protocol, or a callback that threw: neither can be trusted to go on.
      log('error', `trainer message refused: ${error instanceof Error ? error.stack : String(error)}`)
      failAll(() => error)
      child.kill('SIGKILL')
    }
  })
  // A broken pipe is followed by the exit, which has the words.
  socket.on('error', (error) => log('warn', `trainer socket: ${error.message}`))
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()))
  void closed.then(() => {
    alive = false
    // Without its socket a trainer is to end by itself; a hung one is ended.
    const timer = setTimeout(() => child.kill('SIGKILL'), deadlines.closeMs)
    void child.exited.then(() => clearTimeout(timer))
  })

  const gone = child.exited.then(async (exit) => {
    alive = false
    // What it had sent before it died is still read: an answer must not turn into a crash.
    await closed
    if (open.size > 0) {
      const outOfMemory = diedOfMemory(exit, killsBefore, await memoryKills())
      log('error', `trainer ${pid} exited with code ${exit.code}, signal ${exit.signal}`)
      failAll((entry) => {
        if (entry.enforced) return stoppedByForce()
        return closing ? stoppedBefore() : crashError(entry.kind, exit, outOfMemory)
      })
    }
    return exit
  })

  const timer = setTimeout(() => ready.reject(notStarted('it was never ready')), deadlines.readyMs)
  void child.exited.then((exit) => ready.reject(notStarted(`it exited with code ${exit.code}`)))
  const pid = await ready.promise.finally(() => clearTimeout(timer))

  function request<K extends TrainerRequest['kind']>(
    body: RequestOf<K>,
    options: RequestOptions = {},
  ): Promise<TrainerResultOf<K>> {
    const { signal, keepBest = false } = options
    if (signal?.aborted) return Promise.reject(stoppedBefore())
    if (!alive) return Promise.reject(crashError(body.kind, { code: null, signal: null }, false))
    const id = String(++counter)
    const answer = Promise.withResolvers<TrainerResult>()
    let deadline: NodeJS.Timeout | undefined
    const stop = (): void => {
      send({ type: 'stop', id, keep: keepBest })
      deadline = setTimeout(() => {
        entry.enforced = true
        log('warn', `trainer ${pid} did not stop within ${deadlines.stopMs} ms and is ended`)
        child.kill('SIGKILL')
      }, deadlines.stopMs)
    }
    const entry: Open = {
      kind: body.kind,
      options,
      resolve: answer.resolve,
      reject: answer.reject,
      enforced: false,
      release() {
        signal?.removeEventListener('abort', stop)
        clearTimeout(deadline)
      },
    }
    open.set(id, entry)
    signal?.addEventListener('abort', stop, { once: true })
    send({ type: 'request', id, request: body })
    // `receive` has compared the kinds.
    return answer.promise as Promise<TrainerResultOf<K>>
  }

  return {
    pid,
    get alive() {
      return alive
    },
    get busy() {
      return open.size > 0
    },
    request,
    gone,
    async close() {
      alive = false
      closing = true
      socket.end()
      const timer = setTimeout(() => child.kill('SIGKILL'), deadlines.closeMs)
      await gone
      clearTimeout(timer)
    },
  }
}

const stoppedBefore = (): KestrelError =>
  new KestrelError('stopped', 'Stopped.', { kept: 'Everything finished before is kept.' })

const stoppedByForce = (): KestrelError =>
  new KestrelError('stopped', 'Stopped. It did not answer in time and was ended.', {
    kept: 'Everything finished before is kept.',
  })
