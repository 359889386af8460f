import { request } from 'node:http'
import type { ClientRequest, IncomingMessage, OutgoingHttpHeaders } from 'node:http'
import type { z } from 'zod'
import { fromWire, wireErrorSchema } from '#shared/errors/index.ts'
import { pipeSecretHeader } from '#shared/contract/broker.ts'

/** Where the running studio listens, and the word that opens it. */
export interface PipeAddress {
  path: string
  secret: string
}

/** Begins an HTTP request on the pipe; the caller sends the body. */
export function pipeRequest(
  pipe: PipeAddress,
  method: string,
  path: string,
  headers: OutgoingHttpHeaders,
): ClientRequest {
  return request({
    socketPath: pipe.path,
    method,
    path,
    headers: { ...headers, host: 'studio', [pipeSecretHeader]: pipe.secret },
  })
}

const maxAnswerBytes = 4 * 1024 * 1024

async function readText(message: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of message as AsyncIterable<Buffer>) {
    bytes += chunk.byteLength
    if (bytes > maxAnswerBytes) throw new RangeError('the answer of the studio is too long')
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}

/**
 * One of the internal JSON calls.
 * @param body sent as JSON; undefined makes it a GET
 * @throws KestrelError with the studio's own words when it refuses
 */
export async function askStudio<T>(
  pipe: PipeAddress,
  path: string,
  answer: z.ZodType<T>,
  body?: unknown,
): Promise<T> {
  const message = await new Promise<IncomingMessage>((resolve, reject) => {
    const call = pipeRequest(pipe, body === undefined ? 'GET' : 'POST', path, {
      'content-type': 'application/json',
    })
    call.once('response', resolve)
    call.once('error', reject)
    call.setTimeout(10_000, () => call.destroy(new Error('the studio did not answer')))
    call.end(body === undefined ? undefined : JSON.stringify(body))
  })
  const text = await readText(message)
  if (message.statusCode !== 200) {
    const refused = wireErrorSchema.safeParse(text.startsWith('{') ? JSON.parse(text) : null)
    if (refused.success) throw fromWire(refused.data)
    throw new Error(`the studio answered ${message.statusCode ?? 'nothing'} to ${path}`)
  }
  return answer.parse(JSON.parse(text))
}
