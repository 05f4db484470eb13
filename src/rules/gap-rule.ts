/** Rules that give the gaps of a write their cause and their remedy. */

import { type Kind, refKey } from '../kinds/index.ts'
import type { Cause, Gap } from '../mesh/gaps/gaps.ts'
import { hygiene } from './hygiene-rule.ts'
import type { Draft, Rule, RulePage, Severity, Statement, Subject } from './rule.ts'
import { loss, worst } from './wording.ts'

interface GapRule<K extends Kind> extends RulePage<K> {
  /** The gaps that it explains: all that the write opens, where it does not say. */
  readonly explains?: (subject: Subject<K>) => readonly Gap[]
  /** Gaps that agree in it are one finding: in route, destination and cause, where it does not say. */
  readonly groupBy?: (gap: Gap, subject: Subject<K>) => string
  /** Of the worst gap of a group: `deny` where it does not say, unless the gap has an excuse. */
  readonly explain: (gap: Gap, subject: Subject<K>) => Draft
  /** What no gap shows. */
  readonly besides?: (subject: Subject<K>) => readonly Draft[]
}

export function gapRule<K extends Kind>(rule: GapRule<K>): Rule<K> {
  const { explains = ({ opened }) => opened, groupBy = byRoute, explain, besides = () => [], ...page } = rule
  return {
    ...page,
    check: (subject) => {
      const groups = [...Map.groupBy(explains(subject), (gap) => groupBy(gap, subject))].sort(([one], [other]) => (one < other ? -1 : 1))
      const explained = groups.flatMap(([, gaps]) => statement(subject, gaps, explain))
      return [...besides(subject).map((found) => hygiene(subject, found)), ...explained]
    }
  }
}

/** About the worst of them, with how many more there are. */
function statement<K extends Kind>(subject: Subject<K>, gaps: readonly Gap[], explain: GapRule<K>['explain']): Statement[] {
  const gap = worst(gaps)
  if (gap === undefined) return []
  const explanation = explain(gap, subject)
  const more = new Set(gaps.map(loss)).size - 1
  const message = more === 0 ? explanation.message : `${explanation.message} (and ${more} more such ${more === 1 ? 'gap' : 'gaps'})`
  return [{ severity: severityOf(subject, gap), object: subject.written, ...explanation, message, gap }]
}

/** A gap that has an excuse is told, and refuses nothing. */
export function severityOf({ excuseOf }: Subject, gap: Gap): Severity {
  return excuseOf(gap) === null ? 'deny' : 'warn'
}

/** Gaps of one destination in one route are one finding, whoever sees them. */
export function byRoute(gap: Gap): string {
  const { destination } = gap
  return JSON.stringify([gap.source === null ? null : refKey(gap.source), gap.path, destination?.host, destination?.subset, gap.cause])
}

/** Where nothing was answered before, as at a first install, a gap is told, and refuses nothing. */
export function severityOfGrown(subject: Subject, gap: Gap): Severity {
  return subject.isOpened(gap) ? severityOf(subject, gap) : 'warn'
}

/** The gaps of these causes that the write makes larger, where nothing was answered before too. */
export function grown({ gaps }: Subject, causes: readonly Cause[]): Gap[] {
  return gaps.filter(({ cause, share, shareBefore }) => causes.includes(cause) && share > shareBefore)
}
