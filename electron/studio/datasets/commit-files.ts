import type { SplitName } from '#shared/contract/trainer.ts'
import { splitNames } from '#shared/contract/trainer.ts'
import type { OpenProject } from '../projects/open-project.ts'
import { createImportsRepository } from '../storage/imports-repository.ts'
import type { FileOutcome, ImportFile } from '../storage/imports-repository.ts'
import { createLabellingRepository } from '../storage/labelling-repository.ts'
import { createLabelsRepository } from '../storage/labels-repository.ts'
import { createLooksRepository } from '../storage/looks-repository.ts'
import { createPicturesRepository } from '../storage/pictures-repository.ts'
import type { PictureRecord } from '../storage/pictures-repository.ts'
import { createSourcesRepository } from '../storage/sources-repository.ts'
import { placeOf } from './placement.ts'
import type { Place, Placement } from './placement.ts'
import type { FileResult } from './read-files.ts'

export interface CommitOptions {
  importId: number
  placement: Placement
  storage: 'copy' | 'reference'
  /** Remember where files came from, so that the next look at the same folder need not read them. Not for unpacked ones. */
  remember: boolean
  /** Whether a file is gone from where it was: then its picture was moved, and the label follows. */
  isGone?: (path: string) => boolean
}

export interface CommitSums {
  imported: number
  duplicates: number
  skipped: number
}

/** Writes results of reading into the database: one transaction per batch. */
export function createCommitter(project: OpenProject, options: CommitOptions) {
  const imports = project.use(createImportsRepository)
  const labels = project.use(createLabelsRepository)
  const pictures = project.use(createPicturesRepository)
  const looks = project.use(createLooksRepository)
  const labelling = project.use(createLabellingRepository)
  const sources = project.use(createSourcesRepository)
  const { importId, placement } = options

  function labelIdOf({ label }: Place): number | null {
    if (label === null || typeof label === 'number') return label
    return (
      labels.findByName(label)?.id ??
      labels.insert({ name: label, colour: labels.freeColour(), position: labels.nextPosition() })
    )
  }

  function remember(file: ImportFile, pictureId: number | null, place: Place, problem: FileOutcome): void {
    if (!options.remember) return
    const before = sources.find(file.path)?.pictureId ?? null
    const { code, message }: { code?: string; message?: string } = problem.state === 'read' ? {} : problem
    sources.save({
      path: file.path,
      bytes: file.bytes,
      modified: file.modified,
      pictureId,
      code: code ?? null,
      message: message ?? null,
      label: typeof place.label === 'string' ? place.label : null,
      split: place.split,
      gone: 0,
    })
    // The file was overwritten: what it held before is not in its folder any more.
    if (options.isGone && before !== null && before !== pictureId) {
      const elsewhere = sources.ofPicture(before).some((source) => source.gone === 0)
      if (!elsewhere) labelling.set('excluded', [before], 1)
    }
  }

  function commitNew(result: Extract<FileResult, { kind: 'new' }>, place: Place): FileOutcome {
    const { file, picture, storedAt } = result
    const pictureId = pictures.insert({
      ...picture,
      name: file.relative.slice(file.relative.lastIndexOf('/') + 1),
      file: storedAt,
      stored: options.storage,
      origin: file.relative,
      labelId: labelIdOf(place),
      fixedSplit: place.split,
      importId,
      addedAt: Date.now(),
    })
    looks.add(pictureId, picture.look)
    remember(file, pictureId, place, { state: 'read' })
    return { state: 'read' }
  }

  /** Content that is there already: nothing is added, but what the folders say of it is looked at. */
  function commitKnown(file: ImportFile, existing: PictureRecord, place: Place): FileOutcome {
    const labelId = labelIdOf(place)
    const moved = wasMoved(existing, file)
    let outcome: FileOutcome = moved ? { state: 'read' } : { state: 'duplicate' }
    if (labelId !== null && labelId !== existing.labelId) {
      if (moved || existing.labelId === null) labelling.set('label_id', [existing.id], labelId)
      else outcome = otherLabel(labels.find(existing.labelId)?.name ?? '', labels.find(labelId)?.name ?? '')
    }
    if (place.split !== null && place.split !== existing.fixedSplit) {
      const farther = isFarther(place.split, existing.fixedSplit)
      if (moved || farther) pictures.setFixedSplit(existing.id, place.split)
      if (!moved && existing.fixedSplit !== null)
        outcome = otherSplit(farther ? place.split : existing.fixedSplit)
    }
    if (moved && existing.excluded && sources.ofPicture(existing.id).some((source) => source.gone === 2))
      labelling.set('excluded', [existing.id], 0)
    remember(file, existing.id, place, outcome)
    return outcome
  }

  /** The same content under a new name, and no longer under any old one. */
  function wasMoved(existing: PictureRecord, file: ImportFile): boolean {
    if (!options.isGone) return false
    const known = sources.ofPicture(existing.id).filter((source) => source.path !== file.path)
    return (
      known.length > 0 && known.every((source) => source.gone > 0 || options.isGone?.(source.path) === true)
    )
  }

  function commitOne(result: FileResult): FileOutcome {
    const { file } = result
    const place = placeOf(file.relative, placement)
    if (result.kind === 'refused') {
      const { code, message, remedy } = result.error
      const outcome: FileOutcome = {
        state: 'refused',
        code,
        message: remedy === undefined ? message : `${message} ${remedy}`,
      }
      remember(file, null, place, outcome)
      return outcome
    }
    const sha256 = result.kind === 'known' ? result.sha256 : result.picture.sha256
    const existing = pictures.findBySha256(sha256)
    if (existing) return commitKnown(file, existing, place)
    if (result.kind === 'new') return commitNew(result, place)
    throw new Error(`content ${sha256} was said to be known and is not`)
  }

  return {
    known: (sha256: string): boolean => pictures.findBySha256(sha256) !== undefined,
    /** @returns how many of each kind there were */
    commit(results: readonly FileResult[]): CommitSums {
      // First the thumbnails: a picture that is in the list can be shown.
      project.thumbnails.put(
        results.flatMap((result) =>
          result.kind === 'new'
            ? [{ sha256: result.picture.sha256, bytes: result.picture.thumbnail.bytes }]
            : [],
        ),
      )
      return project.db.transaction(() => {
        const outcomes = results.map((result) => ({
          position: result.file.position,
          outcome: commitOne(result),
        }))
        imports.finishFiles(importId, outcomes)
        project.nextRevision()
        const count = (state: FileOutcome['state']): number =>
          outcomes.filter(({ outcome }) => outcome.state === state).length
        return { imported: count('read'), duplicates: count('duplicate'), skipped: count('refused') }
      })
    },
  }
}

/** Test is farther from training than val: of two copies the farther side wins, so that the test never leaks. */
const isFarther = (side: SplitName, than: SplitName | null): boolean =>
  than === null || splitNames.indexOf(side) > splitNames.indexOf(than)

const otherLabel = (there: string, here: string): FileOutcome => ({
  state: 'duplicate',
  code: 'duplicate-other-label',
  message: `The same picture is already here as “${there}”. It stays that way and was not added again as “${here}”.`,
})

const otherSplit = (side: SplitName): FileOutcome => ({
  state: 'duplicate',
  code: 'duplicate-other-split',
  message: `The same picture lies in two of the folders train, val and test. It only counts for “${side}”, so that the test stays honest.`,
})
