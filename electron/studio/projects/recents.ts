import { mkdir, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { recentProjectSchema } from '#shared/contract/projects.ts'
import { writeFileWhole } from '#shared/util/write-file-whole.ts'
import { readTextIfThere } from '../files.ts'
import type { Log } from '../log.ts'

const recentSchema = recentProjectSchema.omit({ location: true, missing: true }).extend({
  folder: z.string(),
  /** Endings of the strip's pictures, in order: 'webp', 'jpg' … */
  stripFiles: z.array(z.string().regex(/^[a-z]{3,4}$/)).default([]),
})
const fileSchema = z.object({ projects: z.array(recentSchema) })
export type Recent = z.infer<typeof recentSchema>

const MOST_RECENTS = 60

export interface Recents {
  list(): Promise<Recent[]>
  find(projectId: string): Promise<Recent | undefined>
  /** Adds or changes an entry. */
  change(projectId: string, change: (before: Recent | undefined) => Recent): Promise<void>
  /** Changes an entry that is there; a forgotten one stays forgotten. */
  update(projectId: string, change: (before: Recent) => Recent): Promise<void>
  forget(projectId: string): Promise<void>
  /** Copies pictures for the start page, so that it can show them while the project is closed. @param thumbnails JPEG @returns their endings */
  saveStrip(projectId: string, thumbnails: readonly Uint8Array[]): Promise<string[]>
  /** @returns undefined when there is no such picture. */
  stripFile(projectId: string, index: number): Promise<string | undefined>
}

export interface RecentsPorts {
  home: string
  log: Log
}

/** The list of recent projects and their picture strips, in the user-data folder. */
export function createRecents({ home, log }: RecentsPorts): Recents {
  const file = join(home, 'recents.json')
  let queue: Promise<unknown> = Promise.resolve()

  async function list(): Promise<Recent[]> {
    const text = await readTextIfThere(file)
    if (text === undefined) return []
    try {
      return fileSchema.parse(JSON.parse(text)).projects
    } catch (error) {
      log.warn('recents.json could not be understood and was put aside', error)
      await rename(file, join(home, 'recents.damaged.json'))
      return []
    }
  }

  /** One after the other: each reads what the one before wrote. */
  function edit(work: (projects: Recent[]) => Recent[]): Promise<void> {
    const next = queue.then(async () => {
      const projects = work(await list()).toSorted((a, b) => b.openedAt - a.openedAt)
      const kept = { projects: projects.slice(0, MOST_RECENTS) }
      await writeFileWhole(file, `${JSON.stringify(kept, null, 2)}\n`)
    })
    queue = next.catch(() => undefined)
    return next
  }

  const stripFolder = (projectId: string): string => join(home, 'recents', encodeURIComponent(projectId))

  return {
    list,
    find: async (projectId) => (await list()).find((recent) => recent.projectId === projectId),
    change: (projectId, change) =>
      edit((projects) => [
        change(projects.find((recent) => recent.projectId === projectId)),
        ...projects.filter((recent) => recent.projectId !== projectId),
      ]),
    update: (projectId, change) =>
      edit((projects) =>
        projects.map((recent) => (recent.projectId === projectId ? change(recent) : recent)),
      ),
    async forget(projectId) {
      await edit((projects) => projects.filter((recent) => recent.projectId !== projectId))
      await rm(stripFolder(projectId), { recursive: true, force: true })
    },
    async saveStrip(projectId, thumbnails) {
      const folder = stripFolder(projectId)
      await rm(folder, { recursive: true, force: true })
      if (thumbnails.length === 0) return []
      await mkdir(folder, { recursive: true })
      const endings: string[] = []
      for (const [index, thumbnail] of thumbnails.entries()) {
        await writeFile(join(folder, `${index}.jpg`), thumbnail)
        endings.push('jpg')
      }
      return endings
    },
    async stripFile(projectId, index) {
      const recent = (await list()).find((each) => each.projectId === projectId)
      const ending = recent?.stripFiles[index]
      return ending === undefined ? undefined : join(stripFolder(projectId), `${index}.${ending}`)
    },
  }
}
