import { createRequire } from 'node:module'
import { parentPort } from 'node:worker_threads'
import type { HeicPicture, HeicReply, HeicRequest } from './heic-messages.ts'

/**
 * libheif as WebAssembly (sharp's libvips has no HEVC decoder). Decoding a phone picture takes a second of pure
 * computing, hence a thread of its own.
 */
interface HeifImage {
  get_width(): number
  get_height(): number
  is_primary?(): boolean
  display(
    target: { data: Uint8ClampedArray; width: number; height: number },
    done: (result: { data: Uint8ClampedArray } | null) => void,
  ): void
  free(): void
}
interface Libheif {
  HeifDecoder: new () => { decode(bytes: Uint8Array): HeifImage[] }
}

const port = parentPort
if (!port) throw new Error('the HEIC worker was started outside a worker thread')
const libheif = createRequire(import.meta.url)('libheif-js/wasm-bundle.js') as Libheif

async function read(request: HeicRequest): Promise<HeicPicture> {
  const images = new libheif.HeifDecoder().decode(request.bytes)
  try {
    const image = images.find((candidate) => candidate.is_primary?.() === true) ?? images[0]
    if (image === undefined) throw new Error('no image in the file')
    const width = image.get_width()
    const height = image.get_height()
    if (request.action === 'probe' || width * height > request.pixelLimit) {
      return { width, height, data: new Uint8Array(0) }
    }
    const target = { data: new Uint8ClampedArray(width * height * 4), width, height }
    const result = await new Promise<{ data: Uint8ClampedArray } | null>((done) =>
      image.display(target, done),
    )
    if (result === null) throw new Error('the image could not be decoded')
    return { width, height, data: new Uint8Array(result.data.buffer) }
  } finally {
    for (const image of images) image.free()
  }
}

const reply = (message: HeicReply, transfer: ArrayBuffer[] = []): void => port.postMessage(message, transfer)

port.on('message', (request: HeicRequest) => {
  read(request).then(
    (picture) => reply({ task: request.task, picture }, [picture.data.buffer as ArrayBuffer]),
    (error: unknown) => reply({ task: request.task, failed: String(error) }),
  )
})
