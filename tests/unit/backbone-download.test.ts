import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { download } from '#studio/backbones/download.ts'
import type { DownloadRequest } from '#studio/backbones/download.ts'
import type { KestrelError } from '#shared/errors/index.ts'

const content = Buffer.alloc(200_000, 'kestrel looks at pictures. ')
const sha256 = createHash('sha256').update(content).digest('hex')
const options = { protocols: ['http:'], stallMs: 400, attempts: 2, pauseMs: 5 }

let server: Server
let base: string
let folder: string
let asked: { url: string; range: string | undefined }[]
let answer: (request: IncomingMessage, response: ServerResponse) => void

beforeEach(async () => {
  asked = []
  folder = await mkdtemp(join(tmpdir(), 'kestrel-download-'))
  server = createServer((request, response) => {
    asked.push({ url: request.url!, range: request.headers.range })
    answer(request, response)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
})
afterEach(async () => {
  server.closeAllConnections()
  await new Promise((resolve) => server.close(resolve))
  await rm(folder, { recursive: true })
})

const request = (more: Partial<DownloadRequest> = {}): DownloadRequest => ({
  urls: [`${base}/model`],
  target: join(folder, 'model.onnx'),
  bytes: content.length,
  hash: { algorithm: 'sha256', value: sha256 },
  ...more,
})
const codeOf = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => 'no error',
    (error: KestrelError) => error.code ?? String(error),
  )
const finished = async (): Promise<boolean> =>
  (await readFile(join(folder, 'model.onnx'))).equals(content) &&
  !existsSync(join(folder, 'model.onnx.part')) &&
  !existsSync(join(folder, 'model.onnx.part.tag'))

/** Serves ranges, cuts the connection after `cut` bytes of each answer. */
const serve =
  ({ cut = Infinity, ranges = true, tag = '"one"' as string | null } = {}) =>
  (incoming: IncomingMessage, response: ServerResponse): void => {
    const from = ranges ? Number(/^bytes=(\d+)-$/.exec(incoming.headers.range ?? '')?.[1] ?? 0) : 0
    const matches = incoming.headers['if-range'] === tag
    const start = matches ? from : 0
    const rest = content.subarray(start)
    response.writeHead(start > 0 ? 206 : 200, {
      'content-length': rest.length,
      ...(tag === null ? {} : { etag: tag }),
      ...(start > 0 ? { 'content-range': `bytes ${start}-${content.length - 1}/${content.length}` } : {}),
    })
    if (rest.length <= cut) response.end(rest)
    // What is still in the client's buffer when a connection breaks is lost: give it a moment to be read.
    else response.write(rest.subarray(0, cut), () => setTimeout(() => response.destroy(), 60))
  }

describe('download', () => {
  it('fetches, checks, and puts the file into place', async () => {
    answer = serve()
    const seen: number[] = []
    await download(request({ onProgress: (done) => seen.push(done) }), options)
    expect(await finished()).toBe(true)
    expect(seen.at(-1)).toBe(content.length)
  })

  it('goes on after every cut while something arrives', async () => {
    answer = serve({ cut: 60_000 })
    await download(request(), options)
    expect(await finished()).toBe(true)
    expect(asked.length).toBeGreaterThanOrEqual(4)
    expect(asked.at(-1)?.range).toMatch(/^bytes=\d+-$/)
  })

  it('goes on in a later call from what an earlier one has kept', async () => {
    answer = (_, response) => {
      if (asked.length === 1) serve({ cut: 90_000 })(_, response)
      else response.writeHead(503).end()
    }
    await expect(download(request(), options)).rejects.toMatchObject({
      code: 'download-failed',
      kept: expect.stringContaining('0.1 MB'),
    })
    answer = serve()
    asked = []
    await download(request(), options)
    expect(await finished()).toBe(true)
    expect(Number(asked[0]?.range?.slice(6, -1))).toBeGreaterThan(0)
  })

  it('begins again when the server knows no ranges, or the file has changed', async () => {
    await writeFile(join(folder, 'model.onnx.part'), 'old beginning')
    await writeFile(join(folder, 'model.onnx.part.tag'), '"zero"')
    answer = serve()
    await download(request(), options)
    expect(await finished()).toBe(true)

    await writeFile(join(folder, 'model.onnx.part'), 'old beginning')
    await writeFile(join(folder, 'model.onnx.part.tag'), '"one"')
    answer = serve({ ranges: false })
    await download(request(), options)
    expect(await finished()).toBe(true)
  })

  it('never mixes two files: without a tag it begins again', async () => {
    let times = 0
    answer = (incoming, response) =>
      serve({ tag: null, cut: ++times === 1 ? 50_000 : Infinity })(incoming, response)
    await download(request(), options)
    expect(await finished()).toBe(true)
    expect(asked.map(({ range }) => range)).toEqual([undefined, undefined])
  })

  it('deletes what does not match its hash, and takes the next address', async () => {
    answer = (incoming, response) =>
      incoming.url === '/wrong'
        ? response.end(Buffer.alloc(content.length, 'x'))
        : serve()(incoming, response)
    expect(await codeOf(download(request({ urls: [`${base}/wrong`] }), options))).toBe('checksum-mismatch')
    expect(existsSync(join(folder, 'model.onnx.part'))).toBe(false)
    await download(request({ urls: [`${base}/wrong`, `${base}/right`] }), options)
    expect(await finished()).toBe(true)
  })

  it('gives up on a file that is longer than promised', async () => {
    answer = (_, response) => response.end(Buffer.alloc(content.length + 1))
    expect(await codeOf(download(request(), options))).toBe('checksum-mismatch')
  })

  it('follows redirects, but not to addresses that are not allowed', async () => {
    answer = (incoming, response) => {
      if (incoming.url === '/model') response.writeHead(302, { location: '/elsewhere' }).end()
      else serve()(incoming, response)
    }
    await download(request(), options)
    expect(await finished()).toBe(true)

    answer = (_, response) => response.writeHead(302, { location: 'ftp://127.0.0.1/model' }).end()
    expect(await codeOf(download(request(), options))).toBe('download-failed')
    answer = (_, response) => response.writeHead(302, { location: '/model' }).end()
    expect(await codeOf(download(request(), options))).toBe('download-failed')
    expect(await codeOf(download(request()))).toBe('download-failed')
  })

  it('says offline when there is no way to the server', async () => {
    answer = serve()
    const target = request()
    await new Promise((resolve) => server.close(resolve))
    await expect(download(target, options)).rejects.toMatchObject({
      code: 'offline',
      message: expect.stringContaining('127.0.0.1'),
    })
    server.listen(0)
  })

  it('gives up on a server that falls silent', async () => {
    answer = (_, response) => {
      response.writeHead(200, { 'content-length': content.length })
      response.write('beginning')
    }
    expect(await codeOf(download(request(), options))).toBe('download-failed')
  })

  it('stops when asked to, and keeps what it has', async () => {
    const abort = new AbortController()
    answer = (_, response) => {
      response.writeHead(200, { 'content-length': content.length, etag: '"one"' })
      response.write(content.subarray(0, 1000))
    }
    const running = download(request({ signal: abort.signal, onProgress: () => abort.abort() }), options)
    expect(await codeOf(running)).toBe('stopped')
    expect((await readFile(join(folder, 'model.onnx.part'))).length).toBe(1000)
  })
})
