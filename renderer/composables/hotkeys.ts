import { onKeyStroke } from '@vueuse/core'
import { defineStore } from 'pinia'
import { computed, onScopeDispose, ref, shallowRef, toValue } from 'vue'
import type { MaybeRefOrGetter } from 'vue'

export interface Hotkey {
  /** e.g. `x`, `shift+z`, `mod+a` (Ctrl or Cmd), `arrowleft`, `space`, `?`, `1`. Any of them. */
  keys: string[]
  /** What it does, in words, for the list behind `?`. Entries without words are not listed. */
  words?: string
  /** What the list shows instead of `keys`, e.g. `['1', '…', '9']`. */
  show?: string[]
  /** Return false to let the key go on as if it was not bound. */
  run: (event: KeyboardEvent) => unknown
  when?: () => boolean
  /** Also while the person types in a field. */
  inFields?: boolean
}

export interface HotkeyScope {
  id: number
  title: string
  /** A modal scope hides all scopes below it. */
  modal: boolean
  active: () => boolean
  hotkeys: readonly Hotkey[]
}

/** Writes a key press the way bindings are written. Letters by what they type, on any keyboard layout. */
export function nameOfPress(event: KeyboardEvent): string {
  const key = event.key === ' ' ? 'space' : event.key.toLowerCase()
  // On a non-Latin layout "z" types another letter; its place on the keyboard still says which one is meant.
  const letter = /^Key([A-Z])$/.exec(event.code)?.[1]?.toLowerCase()
  const base = key.length === 1 && key > '\u007f' && letter ? letter : key
  const isLetter = base.length === 1 && base.toLowerCase() !== base.toUpperCase()
  const shifted = event.shiftKey && (isLetter || base.length > 1)
  return `${event.ctrlKey || event.metaKey ? 'mod+' : ''}${event.altKey ? 'alt+' : ''}${shifted ? 'shift+' : ''}${base}`
}

const isField = (target: EventTarget | null): boolean =>
  target instanceof HTMLElement &&
  (target.isContentEditable ||
    target.matches('textarea, select, input:not([type=checkbox], [type=radio], [type=range], [type=button])'))

/** Keys that a focused control needs for itself. */
const ownsKey = (target: EventTarget | null, press: string): boolean =>
  target instanceof HTMLElement &&
  ((['space', 'enter'].includes(press) &&
    target.matches('button, a, summary, [role=switch], [role=radio]')) ||
    (press.startsWith('arrow') && target.matches('[role=slider], [role=radio], [role=tab], input')) ||
    target.closest('[role=menu], [role=listbox]:not([data-hotkeys])') !== null)

export const useHotkeyRegistry = defineStore('hotkeys', () => {
  const scopes = shallowRef<readonly HotkeyScope[]>([])
  const sheetOpen = ref(false)
  let lastId = 0

  function add(scope: Omit<HotkeyScope, 'id'>): () => void {
    const id = ++lastId
    scopes.value = [...scopes.value, { ...scope, id }]
    return () => (scopes.value = scopes.value.filter((other) => other.id !== id))
  }

  /** Innermost first, down to the first modal one. */
  function reachable(): HotkeyScope[] {
    const found: HotkeyScope[] = []
    for (const scope of scopes.value.slice().reverse()) {
      if (!scope.active()) continue
      found.push(scope)
      if (scope.modal) break
    }
    return found
  }

  function press(event: KeyboardEvent): void {
    if (event.defaultPrevented || event.isComposing) return
    // An open dialog that has no scope of its own still keeps the page behind it quiet.
    const name = nameOfPress(event)
    const inField = isField(event.target)
    if (!inField && ownsKey(event.target, name)) return
    const dialogOpen = document.querySelector(
      '[role=dialog][data-state=open], [role=alertdialog][data-state=open]',
    )
    for (const scope of reachable()) {
      if (dialogOpen && !scope.modal) return
      for (const hotkey of scope.hotkeys) {
        if (!hotkey.keys.includes(name) || (inField && !hotkey.inFields)) continue
        if (hotkey.when && !hotkey.when()) continue
        if (hotkey.run(event) === false) continue
        event.preventDefault()
        return
      }
    }
  }

  const listed = computed(() =>
    scopes.value
      .map(({ id, title, hotkeys }) => ({ id, title, hotkeys: hotkeys.filter(({ words }) => words) }))
      .filter(({ hotkeys }) => hotkeys.length > 0),
  )

  return { scopes, sheetOpen, listed, add, press }
})

/**
 * Binds keys for as long as the component lives. Later components come first; a modal scope keeps all others quiet.
 * @param title heading in the list behind `?`
 */
export function useHotkeys(
  title: string,
  hotkeys: readonly Hotkey[],
  options: { modal?: boolean; active?: MaybeRefOrGetter<boolean> } = {},
): void {
  const registry = useHotkeyRegistry()
  const remove = registry.add({
    title,
    hotkeys,
    modal: options.modal ?? false,
    active: () => toValue(options.active) ?? true,
  })
  onScopeDispose(remove)
}

/** Once, in the app: listens for all bindings. */
export function useHotkeyListener(): void {
  const registry = useHotkeyRegistry()
  onKeyStroke(true, (event) => registry.press(event), { target: window })
}
