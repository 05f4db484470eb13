/** `hitless explain`: a rule's page, from the rule itself. */
import { Command } from 'commander'
import { HitlessError } from '../errors.ts'
import { writtenKind } from '../kinds/index.ts'
import { nearest } from '../nearest.ts'
import { printText } from '../output/io.ts'
import { RULES } from '../rules/index.ts'
import type { Rule } from '../rules/rule.ts'
import { type Cli, examples } from './command.ts'

export function explainCommand({ io }: Cli): Command {
  return new Command('explain')
    .description('the page of a rule, or the list of all')
    .argument('[rule]')
    .addHelpText('after', examples('hitless explain', 'hitless explain undefined-subset'))
    .action((rule: string | undefined) => {
      printText(explain(rule), io)
    })
}

/** The page of one rule, or the list of all. Throws HITLESS_UNKNOWN_RULE. */
function explain(id: string | undefined): string {
  if (id === undefined) return RULES.map((rule) => `${rule.id.padEnd(22)}${rule.summary}\n`).join('')
  const rule = RULES.find((each) => each.id === id)
  if (rule !== undefined) return page(rule)
  const meant = nearest(
    id,
    RULES.map((each) => each.id)
  )
  throw new HitlessError(
    'HITLESS_UNKNOWN_RULE',
    `there is no rule ${id}; ${meant === null ? '`hitless explain` lists all' : `did you mean ${meant}?`}`
  )
}

function page({ id, summary, description, remedy, on }: Rule): string {
  return `${id}: ${summary}\n\n${description}\n\nWhat to do: ${remedy}\nJudged on writes of: ${on.map(writtenKind).join(', ')}\n`
}
