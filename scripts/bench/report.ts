import type { BenchResult } from '../../tests/bench/types.ts'

/** What one file measured, as it is kept between runs (docs/benchmarks.json). */
export interface BenchRecord {
  file: string
  /** ISO date of the measurement. */
  at: string
  machine: string
  /** Average load of the minute before it began, divided by cores; over 0.5 other work disturbed it. */
  load: number
  results: BenchResult[]
}

/** The figures as a page: one table per group, target and ratio beside each value. */
export function benchmarkPage(records: readonly BenchRecord[]): string {
  const groups = new Map<string, { record: BenchRecord; result: BenchResult }[]>()
  for (const record of records)
    for (const result of record.results) {
      const group = result.group ?? record.file.replace(/\.bench\.ts$/, '')
      groups.set(group, [...(groups.get(group) ?? []), { record, result }])
    }
  const sections = [...groups].map(([group, rows]) => {
    const lines = rows.map(({ result }) =>
      [
        result.name,
        `**${figure(result.value, result.unit)}**`,
        targetText(result),
        verdict(result),
        besideText(result),
        result.note ?? '',
      ]
        .map((cell) => cell.replaceAll('|', '\\|'))
        .join(' | '),
    )
    const measured = new Set(rows.map(({ record }) => measuredText(record)))
    return [
      `## ${group}`,
      '',
      ...[...measured].map((text) => `Measured ${text}.`),
      '',
      '| what | figure | target | reached | beside it | how |',
      '|---|---|---|---|---|---|',
      ...lines.map((line) => `| ${line} |`),
    ].join('\n')
  })
  return [
    '# Benchmarks',
    '',
    'Written by `npm run bench` (`npm run bench -- NAME` measures the files whose name contains NAME). Figures beside each',
    'other were measured in one run on the same machine. Do not edit by hand.',
    '',
    ...sections.flatMap((section) => [section, '']),
  ].join('\n')
}

const measuredText = ({ at, machine, load }: BenchRecord): string =>
  `${at.slice(0, 10)} on ${machine}${load > 0.5 ? `, while other work kept it busy (load ${load.toFixed(1)} per core)` : ''}`

/** Whether a target is met; true without one. */
export function reached({ value, target }: BenchResult): boolean {
  return value >= (target?.atLeast ?? -Infinity) && value <= (target?.atMost ?? Infinity)
}

const verdict = (result: BenchResult): string => (result.target ? (reached(result) ? 'yes' : 'NO') : '')

function targetText({ target, unit }: BenchResult): string {
  const parts: string[] = []
  if (target?.atLeast !== undefined) parts.push(`≥ ${figure(target.atLeast, unit)}`)
  if (target?.atMost !== undefined) parts.push(`≤ ${figure(target.atMost, unit)}`)
  return parts.join(', ')
}

function besideText({ value, unit, reference }: BenchResult): string {
  if (!reference) return ''
  const words = `${reference.name}: ${figure(reference.value, reference.unit)}`
  // A ratio beside the rate it was taken from is a ratio already.
  const comparable = reference.unit === unit && reference.value > 0
  return comparable ? `${words} (× ${(value / reference.value).toFixed(2)})` : words
}

/** Three significant digits, never an exponent. */
function figure(value: number, unit: string): string {
  const digits = value === 0 ? 0 : Math.max(0, 2 - Math.floor(Math.log10(Math.abs(value))))
  return `${value.toFixed(Math.min(digits, 6))}${unit === '' ? '' : ` ${unit}`}`
}
