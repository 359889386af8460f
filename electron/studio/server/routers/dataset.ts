import type { PicturesService } from '../../datasets/pictures-service.ts'
import type { LabellingService } from '../../labelling/labelling-service.ts'
import { os } from '../rpc.ts'

export const picturesRouter = (pictures: PicturesService) => ({
  counts: os.pictures.counts.handler(({ input }) => pictures.counts(input.projectId)),
  window: os.pictures.window.handler(({ input }) => pictures.window(input)),
  ids: os.pictures.ids.handler(({ input }) => pictures.ids(input)),
  get: os.pictures.get.handler(({ input }) => pictures.get(input.projectId, input.pictureId)),
  looked: os.pictures.looked.handler(({ input }) => {
    pictures.looked(input.projectId, input.pictureId)
    return { ok: true } as const
  }),
})

export const labelsRouter = (labelling: LabellingService) => ({
  create: os.labels.create.handler(({ input }) => labelling.createLabel(input.projectId, input.name)),
  rename: os.labels.rename.handler(({ input }) =>
    labelling.renameLabel(input.projectId, input.labelId, input.name),
  ),
  recolour: os.labels.recolour.handler(({ input }) =>
    labelling.recolourLabel(input.projectId, input.labelId, input.colour),
  ),
  merge: os.labels.merge.handler(({ input }) =>
    labelling.mergeLabels(input.projectId, input.from, input.into),
  ),
  remove: os.labels.remove.handler(({ input }) => labelling.removeLabel(input.projectId, input.labelId)),
  reorder: os.labels.reorder.handler(({ input }) => labelling.reorderLabels(input.projectId, input.labelIds)),
})

export const labellingRouter = (labelling: LabellingService) => ({
  assign: os.labelling.assign.handler(({ input }) =>
    labelling.assign(input.projectId, input.selection, input.labelId),
  ),
  exclude: os.labelling.exclude.handler(({ input }) => labelling.exclude(input.projectId, input.selection)),
  restore: os.labelling.restore.handler(({ input }) => labelling.restore(input.projectId, input.selection)),
  confirm: os.labelling.confirm.handler(({ input }) => labelling.confirm(input.projectId, input.selection)),
  undo: os.labelling.undo.handler(({ input }) => labelling.undo(input.projectId, input.step)),
  redo: os.labelling.redo.handler(({ input }) => labelling.redo(input.projectId)),
})
