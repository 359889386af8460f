import { constants } from 'node:fs'
import { copyFile, mkdir } from 'node:fs/promises'
import { basename, extname, join } from 'node:path'
import type { JobContext } from '../jobs/job-runner.ts'
import { stopped } from '../jobs/job-runner.ts'
import { isMissing } from '../files.ts'

/** Names Windows keeps for its devices, with any ending. */
const devices = /^(con|prn|aux|nul|com\d|lpt\d)(\..*)?$/i

/** A label as the name of a folder on every system. */
export function folderName(label: string): string {
  const plain = label
    .replaceAll(/[<>:"/\\|?*\p{Cc}]/gu, '_')
    .replace(/[. ]+$/, '')
    .trim()
    .slice(0, 100)
  if (plain === '' || /^\.+$/.test(plain)) return '_'
  return devices.test(plain) ? `_${plain}` : plain
}

/**
 * Copies pictures into folders below `target`. Nothing is ever overwritten: a taken name gets a number.
 * @returns how many were copied, and how many were gone.
 */
export async function sortInto(
  target: string,
  pictures: readonly { path: string; name: string; folder: string }[],
  job: Pick<JobContext, 'signal' | 'update'>,
): Promise<{ copied: number; missing: number }> {
  let [copied, missing] = [0, 0]
  for (const { path, name, folder } of pictures) {
    if (job.signal.aborted) throw stopped()
    const into = join(target, folderName(folder))
    await mkdir(into, { recursive: true })
    if (await copyBeside(path, into, basename(name))) copied++
    else missing++
    job.update({ stage: 'sorting', done: copied + missing, total: pictures.length })
  }
  return { copied, missing }
}

/** Two pictures of one name get different ones; on many systems `A.jpg` and `a.jpg` are the same file. */
const numbered = (name: string, number: number): string => {
  const ending = extname(name)
  return number === 1 ? name : `${name.slice(0, name.length - ending.length)} (${number})${ending}`
}

/** Where each picture goes below one folder that is empty: in a zip, say. '/' between folders. */
export function sortedPlaces(
  pictures: readonly { path: string; name: string; folder: string }[],
): { path: string; place: string }[] {
  const taken = new Set<string>()
  return pictures.map(({ path, name, folder }) => {
    for (let number = 1; ; number++) {
      const place = `${folderName(folder)}/${numbered(basename(name), number)}`
      const key = place.normalize('NFC').toLowerCase()
      if (taken.has(key)) continue
      taken.add(key)
      return { path, place }
    }
  })
}

/** @returns false when the picture is not there any more. */
async function copyBeside(path: string, folder: string, name: string): Promise<boolean> {
  for (let number = 1; ; number++) {
    const target = join(folder, numbered(name, number))
    try {
      await copyFile(path, target, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE)
      return true
    } catch (error) {
      if (isMissing(error)) return false
      if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error
    }
  }
}
