import type { ProjectDatabase } from './database.ts'

/** What labelling may change of a picture. */
export type PictureField = 'label_id' | 'excluded' | 'confirmed'
export const pictureFields: readonly PictureField[] = ['label_id', 'excluded', 'confirmed']

export type LabellingRepository = ReturnType<typeof createLabellingRepository>

/** Ids that follow each other as pairs [first, last], as JSON. */
function rangesOf(ids: readonly number[]): string {
  const ranges: [number, number][] = []
  for (const id of ids) {
    const last = ranges.at(-1)
    if (last?.[1] === id - 1) last[1] = id
    else ranges.push([id, id])
  }
  return JSON.stringify(ranges)
}

/**
 * Changes of many pictures at once. Lists of ids travel as one JSON parameter, as ranges: selections of 100,000 are a
 * few of them, and walking over a range takes a third of the time of looking up each id.
 */
export function createLabellingRepository({ sql }: ProjectDatabase) {
  const chosen = `json_each(?) AS range CROSS JOIN pictures
    ON pictures.id BETWEEN range.value ->> 0 AND range.value ->> 1`
  const statementsOf = (field: PictureField) => ({
    differing: sql
      .prepare<[string, number | null], [number, number | null]>(
        `SELECT pictures.id, pictures.${field} FROM ${chosen} WHERE pictures.${field} IS NOT ?`,
      )
      .raw(),
    // Rows that have the value already are left alone: their indexes would be written for nothing.
    set: sql.prepare<{ value: number | null; ids: string }>(
      `UPDATE pictures SET ${field} = @value
        WHERE id IN (SELECT value FROM json_each(@ids)) AND ${field} IS NOT @value`,
    ),
  })
  const fields = {
    label_id: statementsOf('label_id'),
    excluded: statementsOf('excluded'),
    confirmed: statementsOf('confirmed'),
  }
  const existing = sql
    .prepare<[string], number>(
      'SELECT id FROM pictures WHERE id IN (SELECT value FROM json_each(?)) ORDER BY id',
    )
    .pluck()
  const inTest = sql
    .prepare<[string], number>(`SELECT pictures.id FROM ${chosen} WHERE pictures.split = 'test'`)
    .pluck()
  const withLabel = sql
    .prepare<[number], number>('SELECT id FROM pictures WHERE label_id = ? ORDER BY id')
    .pluck()

  return {
    /** The ids that exist, ascending. */
    existing: (ids: readonly number[]): number[] => existing.all(JSON.stringify(ids)),
    /** Those of `ids` (ascending) whose field is not `value`, with what it is; ascending. */
    differing: (
      field: PictureField,
      ids: readonly number[],
      value: number | null,
    ): [id: number, value: number | null][] => fields[field].differing.all(rangesOf(ids), value),
    set(field: PictureField, ids: readonly number[], value: number | null): void {
      fields[field].set.run({ value, ids: JSON.stringify(ids) })
    },
    /** @param ids ascending @returns ascending */
    inTest: (ids: readonly number[]): number[] => inTest.all(rangesOf(ids)),
    withLabel: (labelId: number): number[] => withLabel.all(labelId),
  }
}
