/** For text that may be damaged, or written by somebody else. @returns undefined for what is no JSON */
export function jsonOrUndefined(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    if (error instanceof SyntaxError) return undefined
    throw error
  }
}
