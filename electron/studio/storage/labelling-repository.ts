import type { ProjectDatabase } from './database.ts'

/** What labelling may change of a picture. */
export type PictureField = 'label_id' | 'excluded' | 'confirmed'
export const pictureFields: readonly PictureField[] = ['label_id', 'excluded', 'confirmed']

export type LabellingRepository = ReturnType<typeof createLabellingRepository>

/** Changes of many pictures at once. Lists of ids travel as one JSON parameter. */
export function createLabellingRepository({ sql }: ProjectDatabase) {
  const chosen = 'id IN (SELECT value FROM json_each(?))'
  const statementsOf = (field: PictureField) => ({
    differing: sql.prepare<[string, number | null], { id: number; value: number | null }>(
      `SELECT id, ${field} AS value FROM pictures WHERE ${chosen} AND ${field} IS NOT ? ORDER BY id`,
    ),
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
    .prepare<[string], number>(`SELECT id FROM pictures WHERE ${chosen} ORDER BY id`)
    .pluck()
  const inTest = sql
    .prepare<[string], number>(`SELECT id FROM pictures WHERE ${chosen} AND split = 'test' ORDER BY id`)
    .pluck()
  const withLabel = sql
    .prepare<[number], number>('SELECT id FROM pictures WHERE label_id = ? ORDER BY id')
    .pluck()

  return {
    /** The ids that exist, ascending. */
    existing: (ids: readonly number[]): number[] => existing.all(JSON.stringify(ids)),
    /** Those of `ids` whose field is not `value`, with what it is; ascending. */
    differing: (field: PictureField, ids: readonly number[], value: number | null) =>
      fields[field].differing.all(JSON.stringify(ids), value),
    set(field: PictureField, ids: readonly number[], value: number | null): void {
      fields[field].set.run({ value, ids: JSON.stringify(ids) })
    },
    inTest: (ids: readonly number[]): number[] => inTest.all(JSON.stringify(ids)),
    withLabel: (labelId: number): number[] => withLabel.all(labelId),
  }
}
