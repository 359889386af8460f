/// <reference types="vite/client" />
import type { KestrelDesktop } from '#shared/contract/desktop.ts'

declare global {
  interface Window {
    /** Only in the desktop window; see shared/contract/desktop.ts. */
    kestrelDesktop?: KestrelDesktop
  }
}
