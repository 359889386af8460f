import { labelKey, nextColour } from '#shared/domain/labels.ts'
import type { ProjectDatabase } from './database.ts'

export interface LabelRow {
  id: number
  name: string
  colour: number
  position: number
}

export type LabelsRepository = ReturnType<typeof createLabelsRepository>

export function createLabelsRepository({ sql }: ProjectDatabase) {
  const columns = 'id, name, colour, position'
  const all = sql.prepare<[], LabelRow>(`SELECT ${columns} FROM labels ORDER BY position, id`)
  const byId = sql.prepare<[number], LabelRow>(`SELECT ${columns} FROM labels WHERE id = ?`)
  const byKey = sql.prepare<[string], LabelRow>(`SELECT ${columns} FROM labels WHERE name_key = ?`)
  const insert = sql.prepare<[number | null, string, string, number, number]>(
    'INSERT INTO labels (id, name, name_key, colour, position) VALUES (?, ?, ?, ?, ?)',
  )
  const update = sql.prepare<[string, string, number, number, number]>(
    'UPDATE labels SET name = ?, name_key = ?, colour = ?, position = ? WHERE id = ?',
  )
  const nextId = sql
    .prepare<[], number>("SELECT ifnull((SELECT seq FROM sqlite_sequence WHERE name = 'labels'), 0) + 1")
    .pluck()
  const remove = sql.prepare<[number]>('DELETE FROM labels WHERE id = ?')
  const end = sql.prepare<[], number>('SELECT ifnull(max(position), -1) + 1 FROM labels').pluck()
  const colours = sql.prepare<[], number>('SELECT colour FROM labels').pluck()

  return {
    /** In the person's order. */
    all: (): LabelRow[] => all.all(),
    find: (id: number): LabelRow | undefined => byId.get(id),
    findByName: (name: string): LabelRow | undefined => byKey.get(labelKey(name)),
    /** The id the next new label gets; ids are never used twice. */
    nextId: (): number => nextId.get() ?? 1,
    nextPosition: (): number => end.get() ?? 0,
    /** The smallest palette index that no label has yet. */
    freeColour: (): number => nextColour(colours.all()),
    /** @param label with an id only when a removed label comes back. @returns its id. */
    insert(label: { id?: number; name: string; colour: number; position: number }): number {
      const { lastInsertRowid } = insert.run(
        label.id ?? null,
        label.name,
        labelKey(label.name),
        label.colour,
        label.position,
      )
      return Number(lastInsertRowid)
    },
    update(label: LabelRow): void {
      update.run(label.name, labelKey(label.name), label.colour, label.position, label.id)
    },
    /** Its pictures must have another label (or none) before. */
    remove(id: number): void {
      remove.run(id)
    },
  }
}
