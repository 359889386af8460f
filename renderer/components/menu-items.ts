import type { Component } from 'vue'

export interface MenuItem {
  key: string
  label: string
  icon?: Component
  keys?: string
  danger?: boolean
  disabled?: boolean
  /** A label's colour, shown as a square before the words. */
  colour?: string
  run: () => unknown
}
/** `'line'` separates groups. */
export type MenuEntry = MenuItem | 'line'
