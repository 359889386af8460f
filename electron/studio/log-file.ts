import { appendFileSync, existsSync, mkdirSync, renameSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { inspect } from 'node:util'
import type { Log } from './log.ts'

const MOST_BYTES = 2_000_000
const OLD_FILES = 3

export interface FileLogOptions {
  /** Also told every line, for `kestrel serve` and the command line. */
  echo?: (line: string) => void
}

/**
 * A log in `folder/studio.log`; at 2 MB it becomes `studio.1.log` and so on, three old ones are kept. Written at once,
 * so that the last line before a crash is there. A log that cannot be written must not stop the work.
 */
export function createFileLog(folder: string, { echo }: FileLogOptions = {}): Log {
  const file = join(folder, 'studio.log')
  let bytes = 0
  let usable = true
  try {
    mkdirSync(folder, { recursive: true })
    bytes = existsSync(file) ? statSync(file).size : 0
  } catch (error) {
    usable = false
    echo?.(`the log cannot be written: ${String(error)}`)
  }

  function write(level: string, message: string, cause?: unknown): void {
    const detail = cause === undefined ? '' : ` ${inspect(cause, { depth: 4, breakLength: 200 })}`
    const line = `${new Date().toISOString()} ${level} ${message}${detail}\n`
    echo?.(line.trimEnd())
    if (!usable) return
    try {
      if (bytes > MOST_BYTES) {
        rotate(folder)
        bytes = 0
      }
      appendFileSync(file, line)
      bytes += Buffer.byteLength(line)
    } catch (error) {
      usable = false
      echo?.(`the log cannot be written any more: ${String(error)}`)
    }
  }
  return {
    info: (message) => write('info', message),
    warn: (message, cause) => write('warn', message, cause),
    error: (message, cause) => write('error', message, cause),
  }
}

function rotate(folder: string): void {
  const old = (number: number): string => join(folder, number === 0 ? 'studio.log' : `studio.${number}.log`)
  rmSync(old(OLD_FILES), { force: true })
  for (let number = OLD_FILES - 1; number >= 0; number--)
    if (existsSync(old(number))) renameSync(old(number), old(number + 1))
}
