import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { pipeline } from 'node:stream/promises'

const known = new Map<string, string>()

/** Hash of a file's bytes, hexadecimal. Remembered for as long as size and time of the file stay the same. */
export async function hashFile(file: string, algorithm: 'sha256' | 'sha1' | 'md5'): Promise<string> {
  const { size, mtimeMs, ino } = await stat(file)
  const key = `${algorithm} ${ino} ${size} ${mtimeMs} ${file}`
  const before = known.get(key)
  if (before !== undefined) return before
  const hash = createHash(algorithm)
  await pipeline(createReadStream(file, { highWaterMark: 1 << 20 }), hash)
  const value = hash.digest('hex')
  known.set(key, value)
  return value
}
