import { useEventListener } from '@vueuse/core'
import { useI18n } from 'vue-i18n'
import { useHotkeyRegistry, useHotkeys } from '../../../composables/index.ts'
import type { Dataset } from '../context.ts'

/** A letter that is meant as text, capital or not; the right Alt key writes some of them. */
const typesLetter = (event: KeyboardEvent): boolean =>
  /^\p{L}\p{M}*$/u.test(event.key) &&
  (event.getModifierState('AltGraph') || !(event.ctrlKey || event.metaKey || event.altKey))

const digits = ['1', '2', '3', '4', '5', '6', '7', '8', '9']

/** All keys of the Pictures step. The large view and the grid share them: the cursor is the same. */
export function usePictureKeys(dataset: Dataset, focusSearch: () => void): void {
  const { t } = useI18n()
  const registry = useHotkeyRegistry()
  const { selection, actions, labels, columns, rows } = dataset

  const last = (): number => (rows.total.value ?? 0) - 1
  const anything = (): boolean => last() >= 0
  const target = (): boolean => selection.forCall() !== null
  /**
   * Letters belong to the names of labels while there is a picture to give one to: a letter that did something else would
   * do it to whoever types the name of a label that begins with it.
   */
  const typing = (): boolean =>
    selection.count.value > 0 || (dataset.previewOpen.value && selection.current.value !== undefined)
  const clampIndex = (index: number): number => Math.max(0, Math.min(last(), index))

  function go(index: number, extending = false): void {
    if (!anything()) return
    const to = clampIndex(index)
    if (extending) void selection.extend(to)
    else selection.only(to)
    dataset.reveal(to)
  }
  const step = (by: number, extending = false): void => {
    const from = selection.cursor.value
    // A step down from the last full row ends on the last picture, not nowhere.
    go(from < 0 ? 0 : from + by, extending)
  }
  const bySteps = (keys: string, by: () => number) => [
    { keys: [keys], run: () => step(by()), when: anything },
    { keys: [`shift+${keys}`], run: () => step(by(), true), when: anything },
  ]
  const screenful = (): number => columns.value * 4

  useHotkeys(t('dataset.keysTitle'), [
    {
      keys: ['arrowleft'],
      show: ['arrowleft', 'arrowup', 'arrowdown', 'arrowright'],
      words: t('dataset.keyArrows'),
      run: () => step(-1),
      when: anything,
    },
    {
      keys: ['shift+arrowleft'],
      show: ['shift+arrowright'],
      words: t('dataset.keyExtend'),
      run: () => step(-1, true),
      when: anything,
    },
    ...bySteps('arrowright', () => 1),
    ...bySteps('arrowup', () => (dataset.previewOpen.value ? -1 : -columns.value)),
    ...bySteps('arrowdown', () => (dataset.previewOpen.value ? 1 : columns.value)),
    ...bySteps('pageup', () => -screenful()),
    ...bySteps('pagedown', screenful),
    { keys: ['home'], run: () => go(0), when: anything },
    { keys: ['end'], run: () => go(last()), when: anything },
    { keys: ['shift+home'], run: () => go(0, true), when: anything },
    { keys: ['shift+end'], run: () => go(last(), true), when: anything },
    {
      keys: ['space', 'enter'],
      show: ['space'],
      words: t('dataset.keySpace'),
      when: anything,
      run: () => {
        if (!dataset.previewOpen.value && selection.cursor.value < 0) go(0)
        dataset.previewOpen.value = !dataset.previewOpen.value
      },
    },
    {
      keys: digits,
      show: ['1', '…', '9'],
      words: t('dataset.keyDigits'),
      when: target,
      run: (event) => {
        const label = labels.value[Number(event.key) - 1]
        return label ? actions.assign(label.id) : false
      },
    },
    { keys: ['0'], words: t('dataset.keyZero'), when: target, run: () => actions.assign(null) },
    {
      keys: ['f2'],
      show: ['a–z', 'f2'],
      words: t('dataset.keyType'),
      when: target,
      run: () => (dataset.picking.value = ''),
    },
    {
      keys: ['delete', 'backspace'],
      show: ['delete'],
      words: t('dataset.keyExclude'),
      when: target,
      run: () => actions.excludeOrRestore(),
    },
    { keys: ['mod+z'], words: t('dataset.keyUndo'), run: () => actions.undo() },
    {
      keys: ['mod+shift+z', 'mod+y'],
      show: ['mod+shift+z'],
      words: t('dataset.keyRedo'),
      run: () => actions.redo(),
    },
    {
      keys: ['n'],
      words: t('dataset.keyNew'),
      when: () => !typing(),
      run: () => (dataset.namingLabel.value = true),
    },
    { keys: ['mod+a'], words: t('dataset.keyAll'), when: anything, run: () => selection.everything() },
    { keys: ['/', 'mod+f'], show: ['/'], words: t('dataset.keySearch'), run: focusSearch },
    {
      keys: ['mod+i'],
      words: t('dataset.keyInspector'),
      run: () => void (dataset.inspectorOpen.value = !dataset.inspectorOpen.value),
    },
    {
      keys: ['escape'],
      words: t('dataset.keyEscape'),
      run: () => {
        if (dataset.previewOpen.value) dataset.previewOpen.value = false
        else if (selection.count.value > 0) selection.clear()
        else return false
        return true
      },
    },
  ])

  // A letter begins a label's name. After the bindings above, which say so by preventing the default.
  useEventListener(window, 'keydown', (event) => {
    if (event.defaultPrevented || event.isComposing || registry.sheetOpen || dataset.picking.value !== null)
      return
    if (!typesLetter(event) || !typing()) return
    const at = event.target
    if (
      at instanceof HTMLElement &&
      at.closest('input, textarea, [contenteditable], [role=dialog], [role=menu], [role=listbox]')
    )
      return
    if (document.querySelector('[role=dialog][data-state=open]')) return
    event.preventDefault()
    dataset.picking.value = event.key
  })
}
