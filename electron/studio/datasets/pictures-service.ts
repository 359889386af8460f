import type {
  Counts,
  PictureDetail,
  PictureFilter,
  PictureRow,
  PictureSort,
} from '#shared/contract/dataset.ts'
import { KestrelError } from '#shared/errors/index.ts'
import type { OpenProject, ProjectRegistry } from '../projects/open-project.ts'
import { createHistoryRepository } from '../storage/history-repository.ts'
import type { HistoryRow } from '../storage/history-repository.ts'
import { createImportsRepository } from '../storage/imports-repository.ts'
import { createLabelsRepository } from '../storage/labels-repository.ts'
import { createPicturesRepository } from '../storage/pictures-repository.ts'
import type { PictureRecord } from '../storage/pictures-repository.ts'
import { createRunsRepository } from '../storage/runs-repository.ts'
import { createTestLooksRepository } from '../storage/test-looks-repository.ts'
import { createAlikeFinder } from './alike.ts'
import { createPictureViews } from './picture-views.ts'

export interface PicturesService {
  counts(projectId: string): Counts
  window(query: {
    projectId: string
    filter: PictureFilter
    sort: PictureSort
    offset: number
    limit: number
  }): { revision: number; total: number; rows: PictureRow[] }
  /** Ids at positions [from, to) of a view. */
  ids(query: {
    projectId: string
    filter: PictureFilter
    sort: PictureSort
    from: number
    to: number
  }): number[]
  get(projectId: string, pictureId: number): PictureDetail
  /** It was opened large, or beside what the model says: counted where it is a test picture of the newest run. */
  looked(projectId: string, pictureId: number): void
  /** @throws KestrelError not-found */
  record(project: OpenProject, pictureId: number): PictureRecord
}

/** Ids one call answers with, at most. */
const MOST_IDS = 100_000

/** What the grid and the preview ask. */
export function createPicturesService({ registry }: { registry: ProjectRegistry }): PicturesService {
  const views = createPictureViews()
  const alike = createAlikeFinder()

  function record(project: OpenProject, pictureId: number): PictureRecord {
    const found = project.use(createPicturesRepository).find(pictureId)
    if (!found) throw new KestrelError('not-found', 'This picture is not in the project.')
    return found
  }

  return {
    counts(projectId) {
      const project = registry.get(projectId)
      const { groups, problems } = views.sums(project)
      const counts: Counts = {
        revision: project.revision(),
        total: 0,
        active: 0,
        excluded: 0,
        unlabelled: 0,
        problems,
        skippedFiles: project.use(createImportsRepository).totals().refused,
        splits: { train: 0, val: 0, test: 0, none: 0 },
        labels: [],
        ...stepsOf(project),
      }
      const perLabel = new Map<number, number>()
      for (const { excluded, labelId, split, pictures } of groups) {
        counts.total += pictures
        if (excluded === 1) {
          counts.excluded += pictures
          continue
        }
        counts.active += pictures
        counts.splits[split ?? 'none'] += pictures
        if (labelId === null) counts.unlabelled += pictures
        else perLabel.set(labelId, (perLabel.get(labelId) ?? 0) + pictures)
      }
      counts.labels = project
        .use(createLabelsRepository)
        .all()
        .map((label) => ({ ...label, pictures: perLabel.get(label.id) ?? 0 }))
      return counts
    },

    window({ projectId, filter, sort, offset, limit }) {
      const project = registry.get(projectId)
      const ids = views.ids(project, filter, sort)
      const labelIds = labelIdsOf(project)
      const rows = project.use(createPicturesRepository).list(ids.subarray(offset, offset + limit))
      return {
        revision: project.revision(),
        total: ids.length,
        rows: rows.map((row) => rowOf(row, labelIds)),
      }
    },

    ids({ projectId, filter, sort, from, to }) {
      const ids = views.ids(registry.get(projectId), filter, sort)
      return [...ids.subarray(from, Math.min(to, from + MOST_IDS))]
    },

    get(projectId, pictureId) {
      const project = registry.get(projectId)
      const picture = record(project, pictureId)
      return {
        ...rowOf(picture, labelIdsOf(project)),
        width: picture.width,
        height: picture.height,
        bytes: picture.bytes,
        format: picture.format,
        addedAt: picture.addedAt,
        origin: picture.origin,
        findingWords: picture.findings,
        confirmed: picture.confirmed,
        alike: alike.find(project, picture),
      }
    },
    looked(projectId, pictureId) {
      const project = registry.get(projectId)
      if (record(project, pictureId).split !== 'test') return
      // Folders may have named test pictures before there is a run: looking at those spoils no figure.
      if (project.use(createRunsRepository).all().length === 0) return
      if (project.use(createTestLooksRepository).opened([pictureId])) project.announce('runs')
    },
    record,
  }
}

const labelIdsOf = (project: OpenProject): Set<number> =>
  new Set(
    project
      .use(createLabelsRepository)
      .all()
      .map((label) => label.id),
  )

function rowOf(picture: PictureRecord, labelIds: ReadonlySet<number>): PictureRow {
  const { saysLabelId: says, saysConfidence: confidence } = picture
  // A label that was removed since the run says nothing any more.
  const contradicts = says !== null && confidence !== null && says !== picture.labelId && labelIds.has(says)
  return {
    id: picture.id,
    name: picture.name,
    labelId: picture.labelId,
    split: picture.split,
    excluded: picture.excluded,
    findings: picture.findings.map((finding) => finding.code),
    modelSays: contradicts ? { labelId: says, confidence } : null,
  }
}

function stepsOf(project: OpenProject): Pick<Counts, 'undo' | 'redo'> {
  const history = project.use(createHistoryRepository)
  const step = (row: HistoryRow | undefined): Counts['undo'] =>
    row === undefined ? null : { step: row.step, name: row.name, pictures: row.pictures }
  return { undo: step(history.lastDone()), redo: step(history.firstUndone()) }
}
