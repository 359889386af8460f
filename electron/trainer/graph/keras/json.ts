import { KestrelError } from '#shared/errors/index.ts'

/** JSON from an untrusted file. Throws `backbone-damaged` and says which part it was. */
export function parseJson(text: string, part: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    throw new KestrelError('backbone-damaged', `The model file is damaged: ${part} cannot be read.`, {
      cause: error,
    })
  }
}
