import { findLayout } from '#shared/domain/folder-labels.ts'
import { KestrelError } from '#shared/errors/index.ts'
import { freeBytes } from '../files.ts'
import type { OpenProject } from '../projects/open-project.ts'
import { sourceFiles } from '../sources/source-files.ts'
import type { FoundFile } from '../sources/walk.ts'
import { createImportsRepository } from '../storage/imports-repository.ts'
import type { ImportJob } from './import-job.ts'
import type { ImportOptions } from './import-options.ts'
import { leadingFolders, stripLeading } from './placement.ts'
import { leaveOutUnchanged } from './sync-folder.ts'

const SCAN_BATCH = 500
/** What an import needs beside the originals, for each picture: thumbnail, database. */
export const EXTRA_BYTES_PER_PICTURE = 30_000
const KEEP_FREE_BYTES = 100 * 1024 ** 2

/**
 * Lists all files into the database and finds out how the folders are laid out.
 * @returns the options with layout and total filled in, as they are kept
 * @throws KestrelError disk-full, archive-unsafe, archive-too-large, archive-damaged
 */
export async function scan({ project, importId, options, context }: ImportJob): Promise<ImportOptions> {
  const imports = project.use(createImportsRepository)
  imports.forgetFiles(importId)
  context.update({ stage: 'scanning', done: 0, total: null })
  const found: FoundFile[] = []
  const walk = sourceFiles(options.roots, {
    into: options.staging ?? project.paths.temporary,
    signal: context.signal,
    onUnpack: (done, total) => context.update({ stage: 'unpacking', done, total }),
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
  if (options.storage === 'copy') await checkSpace(project, files)

  const scanned: ImportOptions = { ...options, placement, total: files.length }
  for (let at = 0; at < files.length; at += SCAN_BATCH) {
    context.signal.throwIfAborted()
    const batch = files.slice(at, at + SCAN_BATCH)
    imports.addFiles(
      importId,
      batch.map((file, index) => ({ position: at + index, ...file })),
    )
  }
  project.db.transaction(() => {
    imports.setOptions(importId, JSON.stringify(scanned))
    imports.setState(importId, 'running')
  })
  return scanned
}

/** Before the first picture is copied, not in the middle. @throws KestrelError disk-full */
async function checkSpace(project: OpenProject, files: readonly FoundFile[]): Promise<void> {
  const needed = files.reduce((sum, file) => sum + file.bytes + EXTRA_BYTES_PER_PICTURE, 0)
  const free = await freeBytes(project.folder)
  if (needed + KEEP_FREE_BYTES <= free) return
  const megabytes = (count: number): string => `${Math.ceil(count / 1e6).toLocaleString('en')} MB`
  throw new KestrelError(
    'disk-full',
    `Copying these pictures needs ${megabytes(needed)}, and ${megabytes(free)} are free on the disk of this project.`,
    {
      kept: 'Nothing was copied, and the project is as it was.',
      remedy: 'Free some space, import fewer pictures, or choose to leave the pictures where they are.',
    },
  )
}
