import { findLayout } from '#shared/domain/folder-labels.ts'
import { leftOutBecause } from '../sources/left-out.ts'
import type { LeftOut } from '../sources/left-out.ts'
import { packedContents, sourceFiles } from '../sources/source-files.ts'
import { bytesNeeded, requireSpace } from '../sources/space.ts'
import type { Contents } from '../sources/space.ts'
import type { FoundFile } from '../sources/walk.ts'
import { createImportsRepository } from '../storage/imports-repository.ts'
import type { ImportJob } from './import-job.ts'
import type { ImportOptions } from './import-options.ts'
import { leadingFolders, stripLeading } from './placement.ts'
import { leaveOutUnchanged } from './sync-folder.ts'

const SCAN_BATCH = 500

/**
 * Lists all files into the database and finds out how the folders are laid out.
 * @returns the options with layout and total filled in, as they are kept
 * @throws KestrelError disk-full, archive-unsafe, archive-too-large, archive-damaged
 */
export async function scan({ project, importId, options, context }: ImportJob): Promise<ImportOptions> {
  const imports = project.use(createImportsRepository)
  imports.forgetFiles(importId)
  context.update({ stage: 'scanning', done: 0, total: null })
  // What a zip unpacks to is said in its directory: asked for before the first byte is written.
  const packed = await packedContents(options.roots)
  if (packed.pictures > 0)
    await requireSpace(project.folder, bytesNeeded(packed, packed), {
      what: 'Unpacking and copying these pictures',
      kept: 'Nothing was unpacked, and the project is as it was.',
      remedy: 'Free some space, or unpack the zip file on another disk and drop the folder.',
    })
  const found: FoundFile[] = []
  const leftOut: LeftOut[] = [...options.leftOut]
  const walk = sourceFiles(options.roots, {
    into: options.staging ?? project.paths.temporary,
    signal: context.signal,
    onUnpack: (done, total) => context.update({ stage: 'unpacking', done, total }),
    onSkipped: (file, error) => leftOut.push(leftOutBecause(file, error)),
    onUnreadable: () => undefined,
  })
  for await (const file of walk) {
    found.push(file)
    if (found.length % SCAN_BATCH === 0)
      context.update({ stage: 'scanning', done: found.length, total: null })
  }
  const relatives = found.map((file) => file.relative)
  const strip = leadingFolders(relatives)
  const placement = {
    ...options.placement,
    strip,
    layout: findLayout(stripLeading(relatives, strip)),
  }
  const files = options.sync ? leaveOutUnchanged(project, options.roots, found, placement) : found
  if (options.storage === 'copy')
    await requireSpace(project.folder, bytesNeeded(contentsOf(files), { pictures: 0, bytes: 0 }), {
      what: 'Copying these pictures',
      kept: 'Nothing was copied, and the project is as it was.',
      remedy:
        options.staging === null
          ? 'Free some space, import fewer pictures, or choose to leave the pictures where they are.'
          : 'Free some space, or import fewer pictures.',
    })

  const scanned: ImportOptions = {
    ...options,
    placement,
    total: files.length + leftOut.length,
    leftOut: [],
  }
  for (let at = 0; at < files.length; at += SCAN_BATCH) {
    context.signal.throwIfAborted()
    const batch = files.slice(at, at + SCAN_BATCH)
    imports.addFiles(
      importId,
      batch.map((file, index) => ({ position: at + index, ...file })),
    )
  }
  project.db.transaction(() => {
    imports.addRefused(importId, files.length, leftOut)
    imports.setOptions(importId, JSON.stringify(scanned))
    imports.setState(importId, 'running')
  })
  return scanned
}

const contentsOf = (files: readonly FoundFile[]): Contents => ({
  pictures: files.length,
  bytes: files.reduce((sum, file) => sum + file.bytes, 0),
})
