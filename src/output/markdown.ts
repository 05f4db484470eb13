/** The report of a change for a pull request: what it does to whose requests first, all else folded. */
import type { Shift, Shifts, Way } from '../review/shares.ts'
import type { Reported } from './reported.ts'
import { formatContext } from './route-table.ts'
import { oneLine } from './text.ts'

/** More rows are folded: a usual pull request fits a screen. */
const MOST_ROWS = 12
/** A comment holds 65,536 characters. */
const MOST_FOLDED = 100

export interface ChangeReport extends Shifts {
  readonly writes: number
  readonly denied: number
  readonly warned: number
  readonly findings: readonly Reported[]
  /** What could not be judged. */
  readonly unknown: readonly string[]
  /** The lines of a plan, where the change cannot be made in one go; empty where it can or none was made. */
  readonly plan: readonly string[]
}

export function markdown(report: ChangeReport): string {
  const { writes, denied, warned, findings, shifts, notCompared, unknown, plan } = report
  const refused = findings.filter(({ severity }) => severity === 'deny')
  const warnings = findings.filter(({ severity }) => severity !== 'deny')
  const parts = [
    `### hitless: ${denied === 0 ? 'nothing would be denied' : `${denied} of ${counted(writes, 'write')} would be denied`}`,
    ...listed(refused.map(told)),
    ...table(shifts.slice(0, MOST_ROWS)),
    ...(shifts.length === 0 ? ['No request is answered otherwise than before.'] : []),
    ...folded(`${shifts.length - MOST_ROWS} more rows`, table(shifts.slice(MOST_ROWS, MOST_ROWS + MOST_FOLDED))),
    ...folded(counted(warnings.length, 'warning'), listed(warnings.slice(0, MOST_FOLDED).map(told))),
    ...folded('Not judged', listed([...unknown, ...notCompared].slice(0, MOST_FOLDED).map(code))),
    ...folded('An order in which it can be made', plan.length === 0 ? [] : [['```text', ...plan.map(fenced), '```'].join('\n')]),
    `<sub>${counted(writes, 'write')}, ${warned} with warnings</sub>`
  ]
  return `${parts.join('\n\n')}\n`
}

function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? '' : 's'}`
}

function table(shifts: readonly Shift[]): string[] {
  if (shifts.length === 0) return []
  const rows = shifts.map(({ what, host, port, context, example, before, after }) =>
    [
      what === 'lost' ? '**lost**' : what,
      code(`${host}:${port}`),
      code(formatContext(context)),
      code(example),
      way(before),
      way(after)
    ].join(' | ')
  )
  return [
    ['| | host | from | for example | before | after |', '| --- | --- | --- | --- | --- | --- |', ...rows.map((row) => `| ${row} |`)].join(
      '\n'
    )
  ]
}

function way({ status, unserved, destinations }: Way): string {
  const shares = destinations.map(({ host, subset, share }) => `${Math.round(share * 1000) / 10}% ${subset ?? host}`)
  const lost = unserved !== null && unserved > 0 ? [`${Math.round(unserved * 1000) / 10}% get ${status}`] : []
  const all = [...shares, ...lost]
  return code(all.length === 0 ? String(status) : all.join(', '))
}

function told({ rule, text, object, place }: Reported): string {
  const where = place === null ? object : `${place.file}:${place.line}`
  return `${code(where)} **${rule}**: ${prose(text)}`
}

function listed(lines: readonly string[]): string[] {
  return lines.length === 0 ? [] : [lines.map((line) => `- ${line}`).join('\n')]
}

function folded(summary: string, parts: readonly string[]): string[] {
  return parts.length === 0 ? [] : [[`<details><summary>${summary}</summary>`, ...parts, '</details>'].join('\n\n')]
}

/** Within a table too; a code span knows no escape for its own mark. */
function code(text: string): string {
  return `\`${oneLine(text).replaceAll('`', "'").replaceAll('|', '\\|')}\``
}

/** Text of others: no mark-up, no link, and nobody is mentioned by it. */
function prose(text: string): string {
  const plain = oneLine(text)
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll(/[\\`*_{}[\]()~|!#+>-]/g, '\\$&')
  return plain
    .replaceAll('@', '@<!-- -->')
    .replaceAll('://', ':<!-- -->//')
    .replaceAll(/\bwww\./gi, '$&<!-- -->')
}

function fenced(text: string): string {
  return oneLine(text).replaceAll('```', "'''")
}
