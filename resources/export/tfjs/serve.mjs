/**
 * Serves this folder to a browser on this computer only: `npm start`, then open the address it prints.
 * For another port: node serve.mjs PORT
 */
import { createServer } from 'node:http'
import { readFile } from 'node:fs/promises'
import { dirname, extname, isAbsolute, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'

const here = dirname(fileURLToPath(import.meta.url))
const types = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.mjs': 'text/javascript; charset=utf-8',
  '.json': 'application/json',
  '.bin': 'application/octet-stream',
}

const server = createServer(async (request, response) => {
  const { pathname } = new URL(request.url ?? '/', 'http://localhost')
  const wanted = join(here, decodeURIComponent(pathname === '/' ? '/index.html' : pathname))
  const inside = relative(here, wanted)
  try {
    if (inside.startsWith('..') || isAbsolute(inside)) throw new Error('outside this folder')
    const body = await readFile(wanted)
    response.writeHead(200, { 'content-type': types[extname(wanted)] ?? 'application/octet-stream' })
    response.end(body)
  } catch {
    response.writeHead(404).end('Not found')
  }
})
server.listen(Number(process.argv[2] ?? 8080), '127.0.0.1', () => {
  console.log(`Open http://127.0.0.1:${server.address().port} in a browser.`)
})
