import type { PictureRow } from '#shared/contract/dataset.ts'

interface Page {
  rows: PictureRow[]
  /** Fetched before the newest change: shown, and fetched again when it is looked at. */
  generation: number
  usedAt: number
}

/** Rows by position, in pages; the least recently used pages go first. The page never holds all pictures. */
export class RowPages {
  readonly pageSize: number
  readonly mostPages: number
  private readonly pages = new Map<number, Page>()
  private clock = 0
  private generation = 0

  /** @param pageSize rows per call, at most 500 @param mostPages pages kept */
  constructor(pageSize: number, mostPages: number) {
    this.pageSize = pageSize
    this.mostPages = mostPages
  }

  at(index: number): PictureRow | undefined {
    const page = this.pages.get(Math.floor(index / this.pageSize))
    return page?.rows[index % this.pageSize]
  }

  get currentGeneration(): number {
    return this.generation
  }

  /** All rows may have changed: they stay until they are fetched again. */
  markStale(): void {
    this.generation += 1
  }

  clear(): void {
    this.pages.clear()
  }

  /** @param generation of the moment the page was asked for */
  put(page: number, rows: PictureRow[], generation: number): void {
    this.pages.set(page, { rows, generation, usedAt: ++this.clock })
    while (this.pages.size > this.mostPages) {
      const [oldest] = [...this.pages].reduce((a, b) => (a[1].usedAt <= b[1].usedAt ? a : b))
      this.pages.delete(oldest)
    }
  }

  /** The first page of positions [from, to) that is missing or stale, or null. Those in range count as used. */
  nextToFetch(from: number, to: number): number | null {
    const last = Math.floor(Math.max(from, to - 1) / this.pageSize)
    let found: number | null = null
    for (let page = Math.floor(from / this.pageSize); page <= last; page++) {
      const known = this.pages.get(page)
      if (known) known.usedAt = ++this.clock
      if (found === null && known?.generation !== this.generation) found = page
    }
    return found
  }

  /** Shows a change before the studio confirms it. */
  patch(change: (row: PictureRow) => PictureRow): void {
    for (const page of this.pages.values()) page.rows = page.rows.map(change)
  }

  /** Where a picture is now, looking outwards from `near`; -1 when it is not among the loaded rows. */
  find(id: number, near: number): number {
    if (this.at(near)?.id === id) return near
    let best = -1
    for (const [page, { rows }] of this.pages) {
      const inside = rows.findIndex((row) => row.id === id)
      if (inside < 0) continue
      const index = page * this.pageSize + inside
      if (best < 0 || Math.abs(index - near) < Math.abs(best - near)) best = index
    }
    return best
  }
}
