export function findNode(): string | null

/** For the Node that runs the studio. */
export const nodeFlags: string[]
