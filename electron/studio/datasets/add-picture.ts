import { KestrelError } from '#shared/errors/index.ts'
import { checkLabelName } from '#shared/domain/labels.ts'
import type { AddPicture } from '../ports.ts'
import type { OpenProject } from '../projects/open-project.ts'
import { createLabellingRepository } from '../storage/labelling-repository.ts'
import { createLabelsRepository } from '../storage/labels-repository.ts'
import { createLooksRepository } from '../storage/looks-repository.ts'
import { createPicturesRepository } from '../storage/pictures-repository.ts'
import { createKeepOriginal } from './originals.ts'
import type { PictureReader } from './picture-reader.ts'

/** Puts single pictures into a project: what the person answered with ✓ or ✗ in Use. */
export function createAddPicture({ reader }: { reader: PictureReader }): AddPicture {
  return {
    async addPicture(project, { path, name, label }) {
      const pictures = project.use(createPicturesRepository)
      const picture = await reader.readForImport(path)
      const file = await createKeepOriginal(project)(path, picture)
      project.thumbnails.put([{ sha256: picture.sha256, bytes: picture.thumbnail.bytes }])
      const result = project.db.transaction(() => {
        const labelId = label === null ? null : labelIdOf(project, label)
        const existing = pictures.findBySha256(picture.sha256)
        if (existing) {
          // The person has just said what it is: that counts more than what it was called before.
          if (labelId !== null && existing.labelId !== labelId) {
            project.use(createLabellingRepository).set('label_id', [existing.id], labelId)
            project.nextRevision()
          }
          return { pictureId: existing.id, alreadyThere: true }
        }
        const pictureId = pictures.insert({
          ...picture,
          name,
          file,
          stored: 'copy',
          origin: name,
          labelId,
          fixedSplit: null,
          importId: null,
          addedAt: Date.now(),
        })
        project.use(createLooksRepository).add(pictureId, picture.look)
        project.nextRevision()
        return { pictureId, alreadyThere: false }
      })
      project.announce('pictures', 'labels')
      return result
    },
  }
}

function labelIdOf(project: OpenProject, label: { labelId: number } | { name: string }): number {
  const labels = project.use(createLabelsRepository)
  if ('labelId' in label) {
    if (labels.find(label.labelId)) return label.labelId
    throw new KestrelError('not-found', 'This label is not there any more.', {
      kept: 'The picture was not added.',
      remedy: 'Choose another label.',
    })
  }
  const known = labels.findByName(label.name)
  if (known) return known.id
  const name = checkLabelName(label.name)
  return labels.insert({ name, colour: labels.freeColour(), position: labels.nextPosition() })
}
