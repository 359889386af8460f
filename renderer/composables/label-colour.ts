import { labelColour as paletteColour } from '#shared/domain/labels.ts'
import { isDark } from '../app/dark.ts'

const known = { light: new Map<number, string>(), dark: new Map<number, string>() }

/**
 * The colour of a label in the theme of the page, the same everywhere. Reactive: changes with the theme.
 * @param colour index into the palette, a whole number ≥ 0; null for "no label"
 */
export function labelColour(colour: number | null): string {
  if (colour === null) return 'var(--ghost)'
  const theme = isDark.value ? 'dark' : 'light'
  const before = known[theme].get(colour)
  if (before !== undefined) return before
  const hex = paletteColour(colour, theme)
  known[theme].set(colour, hex)
  return hex
}
