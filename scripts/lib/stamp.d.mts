export const root: string
export const stampFile: string
export function inputHash(): string
export function buildState(): 'fresh' | 'stale' | 'missing'
