import type { ProjectDatabase } from './database.ts'

export type TestLooksRepository = ReturnType<typeof createTestLooksRepository>

/** How often test pictures were opened or changed since the split. */
export function createTestLooksRepository({ sql, transaction }: ProjectDatabase) {
  const add = sql.prepare<[number, number, number]>(`INSERT INTO test_looks (picture_id, opened, changed)
    VALUES (?, ?, max(0, ?)) ON CONFLICT (picture_id) DO UPDATE
    SET opened = opened + excluded.opened`)
  const change = sql.prepare<[number, number, number]>(`INSERT INTO test_looks (picture_id, changed)
    VALUES (?, max(0, ?)) ON CONFLICT (picture_id) DO UPDATE SET changed = max(0, changed + ?)`)
  const sums = sql.prepare<[], { opened: number; changed: number }>(`SELECT
    ifnull(sum(l.opened > 0), 0) AS opened, ifnull(sum(l.changed > 0), 0) AS changed
    FROM test_looks l JOIN pictures p ON p.id = l.picture_id WHERE p.split = 'test' OR l.changed > 0`)
  const clear = sql.prepare('DELETE FROM test_looks')
  const all = sql.prepare<[], { id: number; opened: number; changed: number }>(
    'SELECT picture_id AS id, opened, changed FROM test_looks WHERE opened > 0 OR changed > 0 ORDER BY picture_id',
  )
  return {
    /** @returns whether one of them had not been opened before */
    opened(ids: Iterable<number>): boolean {
      const before = sums.get()?.opened
      transaction(() => {
        for (const id of ids) add.run(id, 1, 0)
      })
      return sums.get()?.opened !== before
    },
    /** @param by 1 for a change, -1 when it is undone. */
    changed(ids: Iterable<number>, by: 1 | -1): void {
      transaction(() => {
        for (const id of ids) change.run(id, by, by)
      })
    },
    /** Number of test pictures opened, and of test pictures changed. */
    sums: (): { opened: number; changed: number } => sums.get() ?? { opened: 0, changed: 0 },
    all: () => all.all(),
    /** A new split: counting starts again. */
    clear(): void {
      clear.run()
    },
  }
}
