/** One measured figure of `npm run bench`. */
export interface BenchResult {
  /** Heading it stands under in docs/benchmarks.md: 'Import', 'Features', 'Command line', 'Accuracy' …; the file's name when left out */
  group?: string
  name: string
  value: number
  /** 'img/s', 's', 'ms', 'MB', '' for shares and ratios … */
  unit: string
  /** What the figure must reach; left out for figures that are only written down. */
  target?: { atLeast?: number; atMost?: number }
  /** What it is held against, measured in the same run: bare sharp, Keras, … */
  reference?: { name: string; value: number; unit: string }
  /** How it was measured: files, sizes, settings. */
  note?: string
}

/** What a bench may use. Paths are absolute. */
export interface BenchContext {
  /** Real data, see tests/helpers/shared.ts; `null` when the files are not there (the bench then says what it needs). */
  shared(relative: string): string | null
  /** An empty folder of its own, removed afterwards. */
  temporary(): Promise<string>
  /** Tells the person how far it is (stderr). */
  say(line: string): void
}

/** Every `tests/bench/*.bench.ts` exports this as `run`. An empty list: what it needs is not there. */
export type Bench = (context: BenchContext) => Promise<BenchResult[]>
