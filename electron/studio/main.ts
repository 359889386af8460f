import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { KestrelError } from '#shared/errors/index.ts'
import { appRoot } from '#shared/util/app-folders.ts'
import { kestrelHome, logsFolder } from '#shared/util/home.ts'
import { composeStudio } from './compose.ts'
import { createFileLog } from './log-file.ts'
import { createTrainerLauncher, findParentLink } from './parent-link.ts'
import { openPipeDoor } from './server/doors.ts'

/** The studio as the desktop shell's child: one pipe, one secret, until the parent says so or is gone. */

const required = (name: string): string => {
  const value = process.env[name]
  if (value === undefined || value === '')
    throw new KestrelError('bad-request', `${name} is not set: the studio is started by the Kestrel window.`)
  return value
}

/** Finishing takes as long as the picture that is being read; a hung disk must not keep the window open. */
const CLOSE_WITHIN_MS = 5_000

const home = kestrelHome()
const log = createFileLog(process.env['KESTREL_LOG_DIR'] ?? logsFolder(home))
const parent = findParentLink()

process.on('uncaughtException', (error) => {
  log.error('uncaught exception: the studio ends', error)
  process.exit(1)
})
process.on('unhandledRejection', (error) => {
  log.error('unhandled rejection: the studio ends', error)
  process.exit(1)
})

const path = required('KESTREL_PIPE')
const secret = required('KESTREL_PIPE_SECRET')
// Trainers inherit the environment; the secret is none of theirs.
delete process.env['KESTREL_PIPE_SECRET']

const { version } = JSON.parse(readFileSync(join(appRoot, 'package.json'), 'utf8')) as { version: string }
const studio = await composeStudio({
  version,
  mode: 'desktop',
  home,
  log,
  launcher: createTrainerLauncher(parent),
})
const door = await openPipeDoor({ fetch: studio.fetch, log }, { path, secret })
log.info(`studio ${version} listens, Node ${process.version}, ${process.platform} ${process.arch}`)

let ending = false
async function end(reason: string): Promise<void> {
  if (ending) return
  ending = true
  log.info(`studio ends: ${reason}`)
  setTimeout(() => {
    log.warn('closing took too long; what was committed is safe')
    process.exit(0)
  }, CLOSE_WITHIN_MS).unref()
  await studio.close()
  await door.close()
  process.exit(0)
}
parent?.onMessage((message) => {
  if (message.type === 'shutdown') void end('asked by the window')
})
parent?.onLost(() => void end('the window is gone'))
process.on('SIGTERM', () => void end('SIGTERM'))
process.on('SIGINT', () => void end('SIGINT'))
parent?.send({ type: 'ready' })
