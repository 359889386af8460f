import type { ProjectDatabase } from './database.ts'

export interface ProjectFacts {
  id: string
  name: string
  createdAt: number
  revision: number
  lastSavedAt: number
}

export type ProjectRepository = ReturnType<typeof createProjectRepository>

/** Facts about the project itself, and small named values. */
export function createProjectRepository({ sql, transaction }: ProjectDatabase) {
  const read = sql.prepare<[string], string>('SELECT value FROM meta WHERE key = ?').pluck()
  const write = sql.prepare<[string, string]>(
    'INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value',
  )
  const number = (key: string): number => Number(read.get(key) ?? 0)

  return {
    /** Undefined in a folder whose project was never finished being made. */
    facts(): ProjectFacts | undefined {
      const id = read.get('project_id')
      if (id === undefined) return undefined
      return {
        id,
        name: read.get('name') ?? '',
        createdAt: number('created_at'),
        revision: number('revision'),
        lastSavedAt: number('last_saved_at'),
      }
    },
    initialise(facts: { id: string; name: string; createdAt: number }): void {
      transaction(() => {
        write.run('project_id', facts.id)
        write.run('name', facts.name)
        write.run('created_at', String(facts.createdAt))
        write.run('revision', '0')
        write.run('last_saved_at', String(facts.createdAt))
      })
    },
    rename(name: string): void {
      write.run('name', name)
    },
    /** A copied folder must not answer to the id of its original. */
    changeId(id: string): void {
      write.run('project_id', id)
    },
    revision: (): number => number('revision'),
    /** Pictures or labels have changed. @returns the new revision. */
    nextRevision(): number {
      return transaction(() => {
        const revision = number('revision') + 1
        write.run('revision', String(revision))
        write.run('last_saved_at', String(Date.now()))
        return revision
      })
    },
    value: (key: string): string | undefined => read.get(key),
    setValue(key: string, value: string): void {
      write.run(key, value)
    },
  }
}
