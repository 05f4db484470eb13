import type { HttpMatch, HttpRoute } from '../kinds/http-rule.ts'
import type { VirtualService } from '../kinds/virtual-service.ts'
import { formatPath } from '../mesh/names/path.ts'
import { Conditions } from '../mesh/requests/conditions.ts'
import { covers } from '../mesh/routing/covers.ts'
import { EVERY_REQUEST } from '../mesh/routing/table.ts'
import type { Rule } from './rule.ts'

export const unreachableRoute: Rule = {
  id: 'unreachable-route',
  on: ['VirtualService'],
  summary: 'an earlier rule takes every request of this one',
  description:
    'Envoy takes the first route that matches. A rule behind a catch-all, or behind one that covers its conditions, never gets a request.',
  remedy: 'Move the more specific rule before the wider one, or delete it.',
  reads: ['VirtualService'],
  check: ({ after, before, nameOf, snapshotAfter }) => {
    if (after?.kind !== 'VirtualService') return []
    const charge = (steps: number) => snapshotAfter.charge(steps)
    const known = before?.kind === 'VirtualService' ? new Set(shadowed(before, charge).map(({ rule }) => textOf(rule))) : new Set()
    return shadowed(after, charge)
      .filter(({ rule }) => !known.has(textOf(rule)))
      .map(({ rule, by }) => ({
        severity: 'warn',
        object: { kind: 'VirtualService', namespace: after.namespace, name: after.name },
        path: rule.path,
        message: `${formatPath(rule.path.slice(1))} of ${nameOf(after)} gets no request: ${formatPath(by.path.slice(1))} takes them all`,
        remedy: 'Move it before the wider rule, or delete it',
        gap: null
      }))
  }
}

/** The rules of which an earlier rule takes every match; it must ask nothing of client or port that they do not ask as well. */
function shadowed({ http }: VirtualService, charge: (steps: number) => void): { rule: HttpRoute; by: HttpRoute }[] {
  // What a delegate takes is not written here, so a rule that delegates hides nothing.
  const wide = http.flatMap((rule, at) => (rule.delegate === null ? entriesOf(rule).map((entry) => ({ ...entry, rule, at })) : []))
  const conditions = new Conditions(wide, ({ match }) => match)
  return http.flatMap((rule, at) => {
    const takers = entriesOf(rule).map((entry) => {
      const found = [...conditions.mayCover(entry.match, charge)].filter((wider) => wider.at < at && takes(wider, entry))
      return new Set(found.map((wider) => wider.rule))
    })
    const [first = new Set<HttpRoute>(), ...others] = takers
    const by = [...first].find((wider) => others.every((other) => other.has(wider)))
    return by === undefined ? [] : [{ rule, by }]
  })
}

interface Entry {
  readonly match: HttpMatch
  readonly source: string
}

function takes(wider: Entry, { match, source }: Entry): boolean {
  if (wider.source !== FROM_ANYWHERE && wider.source !== source) return false
  return covers(wider.match, match) && !hasExclusion(wider.match)
}

/** A rule without match takes everything. */
function entriesOf({ match }: HttpRoute): Entry[] {
  return (match.length === 0 ? [NO_SOURCE] : match).map((each) => ({ match: each, source: sourceOf(each) }))
}

function sourceOf({ port, gateways, sourceLabels, sourceNamespace }: HttpMatch): string {
  return JSON.stringify([port, gateways, sourceLabels, sourceNamespace])
}

function hasExclusion(match: HttpMatch): boolean {
  return Object.keys(match.withoutHeaders).length > 0
}

function textOf(rule: HttpRoute): string {
  return JSON.stringify({ ...rule, path: [] })
}

const NO_SOURCE: HttpMatch = { ...EVERY_REQUEST, path: [], port: null, gateways: [], sourceLabels: {}, sourceNamespace: '' }
const FROM_ANYWHERE = sourceOf(NO_SOURCE)
