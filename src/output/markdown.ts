/** Reports for a pull request. Of a change: what it does to whose requests first, all else folded. Of a state: what goes unanswered first. */
import type { Shift, Shifts, Way } from '../review/shares.ts'
import { isDenial, type Reported } from './reported.ts'
import { formatContext } from './route-table.ts'
import { counted, oneLine } from './text.ts'

/** Shown in full; more are folded. A usual pull request fits a screen. */
const MOST_SHOWN = 12
const LONGEST_CONTEXT = 60
/** Shown when unfolded; of the rest there is a number. */
const MOST_FOLDED = 100
/** A comment on GitHub holds 65,536 characters; one on GitLab more. What is left of it is for whoever posts it. */
const MOST_CHARACTERS = 60_000

export interface ChangeReport extends Shifts {
  readonly writes: number
  readonly denied: number
  readonly warned: number
  readonly findings: readonly Reported[]
  /** What could not be judged. */
  readonly unknown: readonly string[]
  /** Where something is refused, how the same change can be made, or what is in the way; null where none was made. */
  readonly plan: { readonly isSafe: boolean; readonly lines: readonly string[] } | null
}

/** At most `MOST_CHARACTERS`: a part that would be too much is left out, and named. */
export function markdown(report: ChangeReport): string {
  const { writes, denied, warned, findings, shifts, notCompared, unknown, plan } = report
  const { worst, warnings } = parted(findings, 'more refusals')
  const steps = plan === null ? [] : [['```text', ...plan.lines.map(fenced), '```'].join('\n')]
  const parts = [
    `### hitless: ${denied === 0 ? 'nothing would be denied' : `${denied} of ${counted(writes, 'write')} would be denied`}`,
    ...worst,
    ...table(shifts.slice(0, MOST_SHOWN)),
    ...(shifts.length === 0 ? ['No request is answered otherwise than before.'] : []),
    ...folded(`${shifts.length - MOST_SHOWN} more rows`, table(shifts.slice(MOST_SHOWN, MOST_SHOWN + MOST_FOLDED))),
    ...folded(plan?.isSafe === false ? 'No order in which it can be made: what is in the way' : 'An order in which it can be made', steps),
    ...warnings,
    ...notJudged([...unknown, ...notCompared])
  ]
  return `${[...fitting(parts), `<sub>${counted(writes, 'write')}, ${warned} with warnings</sub>`].join('\n\n')}\n`
}

export interface StateReport {
  /** What was found, in a few words. */
  readonly answer: string
  readonly findings: readonly Reported[]
  /** What could not be judged. */
  readonly unknown: readonly string[]
}

/** As long as `markdown` at most. */
export function stateMarkdown({ answer, findings, unknown }: StateReport): string {
  const { worst, warnings } = parted(findings, 'more')
  return `${fitting([`### hitless: ${answer}`, ...worst, ...warnings, ...notJudged(unknown)]).join('\n\n')}\n`
}

/** What is refused, or would be: shown as far as a screen has room. Warnings are folded. */
function parted(findings: readonly Reported[], more: string): { worst: string[]; warnings: string[] } {
  const worst = findings.filter(isDenial).map(told)
  const warnings = findings.filter((finding) => !isDenial(finding)).map(told)
  return {
    worst: [
      ...listed(worst.slice(0, MOST_SHOWN)),
      ...folded(`${worst.length - MOST_SHOWN} ${more}`, listed(worst.slice(MOST_SHOWN, MOST_SHOWN + MOST_FOLDED)))
    ],
    warnings: folded(counted(warnings.length, 'warning'), listed(warnings.slice(0, MOST_FOLDED)))
  }
}

function notJudged(what: readonly string[]): string[] {
  return folded('Not judged', listed(what.slice(0, MOST_FOLDED).map(code)))
}

function fitting(parts: readonly string[]): string[] {
  let left = MOST_CHARACTERS
  const kept = parts.filter((part) => {
    left -= part.length + 2
    return left >= 0
  })
  return kept.length === parts.length
    ? kept
    : [...kept, 'More is not shown here: it is longer than a comment may be. `-o json` has all of it.']
}

function table(shifts: readonly Shift[]): string[] {
  if (shifts.length === 0) return []
  const rows = shifts.map(({ what, host, port, context, example, before, after }) =>
    [
      what === 'lost' ? '**lost**' : what,
      code(`${host}:${port}`),
      code(shortened(formatContext(context))),
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

/** A gateway's Pods have more labels than a table has room for. */
function shortened(text: string): string {
  return text.length <= LONGEST_CONTEXT ? text : `${text.slice(0, LONGEST_CONTEXT)}…`
}

function way({ status, unserved, destinations }: Way): string {
  const shares = destinations.map(({ host, subset, share }) => `${Math.round(share * 1000) / 10}% ${subset ?? host}`)
  const what = typeof status === 'number' ? `get ${status}` : status
  const lost = unserved !== null && unserved > 0 ? [`${Math.round(unserved * 1000) / 10}% ${what}`] : []
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
