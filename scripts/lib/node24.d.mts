export function findNode(): string | null
