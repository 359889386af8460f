import { describe, expect, it } from 'vitest'
import { workerUrl } from '#shared/util/worker-url.ts'

describe('workerUrl', () => {
  it('is the source file when the caller is source', () => {
    expect(workerUrl('./data/hash-worker.ts', 'file:///app/electron/imaging/pool.ts').href).toBe(
      'file:///app/electron/imaging/data/hash-worker.ts',
    )
  })
  it('is the built entry beside the chunk when the caller is built', () => {
    expect(workerUrl('../imaging/hash-worker.ts', 'file:///app/out/node/chunk-pool-1.mjs').href).toBe(
      'file:///app/out/node/hash-worker.mjs',
    )
  })
  it('refuses names the build would not find', () => {
    expect(() => workerUrl('./hash.ts', 'file:///app/x.ts')).toThrow(TypeError)
  })
})
