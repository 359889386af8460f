/** What is refused before any decoding, so that a small file cannot ask for gigabytes of memory. */
export const limits = {
  /** Pixels of one frame, decided from the header. 100 megapixels are 300 MB when decoded. */
  pixels: 100_000_000,
  /** Bytes of one file. */
  fileBytes: 512 * 1024 * 1024,
  /** Pixels of one edge; nothing that cameras make comes near it. */
  edge: 100_000,
} as const
