import type { Answer } from './given-pictures.ts'
import { isUnsure } from './given-pictures.ts'

/** What a folder job has found out so far, in the order in which pictures got done. */
export interface FolderTable {
  jobId: string
  runId: string
  /** What was dropped, for file names; empty when it was several things. */
  title: string
  classes: string[]
  rows: Answer[]
  /** By name, once all are there; while they come, the order of their coming keeps windows still. */
  ordered: Answer[] | null
}

const byName = new Intl.Collator('en', { numeric: true })
export const inOrder = (rows: readonly Answer[]): Answer[] =>
  rows.toSorted((a, b) => byName.compare(a.name, b.name))

export interface TableFilter {
  classIndex: number | null
  unsure: boolean | null
}

/** Tables of one project; in memory, the newest few. */
const MOST_TABLES = 8

export function createFolderTables() {
  const tables = new Map<string, FolderTable>()
  return {
    add(table: FolderTable): void {
      tables.set(table.jobId, table)
      for (const oldest of tables.keys()) {
        if (tables.size <= MOST_TABLES) break
        tables.delete(oldest)
      }
    },
    find: (jobId: string): FolderTable | undefined => tables.get(jobId),
    /** Newest first. */
    all: (): FolderTable[] => [...tables.values()].reverse(),
    /** Rows are addressed as `job:row`. */
    row(id: string): Answer | undefined {
      const [jobId = '', row = ''] = id.split(':')
      return /^\d+$/.test(row) ? tables.get(jobId)?.rows[Number(row)] : undefined
    },
  }
}

/** Every picture counts once: under its class, as not sure, or as not readable. */
export function countRows(
  { rows, classes }: FolderTable,
  threshold: number,
): { perClass: number[]; unsure: number; failed: number } {
  const perClass = classes.map(() => 0)
  let [unsure, failed] = [0, 0]
  for (const row of rows) {
    if (row.error) failed++
    else if (isUnsure(row, threshold)) unsure++
    else perClass[row.top[0]!.classIndex]!++
  }
  return { perClass, unsure, failed }
}

/** A class alone means its sure answers: what the count beside it says. */
export function filterRows(table: FolderTable, filter: TableFilter, threshold: number): Answer[] {
  const rows = table.ordered ?? table.rows
  const { classIndex, unsure = null } = filter
  if (classIndex === null && unsure === null) return rows
  return rows.filter((row) => {
    if (row.error) return false
    const isNotSure = isUnsure(row, threshold)
    if (classIndex !== null && row.top[0]?.classIndex !== classIndex) return false
    return unsure === null ? !isNotSure : isNotSure === unsure
  })
}

const NOT_SURE = 'not sure'

/** Name of the folder a picture is sorted into; null: it could not be read and stays where it is. */
export const sortedName = (row: Answer, classes: readonly string[], threshold: number): string | null => {
  if (row.error) return null
  return isUnsure(row, threshold) ? NOT_SURE : (classes[row.top[0]?.classIndex ?? -1] ?? NOT_SURE)
}

/** The pictures that are sorted, each with the name of its folder. */
export const sortedPictures = (
  { rows, classes }: FolderTable,
  threshold: number,
): { path: string; name: string; folder: string }[] =>
  rows.flatMap((row) => {
    const { path, name } = row
    const folder = sortedName(row, classes, threshold)
    return folder === null || path === null ? [] : [{ path, name, folder }]
  })

/** The table as rows for a spreadsheet, in the order of the file names. */
export function tableRows({ rows, classes }: FolderTable, threshold: number): (string | number | null)[][] {
  const guess = (row: Answer, place: number): (string | number | null)[] => {
    const top = row.top[place]
    return top ? [classes[top.classIndex] ?? null, Number(top.confidence.toFixed(4))] : [null, null]
  }
  const header = [
    ...['file', 'answer', 'best label', 'confidence', 'second label', 'second confidence'],
    ...['third label', 'third confidence', 'milliseconds', 'problem'],
  ]
  return [
    header,
    ...inOrder(rows).map((row) => [
      row.name,
      sortedName(row, classes, threshold),
      ...guess(row, 0),
      ...guess(row, 1),
      ...guess(row, 2),
      row.error ? null : Math.round(row.milliseconds),
      row.error?.message ?? null,
    ]),
  ]
}
