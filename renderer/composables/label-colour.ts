/** Number of `--label-N` colours in styles/tokens.css. */
export const labelColours = 12

/**
 * The same colour for the same label everywhere. Beyond the palette colours repeat: a colour never stands alone.
 * @param colour index into the palette, any integer ≥ 0; null for "no label"
 */
export const labelColour = (colour: number | null): string =>
  colour === null ? 'var(--ghost)' : `var(--label-${colour % labelColours})`
