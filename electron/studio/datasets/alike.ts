import { bitCount } from '#shared/domain/hash-index.ts'
import type { OpenProject } from '../projects/open-project.ts'
import { createPicturesRepository } from '../storage/pictures-repository.ts'

/** Bits of 64 that may differ between pictures that look nearly the same. */
export const ALIKE_BITS = 10
const MOST_ALIKE = 12

/** Perceptual hashes of a project's pictures, in memory: 12 bytes a picture. */
class HashList {
  private ids = new Int32Array(1024)
  /** High and low half of each hash. */
  private halves = new Uint32Array(2048)
  private length = 0

  get lastId(): number {
    return this.length === 0 ? 0 : this.ids[this.length - 1]!
  }

  add(id: number, hash: string): void {
    if (this.length === this.ids.length) this.grow()
    this.ids[this.length] = id
    this.halves[2 * this.length] = Number.parseInt(hash.slice(0, 8), 16)
    this.halves[2 * this.length + 1] = Number.parseInt(hash.slice(8, 16), 16)
    this.length++
  }

  private grow(): void {
    const ids = new Int32Array(this.ids.length * 2)
    ids.set(this.ids)
    this.ids = ids
    const halves = new Uint32Array(this.halves.length * 2)
    halves.set(this.halves)
    this.halves = halves
  }

  /** Ids within `ALIKE_BITS` of a hash, nearest first. */
  near(hash: string, exceptId: number): number[] {
    const high = Number.parseInt(hash.slice(0, 8), 16)
    const low = Number.parseInt(hash.slice(8, 16), 16)
    const found: { id: number; bits: number }[] = []
    for (let at = 0; at < this.length; at++) {
      const bits = bitCount(this.halves[2 * at]! ^ high) + bitCount(this.halves[2 * at + 1]! ^ low)
      if (bits <= ALIKE_BITS && this.ids[at] !== exceptId) found.push({ id: this.ids[at]!, bits })
    }
    return found
      .sort((a, b) => a.bits - b.bits || a.id - b.id)
      .slice(0, MOST_ALIKE)
      .map(({ id }) => id)
  }
}

export interface AlikeFinder {
  /** Pictures that look nearly the same, nearest first, at most 12. */
  find(project: OpenProject, picture: { id: number; perceptualHash: string }): number[]
}

/** Compares perceptual hashes one by one: at 100,000 pictures a look through all takes about a millisecond. */
export function createAlikeFinder(): AlikeFinder {
  const lists = new WeakMap<OpenProject, HashList>()
  return {
    find(project, picture) {
      const list = lists.get(project) ?? new HashList()
      lists.set(project, list)
      // Pictures are only ever added: fetch those that are new.
      for (const [id, hash] of project.use(createPicturesRepository).hashesAfter(list.lastId))
        list.add(id, hash)
      return list.near(picture.perceptualHash, picture.id)
    },
  }
}
