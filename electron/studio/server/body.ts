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
  if (request.body === null) return request
  return new Request(request, { body: limitStream(request.body, limit), duplex: 'half' } as RequestInit)
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
