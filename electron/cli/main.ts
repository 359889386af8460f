import { enableCompileCache } from 'node:module'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { kestrelHome } from '#shared/util/home.ts'

/** The `kestrel` command: what has to be set before anything is loaded. All else is in app.ts. */

// Pictures are decoded on libuv's pool of threads, which by itself has four; read when it is first used.
process.env['UV_THREADPOOL_SIZE'] ??= String(Math.max(4, availableParallelism()))

// Compiled code is kept, for this process and the trainers it starts: a repeated run may cost a second in all.
const compiled = join(kestrelHome(), 'cache', 'compiled')
enableCompileCache(compiled)
process.env['NODE_COMPILE_CACHE'] = compiled

const { main } = await import('./app.ts')
const code = await main(process.argv.slice(2))
// Everything said must have left before the process ends; handles that are still open must not keep it.
await Promise.all(
  [process.stdout, process.stderr].map(
    (stream) => new Promise<void>((done) => stream.write('', () => done())),
  ),
)
process.exit(code)
