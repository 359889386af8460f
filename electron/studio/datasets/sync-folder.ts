import { sep } from 'node:path'
import type { OpenProject } from '../projects/open-project.ts'
import type { FoundFile } from '../sources/walk.ts'
import { createLabellingRepository } from '../storage/labelling-repository.ts'
import { createLabelsRepository } from '../storage/labels-repository.ts'
import { createPicturesRepository } from '../storage/pictures-repository.ts'
import { createSourcesRepository } from '../storage/sources-repository.ts'
import type { SourceRow } from '../storage/sources-repository.ts'
import { placeOf } from './placement.ts'
import type { Placement } from './placement.ts'

const knownBelow = (project: OpenProject, roots: readonly string[]): SourceRow[] =>
  roots.flatMap((root) => project.use(createSourcesRepository).below(root + sep))

/**
 * Compares a folder with what it was when it was last looked at. Unchanged files (same path, size and time) need no
 * reading; where their folder says another label than it did then, the label follows. A label that the person changed
 * in Kestrel stays: the folder has said nothing new.
 * @returns the files that have to be read
 */
export function leaveOutUnchanged(
  project: OpenProject,
  roots: readonly string[],
  found: readonly FoundFile[],
  placement: Placement,
): FoundFile[] {
  const sources = project.use(createSourcesRepository)
  const known = new Map(knownBelow(project, roots).map((row) => [row.path, row]))
  const toRead: FoundFile[] = []
  let changed = 0
  project.db.transaction(() => {
    for (const file of found) {
      const row = known.get(file.path)
      known.delete(file.path)
      if (!row || row.bytes !== file.bytes || row.modified !== file.modified) toRead.push(file)
      else if (bringInStep(project, row, file, placement)) changed++
    }
    for (const row of known.values()) {
      if (row.gone !== 0) continue
      sources.save({ ...row, gone: 1 })
      changed++
    }
    if (changed > 0) project.nextRevision()
  })
  if (changed > 0) project.announce('pictures', 'labels')
  return toRead
}

/** @returns whether anything changed */
function bringInStep(project: OpenProject, row: SourceRow, file: FoundFile, placement: Placement): boolean {
  const place = placeOf(file.relative, placement)
  const label = typeof place.label === 'string' ? place.label : null
  if (row.gone === 0 && row.label === label && row.split === place.split) return false
  project.use(createSourcesRepository).save({ ...row, label, split: place.split, gone: 0 })
  if (row.pictureId === null) return true
  const pictures = project.use(createPicturesRepository)
  const labelling = project.use(createLabellingRepository)
  if (row.gone === 2) labelling.set('excluded', [row.pictureId], 0)
  // A copy whose other place won keeps quiet.
  if (row.code !== null) return true
  if (row.label !== label)
    labelling.set('label_id', [row.pictureId], label === null ? null : labelIdOf(project, label))
  if (row.split !== place.split) pictures.setFixedSplit(row.pictureId, place.split)
  return true
}

function labelIdOf(project: OpenProject, name: string): number {
  const labels = project.use(createLabelsRepository)
  return (
    labels.findByName(name)?.id ??
    labels.insert({ name, colour: labels.freeColour(), position: labels.nextPosition() })
  )
}

/** Pictures none of whose files is there any more are excluded; nothing is deleted, and they come back with their file. */
export function excludeGone(project: OpenProject, roots: readonly string[]): void {
  const sources = project.use(createSourcesRepository)
  const pictures = project.use(createPicturesRepository)
  const excluded = project.db.transaction(() => {
    let count = 0
    for (const row of knownBelow(project, roots)) {
      if (row.gone !== 1 || row.pictureId === null) continue
      const anywhere = sources.ofPicture(row.pictureId).some((source) => source.gone === 0)
      if (anywhere || pictures.find(row.pictureId)?.excluded !== false) continue
      project.use(createLabellingRepository).set('excluded', [row.pictureId], 1)
      sources.save({ ...row, gone: 2 })
      count++
    }
    if (count > 0) project.nextRevision()
    return count
  })
  if (excluded > 0) project.announce('pictures')
}
