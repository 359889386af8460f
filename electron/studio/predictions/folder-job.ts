import type { KestrelError } from '#shared/errors/index.ts'
import { toWire } from '#shared/errors/index.ts'
import type { JobContext } from '../jobs/job-runner.ts'
import type { SourceFile } from '../ports.ts'
import type { TrainerPool } from '../trainer-client/pool.ts'
import type { FolderTable } from './folder-tables.ts'
import { inOrder } from './folder-tables.ts'
import { answerOf, noPicture, unreadAnswer } from './given-pictures.ts'

export interface FolderJob {
  table: FolderTable
  /** Folder of the model. */
  modelDir: string
  pool: Pick<TrainerPool, 'long'>
  /** What was dropped, file by file. */
  pictures(onSkipped: (relative: string, error: KestrelError) => void): AsyncIterable<SourceFile>
}

/**
 * Asks a model about all that was dropped; the table fills meanwhile. What a zip holds but does not give is a row with
 * its reason, like any picture that cannot be read.
 * @throws KestrelError not-a-picture when there is none; what a source throws
 */
export async function answerFolder(
  { table, modelDir, pool, pictures }: FolderJob,
  { signal, update }: Pick<JobContext, 'signal' | 'update'>,
): Promise<void> {
  // The one folder that was dropped is the title; repeating it in every row says nothing.
  const nameOf = (relative: string): string =>
    relative.startsWith(`${table.title}/`) ? relative.slice(table.title.length + 1) : relative
  const newId = (): string => `${table.jobId}:${table.rows.length}`
  const files: SourceFile[] = []
  const found = pictures((relative, error) =>
    table.rows.push(unreadAnswer(newId(), nameOf(relative), toWire(error))),
  )
  for await (const file of found) {
    files.push(file)
    update({ stage: 'scanning', done: files.length, total: null })
  }
  const total = table.rows.length + files.length
  if (total === 0) throw noPicture()
  if (files.length > 0)
    await pool.long<'predict'>(
      { kind: 'predict', modelDir, images: files.map(({ path }, id) => ({ id, path })) },
      {
        signal,
        onPartial: (partial) => {
          const { path, relative } = files[partial.id]!
          table.rows.push(answerOf(newId(), { path, name: nameOf(relative) }, partial))
          update({ stage: 'predicting', done: table.rows.length, total })
        },
      },
    )
  table.ordered = inOrder(table.rows)
}
