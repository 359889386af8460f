/** The studio's own diary. At `info` nothing of the person's appears: no file names, no label names. */
export interface Log {
  info(message: string): void
  warn(message: string, cause?: unknown): void
  error(message: string, cause?: unknown): void
}
