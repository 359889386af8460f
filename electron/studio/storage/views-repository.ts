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

/** The view with all active pictures and nothing else asked for. */
const isPlain = ({ show, label, split, search }: PictureFilter): boolean =>
  show === 'active' && label === undefined && split === undefined && (search ?? '').trim() === ''

/** SQL for a filter, but for leaving the excluded ones out: see {@link createViewsRepository}. */
function conditionOf(filter: PictureFilter): Condition {
  const terms: string[] = []
  const parameters: Parameter[] = []
  const add = (term: string, ...values: Parameter[]): void => {
    terms.push(term)
    parameters.push(...values)
  }
  if (filter.show === 'excluded') add('id IN (SELECT id FROM pictures WHERE excluded = 1)')
  if (filter.show === 'problem') add("id IN (SELECT id FROM pictures WHERE findings <> '[]')")
  if (filter.label === 'none') add('label_id IS NULL')
  else if (filter.label !== undefined) add('label_id = ?', filter.label)
  if (filter.split === 'none') add('split IS NULL')
  else if (filter.split !== undefined) add('split = ?', filter.split)
  const search = nameKey(filter.search ?? '').trim()
  if (search !== '')
    add(
      `id IN (SELECT id FROM pictures INDEXED BY pictures_by_name WHERE instr(name_key, ?) > 0 UNION
        SELECT id FROM pictures WHERE label_id IN (SELECT id FROM labels WHERE instr(name_key, ?) > 0))`,
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
  // In order of adding there is an index of the active ones alone.
  if (sort === 'added' && isPlain(filter))
    return { text: 'SELECT id FROM pictures WHERE excluded = 0 ORDER BY id', parameters: [] }
  const { text, parameters } = conditionOf(filter)
  const select =
    sort === 'label'
      ? `SELECT label_id, id FROM pictures WHERE ${text} ORDER BY label_id, id`
      : `SELECT id FROM pictures WHERE ${text} ORDER BY ${orders[sort]}`
  return { text: select, parameters }
}

export const sumsSql = `SELECT excluded, label_id AS labelId, split, count(*) AS pictures
  FROM pictures GROUP BY excluded, label_id, split`
export const problemsSql = `SELECT count(*) FROM pictures WHERE findings <> '[]'
  AND id NOT IN (SELECT id FROM pictures WHERE excluded = 1)`

export type ViewsRepository = ReturnType<typeof createViewsRepository>

/**
 * The orders in which the grid shows pictures, as ids. Excluded pictures are mostly few and are left out of the ordered
 * list here, in memory: no index has to carry them along.
 */
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

  const excludedIds = sql.prepare<[], number>('SELECT id FROM pictures WHERE excluded = 1').pluck()
  const withoutExcluded = (ids: number[]): number[] => {
    const excluded = new Set(excludedIds.all())
    return excluded.size === 0 ? ids : ids.filter((id) => !excluded.has(id))
  }

  return {
    sums: (): PictureSums => ({ groups: sums.all(), problems: problems.get() ?? 0 }),
    /** All ids of a view, in order. */
    ids(filter: PictureFilter, sort: PictureSort): Int32Array {
      const ids = sort === 'label' ? byLabel(filter) : inOrder(filter, sort)
      const onlyActive = filter.show === 'active' || filter.show === 'problem'
      return Int32Array.from(onlyActive ? withoutExcluded(ids) : ids)
    },
  }
}
