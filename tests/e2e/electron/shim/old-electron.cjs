'use strict'
// Required before the app's main bundle on Electron 22 (Node 16), the only runtime a machine without access to Electron's
// downloads can have. Gives main the parts of today's Electron that are younger: protocol.handle with Request and
// Response, and utility processes, which run on a current Node here because the app's processes need one.
// What this leaves unproven is written in docs/testing.md.
const { fork } = require('node:child_process')
const { EventEmitter } = require('node:events')
const { createReadStream } = require('node:fs')
const { constants } = require('node:os')
const { join } = require('node:path')
const { PassThrough } = require('node:stream')
const web = require('node:stream/web')
const electron = require('electron')

globalThis.ReadableStream ??= web.ReadableStream

class Headers {
  #values = new Map()
  constructor(init = {}) {
    for (const [name, value] of Object.entries(init)) this.set(name, String(value))
  }
  get(name) {
    return this.#values.get(name.toLowerCase()) ?? null
  }
  set(name, value) {
    this.#values.set(name.toLowerCase(), value)
  }
  forEach(visit) {
    for (const [name, value] of this.#values) visit(value, name)
  }
}
globalThis.Headers ??= Headers

class Response {
  constructor(body, { status = 200, headers = {} } = {}) {
    this.status = status
    this.headers = headers instanceof globalThis.Headers ? headers : new globalThis.Headers(headers)
    this.body = typeof body === 'string' ? streamOf([Buffer.from(body)]) : body
  }
}
globalThis.Response ??= Response

/** A web stream over what an (async) iterable gives. */
function streamOf(iterable) {
  const iterator = iterable[Symbol.asyncIterator]?.() ?? iterable[Symbol.iterator]()
  return new ReadableStream({
    async pull(controller) {
      const { done, value } = await iterator.next()
      if (done) controller.close()
      else controller.enqueue(new Uint8Array(value))
    },
  })
}

async function* uploaded(parts) {
  for (const part of parts) {
    if (part.bytes) yield part.bytes
    else if (part.file) yield* createReadStream(part.file)
    else if (part.blobUUID) yield await electron.session.defaultSession.getBlobData(part.blobUUID)
  }
}

/** Bytes of the answer for Chromium; when Chromium closes them, the answer is cancelled. */
function outgoing(body) {
  const out = new PassThrough()
  if (!body) {
    out.end()
    return out
  }
  const reader = body.getReader()
  out.once('close', () => reader.cancel().catch(() => undefined))
  const pump = async () => {
    for (;;) {
      const { done, value } = await reader.read()
      if (done) break
      if (!out.write(Buffer.from(value))) await new Promise((resolve) => out.once('drain', resolve))
    }
    out.end()
  }
  pump().catch((error) => out.destroy(error))
  return out
}

electron.protocol.handle ??= (scheme, handler) => {
  electron.protocol.registerStreamProtocol(scheme, (request, callback) => {
    const given = {
      url: request.url,
      method: request.method,
      headers: new globalThis.Headers(request.headers),
      body: request.uploadData ? streamOf(uploaded(request.uploadData)) : null,
      signal: undefined,
    }
    handler(given).then(
      (response) => {
        const headers = {}
        response.headers.forEach((value, name) => {
          headers[name] = value
        })
        callback({ statusCode: response.status, headers, data: outgoing(response.body) })
      },
      () => callback({ error: -2 }),
    )
  })
}

class ForkedProcess extends EventEmitter {
  constructor(file, args, options) {
    super()
    this.child = fork(file, args, {
      execPath: process.env.KESTREL_TEST_NODE,
      execArgv: [],
      env: options.env,
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    })
    this.stdout = this.child.stdout
    this.stderr = this.child.stderr
    this.child.once('spawn', () => this.emit('spawn'))
    this.child.on('message', (message) => this.emit('message', message))
    this.child.once('exit', (code, signal) => this.emit('exit', code ?? constants.signals[signal]))
    this.child.once('error', () => this.emit('exit', 1))
  }
  get pid() {
    return this.child.pid
  }
  postMessage(message) {
    if (this.child.connected) this.child.send(message)
  }
  kill() {
    return this.child.kill()
  }
}
// Electron 22 has utility processes, on Node 16 and for CommonJS: enough for the stand-in studio, too old for the real one.
const ownFork = electron.utilityProcess.fork.bind(electron.utilityProcess)
electron.utilityProcess.fork = (file, args, options) =>
  process.env.KESTREL_TEST_OWN_UTILITY
    ? ownFork(join(__dirname, 'old-utility.cjs'), [file], options)
    : new ForkedProcess(file, args ?? [], options ?? {})

electron.app.whenReady().then(() => {
  electron.session.defaultSession.setPreloads([join(__dirname, 'old-preload.cjs')])
})
