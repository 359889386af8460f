import { argv, env } from 'node:process'
import { composeStudio } from '#studio/compose.ts'
import { createTrainerLauncher } from '#studio/parent-link.ts'
import { openLoopbackDoor } from '#studio/server/doors.ts'
import type { Log } from '#studio/log.ts'

/** The real studio in browser mode as a process of its own; prints its address. Ends with its parent or on SIGTERM. */
const home = argv[2]
if (home === undefined) throw new Error('usage: serve.ts HOME')
const say = (level: string, message: string, cause?: unknown): void =>
  console.error(level, message, cause instanceof Error ? cause.stack : (cause ?? ''))
const log: Log = {
  info: (message) => env['KESTREL_TEST_LOG'] && say('info', message),
  warn: (message, cause) => say('warn', message, cause),
  error: (message, cause) => say('error', message, cause),
}
const studio = await composeStudio({
  version: '0.0.0-test',
  mode: 'browser',
  home,
  log,
  launcher: createTrainerLauncher(null),
  pageFolder: env['KESTREL_TEST_PAGE'],
  // A folder of a test's own instead of what comes with Kestrel; empty: none.
  ...(env['KESTREL_TEST_BUILT_IN'] !== undefined && {
    builtInBackbones: env['KESTREL_TEST_BUILT_IN'] || null,
  }),
})
const door = await openLoopbackDoor({ fetch: studio.fetch, log }, { port: 0 })
process.stdout.write(`${door.address}\n`)

async function end(): Promise<void> {
  await studio.close()
  await door.close()
  process.exit(0)
}
process.once('SIGTERM', () => void end())
process.once('disconnect', () => void end())
