import { setImmediate, setTimeout } from 'node:timers/promises'
import { HashIndex, MOST_BITS } from '#shared/domain/hash-index.ts'
import { isSameShot, LOOK_BYTES, structureOf } from '#shared/domain/same-shot.ts'
import type { Structure } from '#shared/domain/same-shot.ts'
import type { Log } from '../log.ts'
import type { OpenProject } from '../projects/open-project.ts'
import { createLooksRepository } from '../storage/looks-repository.ts'
import type { LooksRepository, Twins } from '../storage/looks-repository.ts'
import { originalPath } from '../storage/pictures-repository.ts'
import type { PictureReader } from './picture-reader.ts'

/**
 * Twins that are noted of a picture among those before it: more would say nothing new, and ten thousand frames of a
 * standing camera have fifty million pairs.
 */
const MOST_TWINS = 32
/** The studio answers others in between. */
const SLICE_MS = 20
/** Structures kept in memory, 5 KB each. */
const MOST_STRUCTURES = 8192
const MISSING_BATCH = 100

export interface TwinFinder {
  /**
   * Compares pictures that came since the last time with all before them: candidates by perceptual hash, confirmed on
   * their looks. What is found is stored; a few milliseconds when nothing is new. Called while it is under way, it
   * resolves with that.
   */
  compare(project: OpenProject): Promise<void>
  /** Gives pictures of a project from before there were looks theirs, in the background, then compares them. */
  catchUp(project: OpenProject): void
  /** The project is about to be closed: what is under way ends, and goes on when it is opened again. */
  forget(project: OpenProject): void
}

/** Finds pictures that are of one shot. */
export function createTwinFinder({ reader, log }: { reader: PictureReader; log: Log }): TwinFinder {
  const underWay = new WeakMap<OpenProject, Promise<void>>()
  const closed = new WeakSet<OpenProject>()
  const isClosed = (project: OpenProject): boolean => closed.has(project)

  function compare(project: OpenProject): Promise<void> {
    const running = underWay.get(project)
    if (running) return running
    const work = compareWaiting(project, isClosed).finally(() => underWay.delete(project))
    underWay.set(project, work)
    return work
  }

  async function readMissing(project: OpenProject): Promise<void> {
    const looks = project.use(createLooksRepository)
    let last = 0
    while (!isClosed(project)) {
      const batch = looks.missing(last, MISSING_BATCH)
      if (batch.length === 0) break
      const read: [number, Uint8Array][] = []
      for (const { id, file } of batch) {
        last = id
        const began = performance.now()
        const pixels = await reader.readLook(originalPath(project.folder, file)).catch((error: unknown) => {
          log.warn('a picture has no look', error)
          return null
        })
        if (isClosed(project)) return
        // One that cannot be read is nobody's twin, and is not tried again.
        read.push([id, pixels ?? new Uint8Array(LOOK_BYTES)])
        // Nobody waits for it: whoever looks at the pictures meanwhile has the machine for as long as this had it.
        await setTimeout(performance.now() - began)
      }
      if (isClosed(project)) return
      looks.addAll(read)
    }
    if (last > 0) await compare(project)
  }

  return {
    compare,
    catchUp(project) {
      readMissing(project).catch((error: unknown) =>
        log.warn('pictures of one shot were not looked for', error),
      )
    },
    forget: (project) => {
      closed.add(project)
    },
  }
}

async function compareWaiting(
  project: OpenProject,
  isClosed: (project: OpenProject) => boolean,
): Promise<void> {
  const looks = project.use(createLooksRepository)
  const waiting = looks.waiting()
  if (waiting.length === 0) return
  const hashes = looks.hashes()
  const ids = hashes.map(([id]) => id)
  const placeOf = new Map(ids.map((id, place) => [id, place]))
  const index = new HashIndex(hashes.map(([, hash]) => hash))
  const shelf = createShelf(looks)
  const isWaiting = new Set(waiting)
  let compared: number[] = []
  let found: Twins[] = []
  let any = false
  const settle = (): void => {
    looks.settle(compared, found)
    any ||= found.length > 0
    compared = []
    found = []
  }
  let since = performance.now()
  for (const id of waiting) {
    const candidates: number[] = []
    // Of two that are new the later one finds the earlier one.
    index.near(placeOf.get(id)!, MOST_BITS, (place) => {
      const other = ids[place]!
      if (other < id || !isWaiting.has(other)) candidates.push(other)
    })
    found.push(...twinsOf(id, candidates, shelf))
    compared.push(id)
    if (performance.now() - since < SLICE_MS) continue
    settle()
    await setImmediate()
    if (isClosed(project)) return
    since = performance.now()
  }
  settle()
  if (any) project.announce('pictures')
}

type Shelf = ReturnType<typeof createShelf>

function twinsOf(id: number, candidates: number[], shelf: Shelf): Twins[] {
  if (candidates.length === 0) return []
  const own = shelf.look(id)
  const twins: Twins[] = []
  for (const other of candidates.sort((a, b) => a - b)) {
    if (twins.length === MOST_TWINS) break
    const look = shelf.look(other)
    // The same order of the two whoever came first: the answer then depends on the pictures alone.
    const [a, b] = Buffer.compare(own.pixels, look.pixels) <= 0 ? [own, look] : [look, own]
    if (isSameShot(a.structure, b.structure)) twins.push([id, other])
  }
  return twins
}

function createShelf(looks: LooksRepository) {
  const shelf = new Map<number, { pixels: Uint8Array; structure: Structure }>()
  return {
    look(id: number): { pixels: Uint8Array; structure: Structure } {
      const known = shelf.get(id)
      if (known) return known
      if (shelf.size >= MOST_STRUCTURES) shelf.clear()
      const pixels = looks.find(id) ?? new Uint8Array(LOOK_BYTES)
      const look = { pixels, structure: structureOf(pixels) }
      shelf.set(id, look)
      return look
    },
  }
}
