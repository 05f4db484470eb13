/** What was measured, against what, and the bar it must meet; as a table and as JSON. */
import { cpus } from 'node:os'

export type Unit = 'µs' | 'ms' | 's' | 'MB' | 'KB' | '/s' | '%' | '×'

export interface Row {
  readonly what: string
  readonly measured: number
  readonly unit: Unit
  /** Measured in the same run, by the same means. */
  readonly baseline?: { readonly what: string; readonly measured: number }
  readonly bar?: Bar
}

/** `of: 'ratio'` is measured / baseline. */
export interface Bar {
  readonly of: 'ratio' | 'measured'
  readonly most?: number
  readonly least?: number
}

export interface Part {
  readonly name: string
  readonly seconds: number
  readonly rows: readonly Row[]
}

export interface Report {
  readonly atMs: number
  readonly machine: { readonly cpu: string; readonly cores: number; readonly node: string }
  readonly parts: readonly Part[]
}

export function reportOf(parts: readonly Part[], atMs: number): Report {
  const cores = cpus()
  return { atMs, machine: { cpu: cores[0]?.model ?? '', cores: cores.length, node: process.version }, parts }
}

export function ratioOf({ measured, baseline }: Row): number | null {
  return baseline === undefined || baseline.measured === 0 ? null : measured / baseline.measured
}

/** null where there is no bar. */
export function meets(row: Row): boolean | null {
  if (row.bar === undefined) return null
  const value = row.bar.of === 'ratio' ? ratioOf(row) : row.measured
  return value !== null && value <= (row.bar.most ?? Infinity) && value >= (row.bar.least ?? 0)
}

/** A table in Markdown: one line a row, parts under each other. */
export function table({ parts, machine }: Report): string {
  const head = ['measured', 'value', 'against', 'ratio', 'bar', '']
  const lines = parts.flatMap(({ name, rows }) => rows.map((row) => cellsOf(name, row)))
  const widths = head.map((title, at) => Math.max(...[head, ...lines].map((cells) => (cells[at] ?? title).length)))
  const line = (cells: readonly string[]) => `| ${cells.map((cell, at) => cell.padEnd(widths[at] ?? 0)).join(' | ')} |`
  return [
    `${machine.cpu}, ${machine.cores} cores, Node ${machine.node}`,
    '',
    line(head),
    line(widths.map((width) => '-'.repeat(width))),
    ...lines.map(line),
    ''
  ].join('\n')
}

function cellsOf(part: string, row: Row): string[] {
  const { what, measured, unit, baseline, bar } = row
  const ratio = ratioOf(row)
  const limit = bar === undefined ? '' : bar.most !== undefined ? `≤ ${bar.most}` : `≥ ${bar.least}`
  const met = meets(row)
  return [
    `${part}: ${what}`,
    `${digits(measured)} ${unit}`,
    baseline === undefined ? '' : `${baseline.what} ${digits(baseline.measured)} ${unit}`,
    ratio === null ? '' : ratio.toFixed(2),
    bar === undefined ? '' : bar.of === 'ratio' ? `${limit} ×` : `${limit} ${unit}`,
    met === null ? '' : met ? 'met' : 'missed'
  ]
}

function digits(value: number): string {
  return value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2)
}

/** The value below which a share of the values is. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((one, other) => one - other)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0
}
