/** The part of README.md that is made from the rules. */
import { RULES } from '../../src/rules/index.ts'
import { aligned, withPart } from './made-part.ts'

export const README = 'README.md'

export function readme(): string {
  const rows = RULES.map(({ id, summary }) => [`[\`${id}\`](docs/rules/${id}.md)`, summary] as const)
  return withPart(README, 'rules', aligned([['rule', 'finds'], ...rows]))
}
