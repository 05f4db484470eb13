/** Rules of what opens no gap today: they look at the write and what stands around it. */

import type { Kind } from '../kinds/index.ts'
import type { Draft, Rule, RulePage, Statement, Subject } from './rule.ts'

interface HygieneRule<K extends Kind> extends RulePage<K> {
  /** `warn` where a draft does not say. */
  readonly find: (subject: Subject<K>) => readonly Draft[]
}

export function hygieneRule<K extends Kind>({ find, ...page }: HygieneRule<K>): Rule<K> {
  return { ...page, check: (subject) => find(subject).map((found) => hygiene(subject, found)) }
}

export function hygiene({ written }: Subject, found: Draft): Statement {
  return { severity: 'warn', object: written, ...found, gap: null }
}
