import type { StudioEvent } from '#shared/contract/system.ts'

export interface EventBus {
  publish(event: StudioEvent): void
  /** @returns a function that ends the subscription. */
  subscribe(listener: (event: StudioEvent) => void): () => void
}

/** Tells every open window what happened. Listeners must not throw; one that does is reported and the rest still hear. */
export function createEventBus(reportError: (error: unknown) => void): EventBus {
  const listeners = new Set<(event: StudioEvent) => void>()
  return {
    publish(event) {
      for (const listener of [...listeners]) {
        try {
          listener(event)
        } catch (error) {
          reportError(error)
        }
      }
    },
    subscribe(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
  }
}
