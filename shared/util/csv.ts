/** A spreadsheet takes a cell that begins with one of these for a formula (OWASP, "CSV Injection"). */
const formulaStart = /^[=+\-@\t\r\n]/

/**
 * Rows as CSV (RFC 4180: comma, double quotes, CRLF). Texts that a spreadsheet would run as a formula get an apostrophe
 * in front; numbers stay numbers. Begins with a byte-order mark, without which Excel misreads accents.
 */
export function toCsv(rows: readonly (readonly (string | number | null)[])[]): string {
  return `\uFEFF${rows.map((row) => `${row.map(cell).join(',')}\r\n`).join('')}`
}

function cell(value: string | number | null): string {
  if (value === null) return ''
  if (typeof value === 'number') return String(value)
  const safe = formulaStart.test(value) ? `'${value}` : value
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe
}
