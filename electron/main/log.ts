import log from 'electron-log/node.js'
import { join } from 'node:path'

/**
 * What the shell notes down, in `<home>/logs/main.log`; a file over 2 MB becomes `main.old.log`. What studio and trainer
 * print is noted here too. Never picture names or paths of the person's folders.
 */
export const logger = log.create({ logId: 'main' })
logger.transports.console.level = process.env['KESTREL_DEBUG'] ? 'debug' : false
logger.transports.file.level = false

export function openLog(folder: string): void {
  logger.transports.file.resolvePathFn = () => join(folder, 'main.log')
  logger.transports.file.maxSize = 2 * 1024 * 1024
  logger.transports.file.format = '{y}-{m}-{d} {h}:{i}:{s}.{ms} {level} {text}'
  logger.transports.file.level = 'info'
}

/** Forwards what a child process prints, line by line. */
export function logOutput(name: string, stream: NodeJS.ReadableStream | null): void {
  let rest = ''
  stream?.setEncoding('utf8')
  stream?.on('data', (text: string) => {
    const lines = (rest + text).split('\n')
    rest = (lines.pop() ?? '').slice(-4096)
    for (const line of lines) if (line.trim() !== '') logger.info(`[${name}] ${line.slice(0, 2000)}`)
  })
}
