/** What is asked of the HEIC worker thread. `probe` only reads the header. */
export interface HeicRequest {
  task: number
  action: 'probe' | 'decode'
  bytes: Uint8Array
  /** Pixels above which nothing is decoded. */
  pixelLimit: number
}

export interface HeicPicture {
  width: number
  height: number
  /** uint8 `[height, width, 4]`; empty for `probe` and above the limit. */
  data: Uint8Array
}

export type HeicReply =
  | { task: number; picture: HeicPicture }
  /** The decoder's own words, for the log. */
  | { task: number; failed: string }
