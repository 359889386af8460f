import type { PictureFilter, PictureSort } from '#shared/contract/dataset.ts'
import type { OpenProject } from '../projects/open-project.ts'
import { createViewsRepository } from '../storage/views-repository.ts'
import type { PictureSums } from '../storage/views-repository.ts'

/** Views kept at a time: a few filters and orders a person goes back and forth between. */
const MOST_VIEWS = 6

interface Kept {
  version: number
  orders: Map<string, Int32Array>
  sums: PictureSums | null
}

export interface PictureViews {
  /** All ids of a view in order. Found once, then any window of it is a slice. */
  ids(project: OpenProject, filter: PictureFilter, sort: PictureSort): Int32Array
  sums(project: OpenProject): PictureSums
}

/** Orders of ids and counts of the open projects, as long as nothing has changed. 100,000 ids are 400 kB. */
export function createPictureViews(): PictureViews {
  const kept = new WeakMap<OpenProject, Kept>()

  const current = (project: OpenProject): Kept => {
    const version = project.viewVersion()
    const known = kept.get(project)
    if (known?.version === version) return known
    const fresh: Kept = { version, orders: new Map(), sums: null }
    kept.set(project, fresh)
    return fresh
  }

  return {
    ids(project, filter, sort) {
      const { orders } = current(project)
      const key = JSON.stringify([filter.show, filter.label, filter.split, filter.search ?? '', sort])
      const known = orders.get(key)
      const ids = known ?? project.use(createViewsRepository).ids(filter, sort)
      // The one used last stays longest.
      orders.delete(key)
      orders.set(key, ids)
      for (const oldest of orders.keys()) {
        if (orders.size <= MOST_VIEWS) break
        orders.delete(oldest)
      }
      return ids
    },
    sums(project) {
      const state = current(project)
      state.sums ??= project.use(createViewsRepository).sums()
      return state.sums
    },
  }
}
