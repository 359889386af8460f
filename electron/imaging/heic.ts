import { Worker } from 'node:worker_threads'
import { workerUrl } from '#shared/util/worker-url.ts'
import type { HeicPicture, HeicReply, HeicRequest } from './heic-messages.ts'
import { limits } from './limits.ts'
import { checkSize, damaged } from './refusals.ts'

/** One thread for all HEIC pictures of this thread's module; started with the first, let go after a while without. */
const IDLE_MS = 30_000

interface Waiting {
  resolve: (picture: HeicPicture) => void
  reject: (error: unknown) => void
}

let worker: Worker | null = null
let idle: NodeJS.Timeout | undefined
let nextTask = 1
const waiting = new Map<number, Waiting>()

function settle(reply: HeicReply): void {
  const entry = waiting.get(reply.task)
  waiting.delete(reply.task)
  if (waiting.size === 0) rest()
  if ('picture' in reply) entry?.resolve(reply.picture)
  else entry?.reject(damaged(reply.failed))
}

function rest(): void {
  worker?.unref()
  idle = setTimeout(() => {
    void worker?.terminate()
    worker = null
  }, IDLE_MS)
  idle.unref()
}

function lost(ended: Worker, cause: unknown): void {
  if (worker === ended) worker = null
  for (const { reject } of waiting.values()) reject(damaged(cause))
  waiting.clear()
}

function running(): Worker {
  clearTimeout(idle)
  if (worker !== null) {
    worker.ref()
    return worker
  }
  const started = new Worker(workerUrl('./heic-worker.ts', import.meta.url), { stdout: true, stderr: true })
  // libheif prints what it thinks of broken files; the error says it, and standard output belongs to the program.
  started.stdout.resume()
  started.stderr.resume()
  started.on('message', settle)
  started.on('error', (error) => lost(started, error))
  started.on('exit', (code) => lost(started, `the HEIC thread ended with code ${code}`))
  worker = started
  return started
}

function ask(action: HeicRequest['action'], bytes: Uint8Array): Promise<HeicPicture> {
  return new Promise((resolve, reject) => {
    const task = nextTask++
    waiting.set(task, { resolve, reject })
    // Copied, not transferred: the caller still needs the bytes.
    const request: HeicRequest = { task, action, bytes, pixelLimit: limits.pixels }
    running().postMessage(request)
  })
}

/** Size of the primary image, upright. @throws KestrelError picture-damaged, picture-too-large */
export async function probeHeic(bytes: Uint8Array): Promise<{ width: number; height: number }> {
  const { width, height } = await ask('probe', bytes)
  checkSize(width, height)
  return { width, height }
}

/** The primary image, upright, RGBA. @throws KestrelError picture-damaged, picture-too-large */
export async function decodeHeic(bytes: Uint8Array): Promise<HeicPicture> {
  const picture = await ask('decode', bytes)
  checkSize(picture.width, picture.height)
  return picture
}
