import { KestrelError, toKestrelError } from '#shared/errors/index.ts'
import { setUpOnnxRuntime } from './engines/onnx/set-up.ts'
import { connectToStudio } from './host/connection.ts'
import { createHandlers } from './host/handlers.ts'
import { describe, TrainerHost } from './host/host.ts'

/**
 * The training process. Started by the studio with the address of its socket; lives as long as that connection.
 */
const address = process.env['KESTREL_TRAINER_SOCKET']
if (address === undefined || address === '') {
  console.error('The training process is started by Kestrel itself (KESTREL_TRAINER_SOCKET is not set).')
  process.exit(2)
}

/** What connecting to a socket fails with when whoever listened there has ended. */
const gone = new Set(['ECONNREFUSED', 'ENOENT', 'ECONNRESET'])

const { handlers, dispose } = createHandlers()
let crashing = false
let connection: Awaited<ReturnType<typeof connectToStudio>> | null = null
const host = new TrainerHost(handlers, (message) => connection?.send(message))

/** A bug, or the machine gave way: every open request hears of it, then the process ends and the studio starts another. */
async function crash(error: unknown): Promise<void> {
  crashing = true
  console.error(describe(error))
  const known = toKestrelError(error)
  host.failAll(
    known.code === 'internal'
      ? new KestrelError(
          'training-crashed',
          'The training process stopped because of an error inside Kestrel.',
          {
            kept: 'Your pictures, labels and earlier models are safe.',
            remedy: 'Try again. If it happens again, save diagnostics from Settings.',
            cause: error,
          },
        )
      : known,
  )
  connection?.send({ type: 'log', level: 'error', text: describe(error) })
  await connection?.end()
  process.exit(1)
}
// Ctrl+C in a terminal reaches every process of the group. What is to end is the studio's decision: it asks, and what is
// finished is kept; when it dies the socket closes.
process.on('SIGINT', () => undefined)
process.on('uncaughtException', (error) => void crash(error))
process.on('unhandledRejection', (error) => void crash(error))

connection = await connectToStudio(
  address,
  (message) => host.receive(message),
  () => {
    if (crashing) return
    host.stopAll()
    // Worker threads and caches get a moment to put things away; nothing is worth waiting longer for.
    void dispose().finally(() => process.exit(0))
    setTimeout(() => process.exit(0), 1500).unref()
  },
).catch((error: unknown) => {
  // The studio was killed meanwhile: nobody is there to be told, and a terminal is no place for it.
  if (error instanceof Error && 'code' in error && gone.has(String(error.code))) process.exit(1)
  throw error
})
connection.send({ type: 'ready', pid: process.pid })
void setUpOnnxRuntime()
