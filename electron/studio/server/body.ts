import { KestrelError } from '#shared/errors/index.ts'

export const tooLarge = (): KestrelError =>
  new KestrelError('too-large', 'More was sent than is allowed here.', {
    kept: 'Nothing was changed.',
    remedy: 'Send less at once.',
  })

/** Refuses by the announced length, before a byte is read. @throws KestrelError too-large */
export function checkAnnouncedLength(request: Request, limit: number): void {
  const announced = Number(request.headers.get('content-length') ?? 0)
  if (!(announced <= limit)) throw tooLarge()
}

/** The request with a body that fails once it grows over the limit, whatever it announced. */
export function withBodyLimit(request: Request, limit: number): Request {
  checkAnnouncedLength(request, limit)
  const { body } = request
  return body === null ? request : copyRequest(request, { body: limitStream(body, limit) })
}

/** The server's requests are no real ones (they are made lazily) and cannot be handed to the constructor. */
export function copyRequest(
  request: Request,
  changes: { headers?: Headers; body?: ReadableStream<Uint8Array> | null },
): Request {
  const { url, method, signal } = request
  const body = changes.body === undefined ? request.body : changes.body
  const init: RequestInit & { duplex: 'half' } = {
    method,
    signal,
    headers: changes.headers ?? request.headers,
    body,
    duplex: 'half',
  }
  return new Request(url, init)
}

export function limitStream(body: ReadableStream<Uint8Array>, limit: number): ReadableStream<Uint8Array> {
  let bytes = 0
  return body.pipeThrough(
    new TransformStream<Uint8Array, Uint8Array>({
      transform(chunk, controller) {
        bytes += chunk.byteLength
        if (bytes > limit) controller.error(tooLarge())
        else controller.enqueue(chunk)
      },
    }),
  )
}
