import type { PictureFilter, PictureSort } from '#shared/contract/dataset.ts'
import type { SplitName } from '#shared/contract/trainer.ts'
import type { ProjectDatabase } from './database.ts'
import { nameKey } from './name-key.ts'

/** How many pictures there are of each kind. */
export interface PictureSums {
  groups: { excluded: number; labelId: number | null; split: SplitName | null; pictures: number }[]
  /** Active pictures with a finding. */
  problems: number
}

type Parameter = string | number

interface Condition {
  text: string
  parameters: Parameter[]
}

/**
 * SQL for a filter, over the columns of `pictures`. Also used to change all pictures of a view.
 * Nearly all pictures are active, so "excluded" is a poor way in: '+' keeps SQLite from taking it where another index
 * gives the order or a smaller part. Only the plain view in order of adding walks the index of active pictures.
 */
export function conditionOf(filter: PictureFilter, sort: PictureSort = 'added'): Condition {
  const terms: string[] = []
  const parameters: Parameter[] = []
  const add = (term: string, ...values: Parameter[]): void => {
    terms.push(term)
    parameters.push(...values)
  }
  const plain = sort === 'added' && filter.label === undefined && filter.split === undefined
  if (filter.show === 'active') add(plain ? 'excluded = 0' : '+excluded = 0')
  if (filter.show === 'excluded') add('excluded = 1')
  if (filter.show === 'problem')
    add("id IN (SELECT id FROM pictures WHERE findings <> '[]') AND +excluded = 0")
  if (filter.label === 'none') add('label_id IS NULL')
  else if (filter.label !== undefined) add('label_id = ?', filter.label)
  if (filter.split === 'none') add('split IS NULL')
  else if (filter.split !== undefined) add('split = ?', filter.split)
  const search = nameKey(filter.search ?? '').trim()
  if (search !== '')
    add(
      `id IN (SELECT id FROM pictures WHERE instr(name_key, ?) > 0
        OR label_id IN (SELECT id FROM labels WHERE instr(name_key, ?) > 0))`,
      search,
      search,
    )
  return { text: terms.length === 0 ? 'TRUE' : terms.join(' AND '), parameters }
}

/** Every order ends in the id, so that it is the same each time. */
const orders: Record<Exclude<PictureSort, 'label'>, string> = {
  added: 'id',
  name: 'name_key, id',
  // What may be wrong comes first: smallest, blurriest, most doubted.
  size: 'pixels, id',
  sharpness: 'sharpness, id',
  doubt: 'doubt DESC, id',
}

export function viewSql(filter: PictureFilter, sort: PictureSort): Condition {
  const { text, parameters } = conditionOf(filter, sort)
  const select =
    sort === 'label'
      ? `SELECT label_id, id FROM pictures WHERE ${text} ORDER BY label_id, id`
      : `SELECT id FROM pictures WHERE ${text} ORDER BY ${orders[sort]}`
  return { text: select, parameters }
}

export const sumsSql = `SELECT excluded, label_id AS labelId, split, count(*) AS pictures
  FROM pictures GROUP BY excluded, label_id, split`
export const problemsSql = "SELECT count(*) FROM pictures WHERE findings <> '[]' AND +excluded = 0"

export type ViewsRepository = ReturnType<typeof createViewsRepository>

/** The orders in which the grid shows pictures, as ids. */
export function createViewsRepository({ sql }: ProjectDatabase) {
  const sums = sql.prepare<[], PictureSums['groups'][number]>(sumsSql)
  const problems = sql.prepare<[], number>(problemsSql).pluck()
  const labelIds = sql.prepare<[], number>('SELECT id FROM labels ORDER BY position, id').pluck()

  /** By label id in SQL, a walk over one index; put into the person's order here. The unlabelled come last. */
  const byLabel = (filter: PictureFilter): number[] => {
    const { text, parameters } = viewSql(filter, 'label')
    const rows = sql
      .prepare<Parameter[], [number | null, number]>(text)
      .raw()
      .all(...parameters)
    const groups = new Map<number | null, number[]>()
    for (const [labelId, id] of rows) {
      const group = groups.get(labelId)
      if (group) group.push(id)
      else groups.set(labelId, [id])
    }
    return [...labelIds.all(), null].flatMap((labelId) => groups.get(labelId) ?? [])
  }

  const inOrder = (filter: PictureFilter, sort: PictureSort): number[] => {
    const { text, parameters } = viewSql(filter, sort)
    return sql
      .prepare<Parameter[], number>(text)
      .pluck()
      .all(...parameters)
  }

  return {
    sums: (): PictureSums => ({ groups: sums.all(), problems: problems.get() ?? 0 }),
    /** All ids of a view, in order. */
    ids: (filter: PictureFilter, sort: PictureSort): Int32Array =>
      Int32Array.from(sort === 'label' ? byLabel(filter) : inOrder(filter, sort)),
  }
}
