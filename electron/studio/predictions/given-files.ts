import { randomUUID } from 'node:crypto'
import { mkdir, readdir, rmdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { SourceAccess, SourceFile, SourceFilesOptions } from '../ports.ts'
import type { OpenProject } from '../projects/open-project.ts'

/** The pictures of a source, one by one. Entries of a zip stay until the project is opened again. */
export async function* givenFiles(
  sources: Pick<SourceAccess, 'files'>,
  project: OpenProject,
  source: string,
  options: Omit<SourceFilesOptions, 'into'>,
): AsyncGenerator<SourceFile> {
  const into = join(project.paths.temporary, `given-${randomUUID()}`)
  await mkdir(into, { recursive: true })
  try {
    yield* sources.files(source, { into, ...options })
  } finally {
    if ((await readdir(into)).length === 0) await rmdir(into)
  }
}
