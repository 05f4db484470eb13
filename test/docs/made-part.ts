/** A part of a page that is made from the sources, between two marks: the rest is written by hand. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

/** The page as it is, but for the part of this name. Throws where the page has no marks for it. */
export function withPart(page: string, name: string, made: string): string {
  const [begin, end] = [`<!-- ${name}: made by npm run docs -->`, `<!-- /${name} -->`]
  const text = readFileSync(join(import.meta.dirname, '../..', page), 'utf8')
  const [before = '', rest = ''] = text.split(begin)
  const [, after = ''] = rest.split(end)
  if (after === '') throw new Error(`${page} has no ${begin} with a ${end} and a line behind it`)
  return `${before}${begin}\n\n${made}\n${end}${after}`
}

/** A table as the formatter leaves it. */
export function aligned(rows: readonly [head: readonly string[], ...rows: readonly (readonly string[])[]]): string {
  const [head, ...body] = rows
  const widths = head.map((_, at) => Math.max(...rows.map((cells) => cells[at]?.length ?? 0)))
  const line = (cells: readonly string[]) => `| ${cells.map((cell, at) => cell.padEnd(widths[at] ?? 0)).join(' | ')} |\n`
  return [line(head), line(widths.map((width) => '-'.repeat(width))), ...body.map(line)].join('')
}
