import { enableCompileCache } from 'node:module'
import { join } from 'node:path'
import { kestrelHome } from '#shared/util/home.ts'

/**
 * The `kestrel` command. Compiled code is kept in the user-data folder, for this process and the trainers it starts: a
 * second of waiting is what a repeated run may cost, and compiling would be a third of it. All else is in app.ts.
 */
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
