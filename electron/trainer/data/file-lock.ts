import { open, readFile, rm, stat, utimes } from 'node:fs/promises'

/** A holder touches its lock this often; one untouched for `STALE` belongs to a process that is no more. */
const HEARTBEAT = 30_000
const STALE = 5 * 60_000
/** Locks of this process: a file with our own number that is not among them was left by a namesake (containers). */
const own = new Set<string>()

export interface FileLock {
  release(): Promise<void>
}

/**
 * Takes the lock file for this process. A lock left by a process that has ended is taken over.
 * @returns null when another living process holds it.
 */
export async function takeLock(path: string): Promise<FileLock | null> {
  for (let attempt = 0; attempt < 3; attempt++) {
    try {
      const handle = await open(path, 'wx')
      await handle.writeFile(String(process.pid))
      await handle.close()
      own.add(path)
      const heartbeat = setInterval(() => {
        const now = new Date()
        // A lock whose file was deleted (the cache was emptied) guards nothing any more: nothing to keep alive.
        utimes(path, now, now).catch(() => clearInterval(heartbeat))
      }, HEARTBEAT)
      heartbeat.unref()
      return {
        release: async () => {
          clearInterval(heartbeat)
          own.delete(path)
          await rm(path, { force: true })
        },
      }
    } catch (error) {
      if (!hasCode(error, 'EEXIST')) throw error
      if (!(await isStale(path))) return null
      await rm(path, { force: true })
    }
  }
  return null
}

async function isStale(path: string): Promise<boolean> {
  try {
    const [text, { mtimeMs }] = [await readFile(path, 'utf8'), await stat(path)]
    if (Date.now() - mtimeMs > STALE) return true
    const pid = Number.parseInt(text, 10)
    // An empty file is a lock in the making.
    if (!Number.isInteger(pid)) return false
    return pid === process.pid ? !own.has(path) : !isAlive(pid)
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return true
    throw error
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return hasCode(error, 'EPERM')
  }
}

const hasCode = (error: unknown, code: string): boolean =>
  error instanceof Error && 'code' in error && error.code === code
