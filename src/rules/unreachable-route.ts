import { emptyMatch, type HttpMatch, type HttpRoute } from '../kinds/http-rule.ts'
import { isSameRef, type ObjectRef } from '../kinds/index.ts'
import type { VirtualService } from '../kinds/virtual-service.ts'
import { formatPath } from '../mesh/names/path.ts'
import { Conditions } from '../mesh/requests/conditions.ts'
import { covers } from '../mesh/routing/covers.ts'
import { routeTables } from '../mesh/routing/routes.ts'
import type { Route } from '../mesh/routing/table.ts'
import type { Rule, Statement, Subject } from './rule.ts'

export const unreachableRoute: Rule = {
  id: 'unreachable-route',
  on: ['VirtualService'],
  summary: 'an earlier rule takes every request of this one',
  description:
    'Envoy takes the first route that matches. A rule behind a catch-all, or behind one that covers its conditions, never gets a request.',
  remedy: 'Move the more specific rule before the wider one, or delete it.',
  reads: ['VirtualService'],
  check: (subject) => [...withinObject(subject), ...behindOthers(subject)]
}

function withinObject({ after, before, nameOf, snapshotAfter }: Subject): Statement[] {
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

/** At a gateway the routes of several objects for one host are tried in the order of their age, catch-alls last (6.3): an older one's may take all of a younger one's. */
function behindOthers({ after, before, targets, nameOf, snapshotAfter }: Subject): Statement[] {
  if (after?.kind !== 'VirtualService') return []
  const known = before?.kind === 'VirtualService' ? new Set(before.http.map(textOf)) : new Set<string>()
  const fresh = after.http.filter((rule) => !known.has(textOf(rule)))
  if (fresh.length === 0) return []
  const takers = new Map<string, ObjectRef | null>()
  for (const { context, host } of targets.filter((target) => target.context.kind === 'gateway')) {
    for (const { routes } of routeTables(snapshotAfter, context, host)) {
      const mine = routes.filter(({ source }) => isSameRef(source, after)).length
      snapshotAfter.charge(mine * (routes.length - mine))
      for (const [place, route] of routes.entries()) {
        if (!isSameRef(route.source, after)) continue
        const rule = formatPath(route.path.slice(0, 3))
        const earlier = (other: Route, at: number) =>
          at < place && !isSameRef(other.source, after) && covers(other.condition, route.condition)
        const by = routes.find(earlier)?.source ?? null
        if (by === null) takers.set(rule, null)
        else if (!takers.has(rule)) takers.set(rule, by)
      }
    }
  }
  return fresh.flatMap((rule) => {
    const older = takers.get(formatPath(rule.path.slice(0, 3))) ?? null
    if (older === null) return []
    return [
      {
        severity: 'warn' as const,
        object: { kind: 'VirtualService' as const, namespace: after.namespace, name: after.name },
        path: rule.path,
        message: `${formatPath(rule.path.slice(1))} of ${nameOf(after)} gets no request: the older ${nameOf(older)} takes them all`,
        remedy: 'Put the more specific rule into the older object, before its wider one',
        gap: null
      }
    ]
  })
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
  return (match.length === 0 ? [emptyMatch([])] : match).map((each) => ({ match: each, source: sourceOf(each) }))
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

const FROM_ANYWHERE = sourceOf(emptyMatch([]))
