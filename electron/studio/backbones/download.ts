import { open, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import type { FileHandle } from 'node:fs/promises'
import { KestrelError } from '#shared/errors/index.ts'
import { hashFile } from './hash-file.ts'

export interface DownloadRequest {
  /** Tried in this order. */
  urls: readonly string[]
  /** The finished file. Beside it, `.part` keeps what a cut connection has left. */
  target: string
  bytes: number
  hash: { algorithm: 'sha256' | 'sha1' | 'md5'; value: string }
  signal?: AbortSignal
  onProgress?(done: number, total: number): void
}

export interface DownloadOptions {
  /** Addresses that may be asked, redirects included. Plain http only in tests, on the loopback. */
  protocols: readonly string[]
  /** For the answer to begin, and between two pieces of it. */
  stallMs: number
  /** Tries without a single new byte before an address is given up. */
  attempts: number
  pauseMs: number
}
export const defaultDownload: DownloadOptions = {
  protocols: ['https:'],
  stallMs: 30_000,
  attempts: 4,
  pauseMs: 1_000,
}

const MAX_REDIRECTS = 5
/** System errors that mean: there is no way to the network, as opposed to: the other side failed. */
const offlineCodes = new Set([
  'ENOTFOUND',
  'EAI_AGAIN',
  'ENETUNREACH',
  'EHOSTUNREACH',
  'ENETDOWN',
  'ECONNREFUSED',
])

/**
 * Fetches a file whose hash is known: goes on where an earlier try was cut off, checks the hash, renames into place.
 * @throws KestrelError offline, download-failed, checksum-mismatch, disk-full, stopped
 */
export async function download(
  request: DownloadRequest,
  options: DownloadOptions = defaultDownload,
): Promise<void> {
  let failure: unknown = null
  for (const url of request.urls) {
    try {
      await fetchWhole(url, request, options)
      await accept(request)
      return
    } catch (error) {
      if (request.signal?.aborted) throw stopped()
      if (
        !(error instanceof KestrelError) ||
        !['offline', 'download-failed', 'checksum-mismatch'].includes(error.code)
      )
        throw error
      // What an address delivered and did not match tells more than that the next one is out of reach.
      if (failure === null || error.code !== 'offline') failure = error
    }
  }
  throw failure
}

const stopped = (): KestrelError =>
  new KestrelError('stopped', 'The download was stopped.', { kept: 'It goes on from where it was.' })

const partOf = (request: DownloadRequest): string => `${request.target}.part`

async function accept(request: DownloadRequest): Promise<void> {
  const part = partOf(request)
  if ((await hashFile(part, request.hash.algorithm)) !== request.hash.value) {
    await rm(part)
    await rm(`${part}.tag`, { force: true })
    throw new KestrelError('checksum-mismatch', 'What was downloaded is not the file that was promised.', {
      kept: 'It was deleted; nothing else was changed.',
      remedy: 'Try again later. If it happens again, another backbone will do.',
    })
  }
  await rename(part, request.target)
  await rm(`${part}.tag`, { force: true })
}

/** Until all bytes are there; each cut is followed by another try as long as tries bring something. */
async function fetchWhole(url: string, request: DownloadRequest, options: DownloadOptions): Promise<void> {
  let fruitless = 0
  for (;;) {
    const before = await sizeOf(partOf(request))
    if (before === request.bytes) return
    try {
      await fetchMore(url, request, options)
    } catch (error) {
      request.signal?.throwIfAborted()
      if (error instanceof KestrelError || isSystemError(error, 'ENOSPC')) throw error
      fruitless = (await sizeOf(partOf(request))) > before ? 0 : fruitless + 1
      if (fruitless >= options.attempts) throw worded(error, url, await sizeOf(partOf(request)))
      await new Promise((resolve) => setTimeout(resolve, options.pauseMs))
    }
  }
}

async function sizeOf(file: string): Promise<number> {
  try {
    return (await stat(file)).size
  } catch (error) {
    if (isSystemError(error, 'ENOENT')) return 0
    throw error
  }
}

const isSystemError = (error: unknown, code: string): boolean =>
  error instanceof Error && 'code' in error && error.code === code

/** A server's own refusal: trying the same address again at once is of no use. */
class Refused extends Error {}

async function fetchMore(url: string, request: DownloadRequest, options: DownloadOptions): Promise<void> {
  const part = partOf(request)
  const tag = await readFile(`${part}.tag`, 'utf8').catch((error: unknown) => {
    if (isSystemError(error, 'ENOENT')) return null
    throw error
  })
  // Without a tag nobody can promise that it is still the same file; the hash would tell, but only at the end.
  const from = tag === null ? 0 : await sizeOf(part)
  const stall = new AbortController()
  let timer = setTimeout(() => stall.abort(new Error('no answer')), options.stallMs)
  const signal = request.signal ? AbortSignal.any([request.signal, stall.signal]) : stall.signal
  let file: FileHandle | null = null
  try {
    const headers: Record<string, string> =
      from > 0 && tag !== null ? { range: `bytes=${from}-`, 'if-range': tag } : {}
    const response = await followed(url, { headers, signal }, options)
    const start = resumedAt(response, from)
    if (start === 0) await writeFile(part, '')
    await keepTag(`${part}.tag`, response)
    if (!response.body) throw new Refused('the answer is empty')
    file = await open(part, 'a')
    let done = start
    for await (const chunk of response.body) {
      clearTimeout(timer)
      timer = setTimeout(() => stall.abort(new Error('the connection fell silent')), options.stallMs)
      done += chunk.byteLength
      if (done > request.bytes) throw await tooLong(part)
      await file.write(chunk)
      request.onProgress?.(done, request.bytes)
    }
    if (done < request.bytes) throw new Error(`cut off after ${done} of ${request.bytes} bytes`)
  } finally {
    clearTimeout(timer)
    await file?.close()
  }
}

async function followed(
  url: string,
  init: { headers: Record<string, string>; signal: AbortSignal },
  options: DownloadOptions,
): Promise<Response> {
  let address = new URL(url)
  for (let hop = 0; hop <= MAX_REDIRECTS; hop++) {
    if (!options.protocols.includes(address.protocol))
      throw new KestrelError(
        'download-failed',
        'The download was sent on to an address that is not secure.',
        {
          kept: 'Nothing was fetched from there.',
          remedy: 'Try again later.',
        },
      )
    const response = await fetch(address, { ...init, redirect: 'manual' })
    const next = response.headers.get('location')
    if (response.status < 300 || response.status >= 400 || next === null) return response
    await response.body?.cancel()
    address = new URL(next, address)
  }
  throw new Refused('too many redirects')
}

/** @returns the byte at which the body begins. @throws Refused */
function resumedAt(response: Response, asked: number): number {
  if (response.status === 200) return 0
  const start = /^bytes (\d+)-/.exec(response.headers.get('content-range') ?? '')?.[1]
  if (response.status === 206 && Number(start) === asked) return asked
  throw new Refused(`the server answered ${response.status}`)
}

/** Weak tags do not promise the same bytes. */
async function keepTag(file: string, response: Response): Promise<void> {
  const tag = response.headers.get('etag') ?? response.headers.get('last-modified')
  if (tag === null || tag.startsWith('W/')) await rm(file, { force: true })
  else await writeFile(file, tag)
}

async function tooLong(part: string): Promise<KestrelError> {
  await rm(part, { force: true })
  return new KestrelError(
    'checksum-mismatch',
    'What was offered for download is not the file that was promised.',
    {
      kept: 'It was deleted; nothing else was changed.',
      remedy: 'Try again later. If it happens again, another backbone will do.',
    },
  )
}

function worded(error: unknown, url: string, done: number): KestrelError {
  const host = new URL(url).host
  const reason = error instanceof Error && error.cause instanceof Error ? error.cause : error
  const code = reason instanceof Error && 'code' in reason ? String(reason.code) : ''
  if (offlineCodes.has(code))
    return new KestrelError('offline', `This computer cannot reach ${host} now.`, {
      kept: done > 0 ? 'What was downloaded before is kept.' : 'Nothing was changed.',
      remedy:
        'Check the connection to the internet and try again. Training without a download works all the time.',
      cause: error,
    })
  return new KestrelError('download-failed', `The download from ${host} did not come to an end.`, {
    kept:
      done > 0
        ? `The ${(done / 1e6).toFixed(1)} MB that arrived are kept; it goes on from there.`
        : 'Nothing was changed.',
    remedy: 'Try again later.',
    cause: error,
  })
}
