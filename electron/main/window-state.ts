import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { z } from 'zod'
import { themeSchema } from '#shared/contract/desktop.ts'
import { logger } from './log.ts'

const boundsSchema = z.object({ x: z.int(), y: z.int(), width: z.int(), height: z.int() })
const stateSchema = z.object({
  bounds: boundsSchema.nullable(),
  maximised: z.boolean(),
  /** Known before the page is, so that the window never flashes in the other colour. */
  theme: themeSchema,
})
export type WindowState = z.infer<typeof stateSchema>
export type Bounds = z.infer<typeof boundsSchema>

const fresh: WindowState = { bounds: null, maximised: false, theme: 'system' }

/** What the window looked like last time, in `<home>/window.json`. A damaged file only loses the window's place. */
export class WindowStateFile {
  readonly #path: string
  #state: WindowState

  constructor(home: string) {
    this.#path = join(home, 'window.json')
    this.#state = this.#read()
  }

  get state(): WindowState {
    return this.#state
  }

  change(part: Partial<WindowState>): void {
    this.#state = { ...this.#state, ...part }
    try {
      mkdirSync(dirname(this.#path), { recursive: true })
      writeFileSync(`${this.#path}.new`, JSON.stringify(this.#state))
      renameSync(`${this.#path}.new`, this.#path)
    } catch (error) {
      logger.warn("the window's place could not be noted", error)
    }
  }

  #read(): WindowState {
    try {
      const known = stateSchema.safeParse(JSON.parse(readFileSync(this.#path, 'utf8')))
      return known.success ? known.data : fresh
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT'))
        logger.warn("the window's last place could not be read", error)
      return fresh
    }
  }
}

/** Whether enough of a window (120 × 40 px of its upper edge) lies on one of the displays to be grabbed. */
export function isReachable(bounds: Bounds, displays: readonly Bounds[]): boolean {
  return displays.some((area) => {
    const across = Math.min(bounds.x + bounds.width, area.x + area.width) - Math.max(bounds.x, area.x)
    const down = Math.min(bounds.y + 40, area.y + area.height) - Math.max(bounds.y, area.y)
    return across >= 120 && down >= 40
  })
}
