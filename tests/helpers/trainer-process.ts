import { spawn, type ChildProcess } from 'node:child_process'
import { createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { mkdtempSync, rmSync } from 'node:fs'
import { deserialize, serialize } from 'node:v8'
import {
  fromTrainerSchema,
  type FromTrainer,
  type TrainerRequest,
  type TrainerResultOf,
} from '#shared/contract/trainer.ts'
import { fromWire } from '#shared/errors/index.ts'
import { encodeFrame, FrameDecoder } from '#shared/util/frames.ts'
import { withContents } from './folders.ts'

const script = resolve(import.meta.dirname, '../../electron/trainer/main.ts')

interface Open {
  messages: FromTrainer[]
  onMessage: ((message: FromTrainer) => void) | undefined
  resolve: (result: never) => void
  reject: (error: unknown) => void
}

/** The real training process on a real socket, driven by a test in the studio's place. Every message is checked. */
export class TrainerProcess {
  readonly child: ChildProcess
  readonly exited: Promise<{ code: number | null; signal: NodeJS.Signals | null }>
  readonly logs: string[] = []
  stderr = ''
  private readonly server: Server
  private readonly folder: string
  private readonly socket: Promise<Socket>
  private readonly open = new Map<string, Open>()
  private next = 0

  private constructor(server: Server, folder: string, address: string, nodeOptions: readonly string[]) {
    this.server = server
    this.folder = folder
    this.socket = new Promise((resolve) => server.once('connection', resolve))
    this.child = spawn(process.execPath, [...nodeOptions, script], {
      env: { ...process.env, KESTREL_TRAINER_SOCKET: address },
      stdio: ['ignore', 'ignore', 'pipe'],
    })
    this.child.stderr?.on('data', (chunk: Buffer) => (this.stderr += chunk.toString()))
    this.exited = new Promise((resolve) => {
      this.child.once('exit', (code, signal) => {
        for (const { reject } of this.open.values())
          reject(new Error(`the trainer has ended: ${this.stderr}`))
        resolve({ code, signal })
      })
    })
  }

  /** @param nodeOptions for tests that need a process that breaks. */
  static async start(nodeOptions: readonly string[] = []): Promise<TrainerProcess> {
    const folder = mkdtempSync(join(tmpdir(), 'kestrel-trainer-'))
    const address =
      process.platform === 'win32' ? `\\\\.\\pipe\\${folder.replaceAll('\\', '-')}` : join(folder, 's')
    const server = createServer()
    await new Promise<void>((done) => server.listen(address, done))
    const trainer = new TrainerProcess(server, folder, address, nodeOptions)
    const socket = await trainer.socket
    await new Promise<void>((ready) => {
      const decoder = new FrameDecoder()
      socket.on('data', (chunk) => {
        for (const payload of decoder.push(chunk)) {
          const message = fromTrainerSchema.parse(deserialize(payload))
          if (message.type === 'ready') ready()
          else trainer.take(message)
        }
      })
      // A killed process resets the connection; its exit tells the test.
      socket.on('error', () => undefined)
    })
    return trainer
  }

  /** @param onMessage is called for everything before the answer. */
  request<R extends TrainerRequest>(
    request: R,
    onMessage?: (message: FromTrainer) => void,
  ): { id: string; messages: FromTrainer[]; answer: Promise<TrainerResultOf<R['kind']>> } {
    const id = `request ${this.next++}`
    const messages: FromTrainer[] = []
    const answer = new Promise<TrainerResultOf<R['kind']>>((resolve, reject) => {
      this.open.set(id, { messages, onMessage, resolve, reject })
    })
    void this.send({ type: 'request', id, request })
    return { id, messages, answer }
  }

  async send(message: unknown): Promise<void> {
    ;(await this.socket).write(encodeFrame(serialize(message)))
  }

  stop(id: string, keep: boolean): Promise<void> {
    return this.send({ type: 'stop', id, keep })
  }

  /** Closes the connection, as a studio that ends does. */
  async disconnect(): Promise<void> {
    ;(await this.socket).destroy()
  }

  async close(): Promise<void> {
    await this.disconnect()
    await this.exited
    this.server.close()
    rmSync(this.folder, withContents)
  }

  private take(message: FromTrainer): void {
    if (message.type === 'log') {
      this.logs.push(message.text)
      return
    }
    if (message.type === 'ready') return
    const open = this.open.get(message.id)
    if (!open) throw new Error(`an answer nobody asked for: ${JSON.stringify(message).slice(0, 200)}`)
    open.messages.push(message)
    if (message.type === 'result' || message.type === 'error') {
      this.open.delete(message.id)
      if (message.type === 'result') open.resolve(message.result as never)
      else open.reject(fromWire(message.error))
    } else {
      open.onMessage?.(message)
    }
  }
}
