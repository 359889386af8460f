import { proofSchema } from '#shared/contract/trainer.ts'
import type { ExportFormat, Proof } from '#shared/contract/trainer.ts'
import type { ProjectDatabase } from './database.ts'

export interface ExportRow {
  id: string
  runId: string
  format: ExportFormat
  /** Relative to the project's folder. */
  folder: string
  bytes: number
  threshold: number
  proof: Proof
  createdAt: number
}
type Stored = Omit<ExportRow, 'proof'> & { proof: string }

export type ExportsRepository = ReturnType<typeof createExportsRepository>

export function createExportsRepository({ sql }: ProjectDatabase) {
  const columns = 'id, run_id AS runId, format, folder, bytes, threshold, proof, created_at AS createdAt'
  const insert =
    sql.prepare(`INSERT INTO exports (id, run_id, format, folder, bytes, threshold, proof, created_at)
    VALUES (@id, @runId, @format, @folder, @bytes, @threshold, @proof, @createdAt)`)
  const ofRun = sql.prepare<[string], Stored>(
    `SELECT ${columns} FROM exports WHERE run_id = ? ORDER BY created_at DESC, rowid DESC`,
  )
  const byId = sql.prepare<[string], Stored>(`SELECT ${columns} FROM exports WHERE id = ?`)
  const remove = sql.prepare<[string]>('DELETE FROM exports WHERE id = ?')
  const row = (stored: Stored): ExportRow => ({
    ...stored,
    proof: proofSchema.parse(JSON.parse(stored.proof)),
  })
  return {
    insert(made: ExportRow): void {
      insert.run({ ...made, proof: JSON.stringify(made.proof) })
    },
    /** Newest first. */
    ofRun: (runId: string): ExportRow[] => ofRun.all(runId).map(row),
    find: (id: string): ExportRow | undefined => {
      const stored = byId.get(id)
      return stored && row(stored)
    },
    remove(id: string): void {
      remove.run(id)
    },
  }
}
