import { availableParallelism } from 'node:os'
import { Worker } from 'node:worker_threads'
import { fromWire, KestrelError, type WireError } from '#shared/errors/index.ts'
import { workerUrl } from '#shared/util/worker-url.ts'
import type {
  FromNetworkWorker,
  NetworkWorkerData,
  PictureSource,
  PictureTask,
  ToNetworkWorker,
} from './network-messages.ts'

/** Pictures per worker that are on their way at any time: some in the network, as many being decoded. */
const DEPTH = 16
/** A worker that was asked to end and does not is ended from outside after this long. */
const END_DEADLINE = 3000

export interface NetworkPoolOptions {
  /** See NetworkWorkerData. */
  onnxPath: string | null
  /** See NetworkWorkerData; null when left out. */
  tfjsPath?: string | null
  preprocessing: NetworkWorkerData['preprocessing']
  /** Workers; default: all cores. */
  workers?: number
  depth?: number
  threadsPerWorker?: number
}

export interface NetworkAnswer {
  values: Float32Array | null
  error: WireError | null
  /** Decode + preprocessing + network, without waiting for other pictures. */
  milliseconds: number
}

interface Task {
  source: PictureSource
  resolve: (answer: NetworkAnswer) => void
  reject: (error: unknown) => void
}

/**
 * Picture files in, a network's outputs out, on all cores. Workers with one thread each are faster than one network on
 * several threads, because small networks spend much of their time handing work between threads.
 */
export class NetworkPool {
  private readonly options: NetworkPoolOptions
  private readonly wanted: number
  private readonly depth: number
  private readonly members: Member[] = []
  private readonly waiting: Task[] = []
  private failure: Error | null = null

  /** Workers start with the first pictures, one for every few of them. */
  constructor(options: NetworkPoolOptions) {
    this.options = options
    this.wanted = options.workers ?? availableParallelism()
    this.depth = options.depth ?? DEPTH
  }

  /** Pictures that can be on their way at once: hand in this many, then one for each that comes back. */
  get capacity(): number {
    return this.wanted * this.depth
  }

  /** Whether a worker ended or could not begin; nothing more can be handed in then. */
  get broken(): boolean {
    return this.failure !== null
  }

  /** Starts the first worker before there is a picture, so that the first answer comes sooner. */
  warm(): void {
    if (this.members.length === 0 && !this.failure) this.grow()
  }

  /** @returns what became of the picture; rejects only when the pool itself broke or was closed. */
  submit(source: PictureSource): Promise<NetworkAnswer> {
    if (this.failure) return Promise.reject(this.failure)
    return new Promise((resolve, reject) => {
      this.waiting.push({ source, resolve, reject })
      this.dispatch()
    })
  }

  /** Ends the workers; pictures still waiting are given back as stopped. */
  async close(): Promise<void> {
    this.fail(new KestrelError('stopped', 'Stopped.'))
    await Promise.all(this.members.map((member) => member.end()))
  }

  private dispatch(): void {
    while (this.waiting.length > 0) {
      let idlest: Member | undefined
      for (const member of this.members) if (!idlest || member.load < idlest.load) idlest = member
      const mayGrow = this.members.length < this.wanted
      if (mayGrow && (!idlest || idlest.load > 0)) {
        idlest = this.grow()
      }
      if (!idlest || idlest.load >= this.depth) return
      idlest.take(this.waiting.shift()!)
    }
  }

  private grow(): Member {
    const member = new Member(
      this.options,
      () => this.dispatch(),
      (error) => this.fail(error),
    )
    this.members.push(member)
    return member
  }

  private fail(error: Error): void {
    if (this.failure) return
    this.failure = error
    for (const task of this.waiting.splice(0)) task.reject(error)
    for (const member of this.members) member.abandon(error)
  }
}

class Member {
  private readonly worker: Worker
  private readonly tasks = new Map<number, Task>()
  private readonly exited: Promise<void>
  private readonly outgoing: PictureTask[] = []
  private next = 0

  constructor(options: NetworkPoolOptions, onFree: () => void, onFailure: (error: Error) => void) {
    const data: NetworkWorkerData = {
      onnxPath: options.onnxPath,
      tfjsPath: options.tfjsPath ?? null,
      preprocessing: options.preprocessing,
      threads: options.threadsPerWorker ?? 1,
    }
    this.worker = new Worker(workerUrl('./network-worker.ts', import.meta.url), { workerData: data })
    this.worker.on('message', (message: FromNetworkWorker) => {
      if (message.type === 'failed') {
        const { error, milliseconds } = message
        this.settle(message.task, { values: null, error, milliseconds })
      } else {
        const length = message.values.length / message.tasks.length
        message.tasks.forEach(({ task, milliseconds }, at) => {
          const values = message.values.subarray(at * length, (at + 1) * length)
          this.settle(task, { values, error: null, milliseconds })
        })
      }
      onFree()
    })
    this.worker.on('error', (error) => onFailure(workerError(error)))
    this.exited = new Promise((resolve) => {
      this.worker.on('exit', (code) => {
        if (code !== 0) onFailure(workerError(new Error(`the network worker ended with code ${code}`)))
        resolve()
      })
    })
  }

  get load(): number {
    return this.tasks.size
  }

  take(task: Task): void {
    const id = this.next++
    this.tasks.set(id, task)
    // Named one by one: what else a caller's object holds stays here.
    const { path, region } = task.source
    this.outgoing.push({ task: id, source: { path, region } })
    if (this.outgoing.length > 1) return
    // An idle worker begins at once; one that is at work gets what comes next in one message.
    if (this.load === 1) this.hand()
    else setImmediate(() => this.hand())
  }

  abandon(error: Error): void {
    for (const task of this.tasks.values()) task.reject(error)
    this.tasks.clear()
    this.outgoing.length = 0
  }

  async end(): Promise<void> {
    this.post({ type: 'end' })
    const deadline = setTimeout(() => void this.worker.terminate(), END_DEADLINE)
    await this.exited
    clearTimeout(deadline)
  }

  private hand(): void {
    if (this.outgoing.length > 0) this.post({ type: 'pictures', tasks: this.outgoing.splice(0) })
  }

  private settle(id: number, answer: NetworkAnswer): void {
    const task = this.tasks.get(id)
    this.tasks.delete(id)
    task?.resolve(answer)
  }

  private post(message: ToNetworkWorker): void {
    this.worker.postMessage(message)
  }
}

/** Errors of a worker arrive as copies that have lost their class, but kept their own properties. */
function workerError(error: unknown): Error {
  const code = typeof error === 'object' && error !== null && 'code' in error ? error.code : null
  if (error instanceof Error && code === 'model-unreadable')
    return fromWire({ code: 'model-unreadable', message: error.message })
  return new KestrelError('training-crashed', 'A part of the training process stopped working.', {
    kept: 'Features computed so far are kept.',
    remedy: 'Try again.',
    cause: error,
  })
}
