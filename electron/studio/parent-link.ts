import { fork } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { EventEmitter } from 'node:events'
import { fromParentSchema } from '#shared/contract/broker.ts'
import type { FromParent, ToParent } from '#shared/contract/broker.ts'
import { processEntry } from '#shared/util/app-folders.ts'

/** The desktop shell that started this studio, or null on the command line and in browser mode. */
export interface ParentLink {
  send(message: ToParent): void
  /** @returns a function that ends the subscription. */
  onMessage(listener: (message: FromParent) => void): () => void
  /** Called once when the parent is gone without a word. */
  onLost(listener: () => void): void
}

/** The part of Electron's `process.parentPort` that is used; declared here because the studio never imports electron. */
interface ParentPort {
  postMessage(message: unknown): void
  on(event: 'message', listener: (event: { data: unknown }) => void): void
}

const parentPortOf = (host: object): ParentPort | null =>
  'parentPort' in host && host.parentPort !== null && typeof host.parentPort === 'object'
    ? (host.parentPort as ParentPort)
    : null

/**
 * Finds the parent: a utility process has `parentPort`, a forked process has an IPC channel, anything else has neither.
 * Messages that do not fit the schema end the process: a parent that speaks another version cannot be served.
 */
export function findParentLink(): ParentLink | null {
  const events = new EventEmitter<{ message: [FromParent]; lost: [] }>()
  const receive = (data: unknown): void => {
    events.emit('message', fromParentSchema.parse(data))
  }
  const link = (post: (message: ToParent) => void): ParentLink => ({
    send: post,
    onMessage(listener) {
      events.on('message', listener)
      return () => events.off('message', listener)
    },
    onLost: (listener) => {
      events.once('lost', listener)
    },
  })

  const port = parentPortOf(process)
  if (port) {
    port.on('message', (event) => receive(event.data))
    // A utility process is ended by the system together with its parent: there is no "lost".
    return link((message) => port.postMessage(message))
  }
  if (process.send && process.env['KESTREL_PIPE'] !== undefined) {
    process.on('message', receive)
    process.once('disconnect', () => events.emit('lost'))
    return link((message) => {
      if (process.connected) process.send?.(message)
    })
  }
  return null
}

export interface TrainerExit {
  code: number | null
  signal: string | null
}

/** One trainer process. It connects to the studio's socket by itself (see shared/contract/trainer.ts). */
export interface TrainerProcess {
  /** Resolves when the process runs; null when it ended before it could be started. */
  readonly pid: Promise<number | null>
  /** Asks it to end (`SIGTERM`) or ends it (`SIGKILL`). Does nothing when it has ended. */
  kill(signal: 'SIGTERM' | 'SIGKILL'): void
  readonly exited: Promise<TrainerExit>
}

export interface TrainerLauncher {
  /** @param env added to the studio's own environment; names begin with KESTREL_, OMP_, ORT_ or TF_. */
  launch(env: Record<string, string>): TrainerProcess
}

/** In a packaged desktop app only main may start Node processes (fuse `runAsNode` is off): trainers are asked for there. */
export const createTrainerLauncher = (parent: ParentLink | null): TrainerLauncher =>
  parent ? launcherThroughParent(parent) : launcherByFork()

function launcherThroughParent(parent: ParentLink): TrainerLauncher {
  return {
    launch(env) {
      const token = randomUUID()
      const pid = Promise.withResolvers<number | null>()
      const exited = Promise.withResolvers<TrainerExit>()
      const unsubscribe = parent.onMessage((message) => {
        if (!('token' in message) || message.token !== token) return
        if (message.type === 'trainer-started') pid.resolve(message.pid)
        if (message.type === 'trainer-exit') {
          unsubscribe()
          pid.resolve(null)
          exited.resolve({ code: message.code, signal: message.signal })
        }
      })
      parent.send({ type: 'fork-trainer', token, env })
      return {
        pid: pid.promise,
        kill: (signal) => parent.send({ type: 'kill-trainer', token, force: signal === 'SIGKILL' }),
        exited: exited.promise,
      }
    },
  }
}

function launcherByFork(): TrainerLauncher {
  return {
    launch(env) {
      const child: ChildProcess = fork(processEntry('trainer'), [], {
        env: { ...process.env, ...env },
        // What it prints belongs in the log of the process that started it, and never on a stdout that carries JSON.
        stdio: ['ignore', 2, 2, 'ipc'],
        execArgv: [],
      })
      const exited = new Promise<TrainerExit>((resolve) => {
        child.once('exit', (code, signal) => resolve({ code, signal }))
        child.once('error', () => resolve({ code: null, signal: null }))
      })
      return {
        pid: Promise.resolve(child.pid ?? null),
        kill: (signal) => {
          child.kill(signal)
        },
        exited,
      }
    },
  }
}
