import type { LabellingService } from '../labelling/labelling-service.ts'
import type { AddPicture } from '../ports.ts'
import { createLabellingRepository } from '../storage/labelling-repository.ts'
import { createLooksRepository } from '../storage/looks-repository.ts'
import { createPicturesRepository } from '../storage/pictures-repository.ts'
import { createKeepOriginal } from './originals.ts'
import type { PictureReader } from './picture-reader.ts'

interface Ports {
  reader: PictureReader
  labelling: Pick<LabellingService, 'say'>
}

/** Puts single pictures into a project: what the person answered with ✓ or ✗ in Use. */
export function createAddPicture({ reader, labelling }: Ports): AddPicture {
  return {
    async addPicture(project, { path, name, label }) {
      const pictures = project.use(createPicturesRepository)
      const excluding = project.use(createLabellingRepository)
      const picture = await reader.readForImport(path)
      const file = await createKeepOriginal(project)(path, picture)
      project.thumbnails.put([{ sha256: picture.sha256, bytes: picture.thumbnail.bytes }])

      /**
       * A new picture comes in excluded, and the step takes it out of there: undo excludes it again. Undo does not
       * remove it: a training may have frozen it into a dataset version since, and nothing a person gave is ever
       * deleted without asking.
       */
      const find = (): { pictureId: number; alreadyThere: boolean } => {
        const existing = pictures.findBySha256(picture.sha256)
        if (existing) return { pictureId: existing.id, alreadyThere: true }
        const pictureId = pictures.insert({
          ...picture,
          name,
          file,
          stored: 'copy',
          origin: name,
          labelId: null,
          fixedSplit: null,
          importId: null,
          addedAt: Date.now(),
        })
        excluding.set('excluded', [pictureId], 1)
        project.use(createLooksRepository).add(pictureId, picture.look)
        return { pictureId, alreadyThere: false }
      }
      return await labelling.say(project.projectId, find, label)
    },
  }
}
