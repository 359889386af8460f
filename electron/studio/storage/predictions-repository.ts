import type { PictureOrder } from '#shared/contract/training.ts'
import type { SplitName } from '#shared/contract/trainer.ts'
import type { ProjectDatabase } from './database.ts'

export type StoredPart = 'test' | 'val' | 'outOfFold'

export interface NewPrediction {
  pictureId: number
  trueClass: number
  predicted: number
  confidence: number
  fold: number | null
  /** One per class. */
  probabilities: Float32Array
}

/** All predictions of one part of a run, by picture id. */
export interface PredictionTable {
  ids: Int32Array
  /** True class of each picture, as it was when the run began. */
  labels: Int32Array
  /** Shape [pictures, classes]. */
  probabilities: Float32Array
  /** Fold whose model said it; -1 outside cross-validation. */
  folds: Int32Array
}

export interface PredictionRow {
  pictureId: number
  name: string
  trueClass: number
  predicted: number
  confidence: number
  labelId: number | null
  excluded: boolean
  confirmed: boolean
  split: SplitName
}

export interface PredictionFilter {
  trueClass: number | null
  predicted: number | null
  only: 'all' | 'wrong' | 'right'
  /** Most certain first where it is not said. */
  order?: PictureOrder
}

interface CellQuery {
  run: string
  part: StoredPart
  trueClass: number | null
  predicted: number | null
}

const directionOf = (order: PictureOrder | undefined): string =>
  order === 'unsurest' ? 'confidence' : 'confidence DESC'

/**
 * A cell and a row are short ranges of the index `predictions_by_cell`; a column and "all" walk over the part. None
 * fetches a row of the table, with its probabilities.
 */
export function cellSql({ trueClass, predicted, only, order }: PredictionFilter): {
  count: string
  rows: string
} {
  const conditions = [
    'run_id = @run AND part = @part',
    trueClass === null ? '' : 'true_class = @trueClass',
    predicted === null ? '' : 'predicted = @predicted',
    only === 'all' ? '' : only === 'wrong' ? 'true_class <> predicted' : 'true_class = predicted',
  ]
  const from = `FROM predictions WHERE ${conditions.filter((each) => each !== '').join(' AND ')}`
  return {
    count: `SELECT count(*) ${from}`,
    rows: `SELECT picture_id, true_class, predicted, confidence ${from}
      ORDER BY ${directionOf(order)}, picture_id LIMIT @limit OFFSET @offset`,
  }
}

export type PredictionsRepository = ReturnType<typeof createPredictionsRepository>

const toBlob = (values: Float32Array): Buffer => {
  const blob = Buffer.alloc(values.length * 4)
  values.forEach((value, i) => blob.writeFloatLE(value, i * 4))
  return blob
}

/** What each run says of each picture. Every view of results is derived from these rows. */
export function createPredictionsRepository({ sql, transaction }: ProjectDatabase) {
  const insert =
    sql.prepare(`INSERT INTO predictions (run_id, part, picture_id, true_class, predicted, confidence,
      fold, probabilities) VALUES (?, ?, ?, ?, ?, ?, ?, ?)`)
  const count = sql
    .prepare<[string, StoredPart], number>('SELECT count(*) FROM predictions WHERE run_id = ? AND part = ?')
    .pluck()
  const table = sql
    .prepare<[string, StoredPart], [number, number, Buffer, number | null]>(
      'SELECT picture_id, true_class, probabilities, fold FROM predictions WHERE run_id = ? AND part = ? ORDER BY picture_id',
    )
    .raw()
  const answers = sql.prepare<[string, StoredPart], { pictureId: number; predicted: number }>(
    'SELECT picture_id AS pictureId, predicted FROM predictions WHERE run_id = ? AND part = ? ORDER BY picture_id',
  )
  type StoredRow = Omit<PredictionRow, 'excluded' | 'confirmed'> & { excluded: number; confirmed: number }
  const statements = new Map<string, ReturnType<typeof prepareCell>>()
  const prepareCell = (filter: PredictionFilter) => ({
    count: sql.prepare<[CellQuery], number>(cellSql(filter).count).pluck(),
    rows: sql.prepare<[CellQuery & { limit: number; offset: number }], StoredRow>(`
      SELECT x.picture_id AS pictureId, p.name, x.true_class AS trueClass, x.predicted, x.confidence,
        p.label_id AS labelId, p.excluded, p.confirmed, i.split
      FROM (${cellSql(filter).rows}) x
      JOIN pictures p ON p.id = x.picture_id
      JOIN runs r ON r.id = @run
      JOIN dataset_items i ON i.version_id = r.version_id AND i.picture_id = x.picture_id
      ORDER BY x.${directionOf(filter.order)}, x.picture_id`),
  })
  function cellOf(filter: PredictionFilter): ReturnType<typeof prepareCell> {
    const key = `${filter.trueClass === null} ${filter.predicted === null} ${filter.only} ${filter.order}`
    const known = statements.get(key) ?? prepareCell(filter)
    statements.set(key, known)
    return known
  }

  return {
    add(runId: string, part: StoredPart, predictions: Iterable<NewPrediction>): void {
      transaction(() => {
        for (const { pictureId, trueClass, predicted, confidence, fold, probabilities } of predictions)
          insert.run(runId, part, pictureId, trueClass, predicted, confidence, fold, toBlob(probabilities))
      })
    },
    count: (runId: string, part: StoredPart): number => count.get(runId, part) ?? 0,
    table(runId: string, part: StoredPart, classes: number): PredictionTable {
      const rows = table.all(runId, part)
      const probabilities = new Float32Array(rows.length * classes)
      rows.forEach(([, , blob], row) => {
        for (let c = 0; c < classes; c++) probabilities[row * classes + c] = blob.readFloatLE(c * 4)
      })
      return {
        ids: Int32Array.from(rows, ([id]) => id),
        labels: Int32Array.from(rows, ([, label]) => label),
        probabilities,
        folds: Int32Array.from(rows, ([, , , fold]) => fold ?? -1),
      }
    },
    /** [picture, predicted class] by picture id. */
    answers: (runId: string, part: StoredPart) => answers.all(runId, part),
    window(
      runId: string,
      part: StoredPart,
      filter: PredictionFilter,
      { offset, limit }: { offset: number; limit: number },
    ): { total: number; rows: PredictionRow[] } {
      const { trueClass, predicted } = filter
      const query = { run: runId, part, trueClass, predicted }
      const cell = cellOf(filter)
      const rows = cell.rows.all({ ...query, offset, limit }).map((row) => ({
        ...row,
        excluded: row.excluded === 1,
        confirmed: row.confirmed === 1,
      }))
      return { total: cell.count.get(query) ?? 0, rows }
    },
  }
}
