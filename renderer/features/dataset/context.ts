import { createEventHook, useLocalStorage } from '@vueuse/core'
import { inject, provide, ref } from 'vue'
import type { InjectionKey } from 'vue'
import { useProject } from '../../composables/index.ts'
import { useActions } from './composables/useActions.ts'
import { useLabelActions } from './composables/useLabelActions.ts'
import { useLabelDrag } from './composables/useLabelDrag.ts'
import { usePictureRows } from './composables/usePictureRows.ts'
import { useSelection } from './composables/useSelection.ts'
import { useView } from './composables/useView.ts'

/** Everything the parts of the Pictures step share. Made once by the view. */
function createDataset() {
  const project = useProject()
  const shown = useView()
  const rows = usePictureRows(project.projectId, shown.view)
  const selection = useSelection(rows, shown.view)
  const actions = useActions(project.projectId, rows, selection, shown.view)
  const labelActions = useLabelActions(project.projectId)
  const drag = useLabelDrag()
  const revealed = createEventHook<number>()

  return {
    ...project,
    ...shown,
    rows,
    selection,
    actions,
    labelActions,
    drag,
    /** Tiles beside each other; the grid says. */
    columns: ref(1),
    tileSize: useLocalStorage('kestrel-tile-size', 148),
    // In a small window the pictures need the room; the person may still open it there.
    inspectorOpen: useLocalStorage('kestrel-inspector', window.innerWidth >= 1200, { writeDefaults: false }),
    previewOpen: ref(false),
    /** Text the label picker opens with; null while it is closed. */
    picking: ref<string | null>(null),
    namingLabel: ref(false),
    /** Scrolls a position into view. */
    reveal: (index: number) => void revealed.trigger(index),
    onReveal: revealed.on,
  }
}
export type Dataset = ReturnType<typeof createDataset>

const key: InjectionKey<Dataset> = Symbol('dataset')

export function provideDataset(): Dataset {
  const dataset = createDataset()
  provide(key, dataset)
  return dataset
}

export function useDataset(): Dataset {
  const dataset = inject(key)
  if (!dataset) throw new Error('useDataset works inside the Pictures step only')
  return dataset
}
