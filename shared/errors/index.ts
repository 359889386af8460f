import { z } from 'zod'
import { trainingCheckSchema } from '../domain/training/babysitter.ts'
import type { TrainingCheck } from '../domain/training/babysitter.ts'

/**
 * Every error a person can meet carries a code. The code is for programs and tests; the words are for the
 * person; the cause is for the log and never crosses to the page.
 */
export const errorCodes = [
  // input files
  'file-empty',
  'file-unreadable',
  'file-missing',
  'not-a-picture',
  'format-unsupported',
  'picture-too-large',
  'picture-damaged',
  'archive-unsafe',
  'archive-damaged',
  'archive-too-large',
  'disk-full',
  // projects and storage
  'project-not-found',
  'project-locked',
  'project-newer',
  'project-damaged',
  'folder-not-empty',
  'not-found',
  'name-taken',
  'nothing-to-undo',
  'nothing-to-redo',
  'not-the-latest',
  // training
  'too-few-pictures',
  'too-few-classes',
  'no-backbone',
  'backbone-unknown',
  'backbone-damaged',
  'backbone-unsupported',
  'operator-unsupported',
  'training-crashed',
  'training-diverged',
  'out-of-memory',
  'stopped',
  'busy',
  // network
  'offline',
  'download-failed',
  'checksum-mismatch',
  // exports
  'export-proof-failed',
  'model-unreadable',
  // the door
  'unauthorised',
  'forbidden',
  'bad-request',
  'too-large',
  'internal',
] as const
export type ErrorCode = (typeof errorCodes)[number]

/** What crosses a border: words for a person and a code for programs, never a stack. */
export const wireErrorSchema = z.object({
  code: z.enum(errorCodes),
  /** What happened, in one plain sentence. */
  message: z.string(),
  /** What was kept, or that nothing was lost. */
  kept: z.string().optional(),
  /** The next thing the person can do. */
  remedy: z.string().optional(),
  /** Of a training that broke: what was noticed until then. */
  checks: z.array(trainingCheckSchema).optional(),
})
export type WireError = z.infer<typeof wireErrorSchema>

export interface KestrelErrorOptions {
  kept?: string
  remedy?: string
  checks?: TrainingCheck[]
  cause?: unknown
}

/** The one error class of the house; anything else that reaches a border becomes `internal`. */
export class KestrelError extends Error {
  readonly code: ErrorCode
  readonly kept: string | undefined
  readonly remedy: string | undefined
  readonly checks: TrainingCheck[] | undefined

  constructor(code: ErrorCode, message: string, options: KestrelErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = 'KestrelError'
    this.code = code
    this.kept = options.kept
    this.remedy = options.remedy
    this.checks = options.checks
  }
}

const systemErrorCode = (error: unknown): string | undefined =>
  error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined

/** Gives every thrown value a code and words. Known system errors get their own; the rest is `internal`. */
export function toKestrelError(error: unknown): KestrelError {
  if (error instanceof KestrelError) return error
  switch (systemErrorCode(error)) {
    case 'ENOSPC':
      return new KestrelError('disk-full', 'The disk is full.', {
        kept: 'Everything saved before this is kept.',
        remedy: 'Free some space and try again.',
        cause: error,
      })
    case 'EACCES':
    case 'EPERM':
      return new KestrelError(
        'file-unreadable',
        'This computer does not allow Kestrel to open that file or folder.',
        {
          remedy: 'Check the permissions of the folder, or choose another one.',
          cause: error,
        },
      )
    case 'ENOENT':
      return new KestrelError('file-missing', 'The file or folder is no longer there.', { cause: error })
    default:
      return new KestrelError('internal', 'Something went wrong inside Kestrel.', {
        kept: 'Your pictures and labels are safe.',
        remedy: 'Try again. If it happens again, save diagnostics from Settings.',
        cause: error,
      })
  }
}

export function toWire(error: unknown): WireError {
  const known = toKestrelError(error)
  return {
    code: known.code,
    message: known.message,
    ...(known.kept === undefined ? {} : { kept: known.kept }),
    ...(known.remedy === undefined ? {} : { remedy: known.remedy }),
    ...(known.checks === undefined ? {} : { checks: known.checks }),
  }
}

export function fromWire(wire: WireError): KestrelError {
  const { code, message, kept, remedy, checks } = wire
  return new KestrelError(code, message, { kept, remedy, checks })
}

/** Before the wire error in a plain message: all that survives the bridge between preload script and page. */
export const bridgeMark = 'kestrel-error:'

/** Takes a worded error out of a message again; null when it carries none. */
export function fromBridge(error: unknown): KestrelError | null {
  if (!(error instanceof Error)) return null
  const at = error.message.indexOf(bridgeMark)
  if (at < 0) return null
  try {
    const wire = wireErrorSchema.safeParse(JSON.parse(error.message.slice(at + bridgeMark.length)))
    return wire.success ? fromWire(wire.data) : null
  } catch (problem) {
    if (problem instanceof SyntaxError) return null
    throw problem
  }
}
