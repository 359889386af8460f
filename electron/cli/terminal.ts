import type { Job } from '#shared/jobs/job.ts'
import { toWire } from '#shared/errors/index.ts'
import type { WireError } from '#shared/errors/index.ts'
import { withoutWindow } from './window-words.ts'

/** What a command may say. stdout carries the answer alone; everything else goes to stderr. */
export interface Terminal {
  /** Whether the answer is one JSON document. */
  readonly json: boolean
  /** A line for the person, on stderr. */
  say(line: string): void
  /** The answer for a person, on stdout; nothing with --json. */
  print(text: string): void
  /** The answer for a program; nothing without --json. Called at most once. */
  answer(document: unknown): void
  /** Whether it was given: an error after it is said in words only. */
  readonly answered: boolean
  /** How far the work is: a bar that is drawn over on a terminal, one line per stage elsewhere. */
  progress(view: ProgressView): void
  /** Takes the bar away. */
  clear(): void
}

export interface ProgressView {
  stage: string
  done: number
  total: number | null
  /** Units per second. */
  rate: number | null
  etaSeconds: number | null
}

export interface TerminalStreams {
  stdout: NodeJS.WritableStream
  stderr: NodeJS.WritableStream & { isTTY?: boolean; columns?: number }
}

const stageWords: Record<string, string> = {
  waiting: 'Waiting',
  scanning: 'Looking through folders',
  unpacking: 'Unpacking',
  reading: 'Reading pictures',
  features: 'Computing features',
  fitting: 'Training',
  evaluating: 'Evaluating',
  writing: 'Writing the model',
  proving: 'Proving the export',
  predicting: 'Predicting',
  sorting: 'Copying into folders',
  downloading: 'Downloading',
  preparing: 'Preparing',
  converting: 'Preparing the backbone',
}

export function createTerminal(
  json: boolean,
  { stdout, stderr }: TerminalStreams = { stdout: process.stdout, stderr: process.stderr },
): Terminal {
  const live = stderr.isTTY === true
  let drawn = false
  let lastStage = ''
  let answered = false
  const clear = (): void => {
    if (drawn) stderr.write('\r\u001b[K')
    drawn = false
  }
  return {
    json,
    clear,
    say(line) {
      clear()
      stderr.write(`${line}\n`)
    },
    print(text) {
      clear()
      if (!json) stdout.write(`${text}\n`)
    },
    get answered() {
      return answered
    },
    answer(document) {
      clear()
      if (!json) return
      if (answered) throw new Error('a command answers once')
      answered = true
      stdout.write(`${JSON.stringify(document, null, 2)}\n`)
    },
    progress(view) {
      const words = stageWords[view.stage] ?? view.stage
      if (live) {
        stderr.write(`\r${bar(words, view, stderr.columns ?? 80)}\u001b[K`)
        drawn = true
      } else if (view.stage !== lastStage && view.stage !== 'waiting') {
        stderr.write(`${words} …\n`)
      }
      lastStage = view.stage
    },
  }
}

const BAR_WIDTH = 24
const count = new Intl.NumberFormat('en')

/** One line, never wider than the terminal. */
export function bar(words: string, view: ProgressView, columns: number): string {
  const { done, total, rate, etaSeconds } = view
  const parts = [words]
  if (total !== null && total > 0) {
    const full = Math.round(BAR_WIDTH * Math.min(1, done / total))
    parts.push(
      `${'━'.repeat(full)}${'─'.repeat(BAR_WIDTH - full)} ${count.format(done)} of ${count.format(total)}`,
    )
  } else if (done > 0) parts.push(count.format(done))
  if (rate !== null && rate > 0)
    parts.push(`${count.format(rate >= 10 ? Math.round(rate) : Number(rate.toFixed(1)))}/s`)
  if (etaSeconds !== null) parts.push(`${duration(etaSeconds)} left`)
  return parts.join('  ').slice(0, Math.max(10, columns - 1))
}

/** "8 s", "3 min", "2 h 5 min". */
export function duration(seconds: number): string {
  if (seconds < 90) return `${Math.max(1, Math.round(seconds))} s`
  const minutes = Math.round(seconds / 60)
  return minutes < 60 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`
}

export const viewOfJob = ({ stage, done, total, rate, etaSeconds }: Job): ProgressView => ({
  stage,
  done,
  total,
  rate,
  etaSeconds,
})

/** What happened, what was kept, what to do: one paragraph on stderr. */
export function wordsOfError(error: unknown): { wire: WireError; text: string } {
  const { code, message, kept, remedy } = toWire(error)
  const wire: WireError = {
    ...{ code, message: withoutWindow(message) },
    ...(kept !== undefined && { kept: withoutWindow(kept) }),
    ...(remedy !== undefined && { remedy: withoutWindow(remedy) }),
  }
  return { wire, text: [wire.message, wire.kept, wire.remedy].filter(Boolean).join(' ') }
}
