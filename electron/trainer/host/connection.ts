import { createConnection, type Socket } from 'node:net'
import { deserialize, serialize } from 'node:v8'
import type { FromTrainer } from '#shared/contract/trainer.ts'
import { encodeFrame, FrameDecoder } from '#shared/util/frames.ts'

export interface StudioConnection {
  send(message: FromTrainer): void
  /** Sends what is still waiting, then closes. */
  end(): Promise<void>
}

/**
 * Connects to the socket (or named pipe) the studio listens on.
 * @param onMessage gets every message, not yet checked.
 * @param onClose is called once, when the studio has closed the connection or it broke.
 */
export function connectToStudio(
  path: string,
  onMessage: (message: unknown) => void,
  onClose: (error: Error | null) => void,
): Promise<StudioConnection> {
  return new Promise((resolve, reject) => {
    const socket = createConnection(path)
    socket.once('error', reject)
    socket.once('connect', () => {
      socket.off('error', reject)
      listen(socket, onMessage, onClose)
      resolve({
        send: (message) => {
          if (socket.writable) socket.write(encodeFrame(serialize(message)))
        },
        end: () => new Promise((done) => socket.end(() => done())),
      })
    })
  })
}

function listen(
  socket: Socket,
  onMessage: (message: unknown) => void,
  onClose: (error: Error | null) => void,
): void {
  const decoder = new FrameDecoder()
  let broken: Error | null = null
  socket.on('data', (chunk) => {
    try {
      for (const payload of decoder.push(chunk)) onMessage(deserialize(payload))
    } catch (error) {
      // After a broken frame nothing that follows can be told apart any more.
      socket.destroy(error instanceof Error ? error : new Error(String(error)))
    }
  })
  socket.on('error', (error) => (broken = error))
  socket.on('close', () => onClose(broken))
}
