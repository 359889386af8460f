/** What a WebAssembly program of ours exports besides its functions. */
interface WithMemory {
  memory: WebAssembly.Memory
}

/**
 * A WebAssembly program of our own, made ready when it is first asked for.
 * @param program in base64, assembled by scripts/assemble-simd.ts
 * @returns gives null where there is no WebAssembly, or none with SIMD (old runtime, content policy): not an error, the
 * plain way gives the same numbers
 */
export function kernelOf<K extends WithMemory>(program: string): () => K | null {
  let loaded: K | null | undefined
  return () => {
    if (loaded !== undefined) return loaded
    try {
      const bytes = Uint8Array.from(atob(program), (letter) => letter.charCodeAt(0))
      loaded = new WebAssembly.Instance(new WebAssembly.Module(bytes)).exports as unknown as K
    } catch (error) {
      if (!(error instanceof Error)) throw error
      loaded = null
    }
    return loaded
  }
}

/** @returns whether the memory has so many bytes, now at the latest; the machine may have no more of it */
export function hasRoom({ memory }: WithMemory, bytes: number): boolean {
  const missing = bytes - memory.buffer.byteLength
  try {
    if (missing > 0) memory.grow(Math.ceil(missing / 65536))
    return true
  } catch {
    return false
  }
}
