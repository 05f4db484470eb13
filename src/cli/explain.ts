/** `hitless explain`: a rule's page, from the rule itself. */
import { HitlessError } from '../errors.ts'
import { nearest } from '../nearest.ts'
import { RULES } from '../rules/index.ts'
import type { Rule } from '../rules/rule.ts'

/** The page of one rule, or the list of all. Throws HITLESS_UNKNOWN_RULE. */
export function explain(id: string | undefined): string {
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

function page({ id, summary, description, remedy, on, reads }: Rule): string {
  return `${id}: ${summary}\n\n${description}\n\nWhat to do: ${remedy}\nJudged on writes of: ${on.join(', ')}\nReads: ${reads.join(', ')}\n`
}
