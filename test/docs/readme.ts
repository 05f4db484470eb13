/** The part of README.md that is made from the rules. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { RULES } from '../../src/rules/index.ts'

export const README = 'README.md'

const BEGIN = '<!-- rules: made by npm run docs -->'
const END = '<!-- /rules -->'

export function readme(): string {
  const text = readFileSync(join(import.meta.dirname, '../..', README), 'utf8')
  const [before = '', rest = ''] = text.split(BEGIN)
  const [, after = ''] = rest.split(END)
  if (after === '') throw new Error(`${README} has no ${BEGIN} with a ${END} behind it`)
  const rows = RULES.map(({ id, summary }) => [`[\`${id}\`](docs/rules/${id}.md)`, summary] as const)
  return `${before}${BEGIN}\n\n${aligned([['rule', 'finds'], ...rows])}\n${END}${after}`
}

/** A table as the formatter leaves it. */
function aligned([head, ...rows]: readonly (readonly [string, string])[]): string {
  const widths = [0, 1].map((at) => Math.max(...[head, ...rows].map((cells) => cells?.[at]?.length ?? 0)))
  const line = (cells: readonly string[] = []) => `| ${cells.map((cell, at) => cell.padEnd(widths[at] ?? 0)).join(' | ')} |\n`
  return [line(head), line(widths.map((width) => '-'.repeat(width))), ...rows.map(line)].join('')
}
