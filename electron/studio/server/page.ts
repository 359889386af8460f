import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { extname, isAbsolute, join, relative } from 'node:path'
import { Readable } from 'node:stream'
import { isMissing } from '../files.ts'

const contentTypes: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.mjs': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.json': 'application/json; charset=utf-8',
  '.map': 'application/json; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.jpg': 'image/jpeg',
  '.jpeg': 'image/jpeg',
  '.webp': 'image/webp',
  '.avif': 'image/avif',
  '.gif': 'image/gif',
  '.ico': 'image/x-icon',
  '.woff2': 'font/woff2',
  '.wasm': 'application/wasm',
  '.txt': 'text/plain; charset=utf-8',
  '.csv': 'text/csv; charset=utf-8',
  '.zip': 'application/zip',
}
export const contentTypeOf = (path: string): string =>
  contentTypes[extname(path).toLowerCase()] ?? 'application/octet-stream'

export interface FileResponseOptions {
  cacheControl: string
  headers?: Record<string, string>
}

/** Streams a file. @returns null when it is not there or is no file */
export async function fileResponse(path: string, options: FileResponseOptions): Promise<Response | null> {
  try {
    const found = await stat(path)
    if (!found.isFile()) return null
    const { size } = found
    const stream = Readable.toWeb(createReadStream(path)) as ReadableStream<Uint8Array>
    return new Response(size === 0 ? null : stream, {
      headers: {
        'content-type': contentTypeOf(path),
        'content-length': String(size),
        'cache-control': options.cacheControl,
        ...options.headers,
      },
    })
  } catch (error) {
    if (isMissing(error)) return null
    throw error
  }
}

const NO_PAGE = `<!doctype html><html lang="en"><meta charset="utf-8"><title>Kestrel Studio</title>
<body style="font: 16px/1.5 system-ui; margin: 4rem auto; max-width: 36rem; padding: 0 1rem">
<h1 style="font-size: 1.25rem">The page has not been built yet</h1>
<p>Run <code>npm run build</code> in Kestrel's folder, then load this page again.</p></body></html>`

/**
 * The built page. Addresses without an ending are places within the page and get its `index.html`.
 * @param folder where the build put it
 * @returns null when there is no such file
 */
export async function pageResponse(folder: string, pathname: string): Promise<Response | null> {
  const place = decodePath(pathname)
  if (place === null) return null
  const path = join(folder, place)
  const inside = relative(folder, path)
  if (inside.startsWith('..') || isAbsolute(inside)) return null
  if (inside !== '' && extname(inside) !== '') {
    const hashed = place.startsWith('/assets/')
    return fileResponse(path, {
      cacheControl: hashed ? 'private, max-age=31536000, immutable' : 'no-cache',
    })
  }
  if (place.startsWith('/assets')) return null
  const index = await fileResponse(join(folder, 'index.html'), { cacheControl: 'no-cache' })
  return (
    index ?? new Response(NO_PAGE, { status: 503, headers: { 'content-type': 'text/html; charset=utf-8' } })
  )
}

function decodePath(pathname: string): string | null {
  try {
    const place = decodeURIComponent(pathname)
    return /[\\\u0000]/u.test(place) ? null : place
  } catch (error) {
    if (error instanceof URIError) return null
    throw error
  }
}
