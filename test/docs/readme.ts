/** The part of README.md that is made from the rules. */
import { RULES } from '../../src/rules/index.ts'
import { withPart } from './made-part.ts'

export const README = 'README.md'

export function readme(): string {
  const rows = RULES.map(({ id, summary }) => [`[\`${id}\`](docs/rules/${id}.md)`, summary] as const)
  return withPart(README, 'rules', aligned([['rule', 'finds'], ...rows]))
}

/** A table as the formatter leaves it. */
function aligned([head, ...rows]: readonly (readonly [string, string])[]): string {
  const widths = [0, 1].map((at) => Math.max(...[head, ...rows].map((cells) => cells?.[at]?.length ?? 0)))
  const line = (cells: readonly string[] = []) => `| ${cells.map((cell, at) => cell.padEnd(widths[at] ?? 0)).join(' | ')} |\n`
  return [line(head), line(widths.map((width) => '-'.repeat(width))), ...rows.map(line)].join('')
}
