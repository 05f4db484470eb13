import type { RouteRule } from '../kinds/gateway-api.ts'
import { emptyMatch, type HttpMatch, type HttpRoute } from '../kinds/http-rule.ts'
import { isSameRef, type ObjectRef, ROUTE_KINDS } from '../kinds/index.ts'
import type { VirtualService } from '../kinds/virtual-service.ts'
import { formatPath } from '../mesh/names/path.ts'
import { Conditions } from '../mesh/requests/conditions.ts'
import { covers } from '../mesh/routing/covers.ts'
import type { Route } from '../mesh/routing/table.ts'
import { newlyDetached, newlyRefused } from './attachment.ts'
import { hygieneRule } from './hygiene-rule.ts'
import type { Draft, Subject } from './rule.ts'

export const unreachableRoute = hygieneRule({
  id: 'unreachable-route',
  on: ROUTE_KINDS,
  summary: 'an earlier rule takes every request of this one, or no listener takes the route',
  description:
    'Envoy takes the first route that matches. A rule behind a catch-all, or behind one that covers its conditions, never gets a request. ' +
    'A route of the Gateway API gets none either from a parent of which no listener takes it: by sectionName, port, hostname, allowedRoutes, or since the listener itself does not serve; and from none of them where it has a filter or a name for which Istio makes nothing of all of it.',
  remedy: 'Move the more specific rule before the wider one, or delete it.',
  find: (subject) => [...withinObject(subject), ...behindOthers(subject), ...neverAsked(subject), ...takenByNone(subject)]
})

function withinObject({ after, before, nameOf, snapshotAfter }: Subject): Draft[] {
  if (after?.kind !== 'VirtualService') return []
  const charge = (steps: number) => snapshotAfter.charge(steps)
  const old = before?.kind === 'VirtualService' ? before : null
  const found = shadowed(after, charge, old === null ? null : concerned(after, old, charge))
  const known = old === null || found.length === 0 ? new Set() : new Set(shadowed(old, charge, null).map(({ rule }) => textOf(rule)))
  return found
    .filter(({ rule }) => !known.has(textOf(rule)))
    .map(({ rule, by }) => ({
      path: rule.path,
      message: `${formatPath(rule.path.slice(1))} of ${nameOf(after)} gets no request: ${formatPath(by.path.slice(1))} takes them all`,
      remedy: 'Move it before the wider rule, or delete it'
    }))
}

/** The rules that the write adds or moves, and those behind one of them that it covers: no other can lose its requests. null for all. */
function concerned({ http }: VirtualService, before: VirtualService, charge: (steps: number) => void): ReadonlySet<HttpRoute> | null {
  const old = new Set(before.http)
  const fresh = http.flatMap((rule, at) => (old.has(rule) ? [] : [{ entries: entriesOf(rule), at }]))
  const found = new Set(fresh.flatMap(({ at }) => http[at] ?? []))
  const entries = fresh.reduce((sum, each) => sum + each.entries.length, 0)
  if (entries * http.length > MOST_COMPARED) return null
  charge(entries * http.length)
  for (const wider of fresh) {
    for (const rule of http.slice(wider.at + 1)) {
      if (entriesOf(rule).some((entry) => wider.entries.some((each) => takes(each, entry)))) found.add(rule)
    }
  }
  return found
}

/** Up to so many pairs are compared one by one; more of them, by an index. */
const MOST_COMPARED = 20_000

/** At a gateway the routes of several objects for one host are tried in the order of their age, catch-alls last (6.3): an older one's may take all of a younger one's. */
function behindOthers({ after, before, targets, nameOf, snapshotAfter, tablesAfter }: Subject): Draft[] {
  const atGateways = targets.filter(({ context }) => context.kind === 'gateway')
  if (after?.kind !== 'VirtualService' || atGateways.length === 0) return []
  const fresh = freshRules(after, before?.kind === 'VirtualService' ? before : null)
  if (fresh.length === 0) return []
  const paths = new Set(fresh.map(({ path }) => formatPath(path)))
  const takers = new Map<string, ObjectRef | null>()
  const known = new Set<readonly Route[]>()
  for (const target of atGateways) {
    for (const { routes } of tablesAfter(target)) {
      if (known.has(routes)) continue
      known.add(routes)
      const mine = new Set(routes.filter(({ source }) => isSameRef(source, after)))
      if (mine.size < routes.length) snapshotAfter.charge(Math.min(mine.size, fresh.length) * (routes.length - mine.size))
      for (const route of mine) {
        const rule = formatPath(route.path.slice(0, 3))
        if (!paths.has(rule)) continue
        const first = routes.find((other) => other === route || (!mine.has(other) && covers(other.condition, route.condition)))
        const by = first === route ? null : (first?.source ?? null)
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
        path: rule.path,
        message: `${formatPath(rule.path.slice(1))} of ${nameOf(after)} gets no request: the older ${nameOf(older)} takes them all`,
        remedy: 'Put the more specific rule into the older object, before its wider one'
      }
    ]
  })
}

/**
 * Rules of the Gateway API that get nothing, though their route is there: Istio puts those of all routes for a host in an order of its own, where a regular
 * expression comes after the prefix "/" and the older of two alike first, and leaves out what is behind one that takes everything.
 */
function neverAsked({ after, before, targets, nameOf, snapshotAfter, tablesAfter }: Subject): Draft[] {
  if (after?.kind !== 'HTTPRoute' && after?.kind !== 'GRPCRoute') return []
  const known = new Set(before?.kind === after.kind ? before.rules.map(ruleText) : [])
  const never = new Map(after.rules.filter((rule) => !known.has(ruleText(rule))).map((rule) => [formatPath(rule.path), rule]))
  if (never.size === 0) return []
  const tables = new Set(targets.flatMap((target) => tablesAfter(target).map(({ routes }) => routes)))
  let isThere = false
  for (const routes of tables) {
    snapshotAfter.charge(routes.length)
    for (const route of routes.filter(({ source }) => isSameRef(source, after))) {
      isThere = true
      const rule = formatPath(route.path.slice(0, 3))
      if (!never.has(rule)) continue
      snapshotAfter.charge(routes.length)
      if (routes.find((other) => other === route || covers(other.condition, route.condition)) === route) never.delete(rule)
    }
  }
  if (!isThere) return []
  return [...never.values()].map((rule) => ({
    path: rule.path,
    message: `${formatPath(rule.path.slice(1))} of ${nameOf(after)} gets no request: rules that Istio asks before it take them all`,
    remedy: 'Match something narrower in it, by an exact path or a longer prefix, or delete it'
  }))
}

/** A parent that takes nothing of the route, or all of them where Istio makes nothing of it. Where requests are lost by it, the rule for those says so. */
function takenByNone(subject: Subject): Draft[] {
  const { after, opened, nameOf } = subject
  if (after === null || opened.length > 0) return []
  const detached = newlyDetached(subject).map(({ message, ...draft }) => ({
    ...draft,
    message: `${nameOf(after)} gets no request there: ${message}`
  }))
  return [...newlyRefused(subject), ...detached]
}

/** Wherever the rule stands. */
function ruleText({ matches, backends, filters }: RouteRule): string {
  return JSON.stringify([matches, backends, filters], (key, value) => (key === 'path' ? undefined : value))
}

/** The rules of which an earlier rule takes every match; it must ask nothing of client or port that they do not ask as well. */
function shadowed(
  { http }: VirtualService,
  charge: (steps: number) => void,
  among: ReadonlySet<HttpRoute> | null
): { rule: HttpRoute; by: HttpRoute }[] {
  if (among !== null && among.size <= FEW) return shadowedAmong(http, charge, among)
  // What a delegate takes is not written here, so a rule that delegates hides nothing.
  const wide = http.flatMap((rule, at) => (rule.delegate === null ? entriesOf(rule).map((entry) => ({ ...entry, rule, at })) : []))
  const conditions = new Conditions(wide, ({ match }) => match)
  return http.flatMap((rule, at) => {
    if (among?.has(rule) === false) return []
    const takers = entriesOf(rule).map((entry) => {
      const found = [...conditions.mayCover(entry.match, charge)].filter((wider) => wider.at < at && takes(wider, entry))
      return new Set(found.map((wider) => wider.rule))
    })
    const [first = new Set<HttpRoute>(), ...others] = takers
    const by = [...first].find((wider) => others.every((other) => other.has(wider)))
    return by === undefined ? [] : [{ rule, by }]
  })
}

/** Up to so many rules are compared one by one: an index of them would cost more. */
const FEW = 8

/** The same of few rules: the first of those before one that takes each of its matches. */
function shadowedAmong(
  http: readonly HttpRoute[],
  charge: (steps: number) => void,
  among: ReadonlySet<HttpRoute>
): { rule: HttpRoute; by: HttpRoute }[] {
  return http
    .filter((rule) => among.has(rule))
    .flatMap((rule) => {
      const own = entriesOf(rule)
      charge(own.length * http.length)
      const takesAll = (wider: HttpRoute) => own.every((entry) => entriesOf(wider).some((each) => takes(each, entry)))
      const by = http.find((wider) => wider === rule || (wider.delegate === null && takesAll(wider)))
      return by === undefined || by === rule ? [] : [{ rule, by }]
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

/** Rules that say what none of the old ones says. */
function freshRules({ http }: VirtualService, before: VirtualService | null): HttpRoute[] {
  const [old, now] = [new Set(before?.http), new Set(http)]
  const moved = http.filter((rule) => !old.has(rule))
  const texts = moved.length === 0 ? new Set() : new Set(before?.http.filter((rule) => !now.has(rule)).map(textOf))
  return moved.filter((rule) => !texts.has(textOf(rule)))
}

/** Asked again for each write of an object. */
const entries = new WeakMap<HttpRoute, Entry[]>()

/** A rule without match takes everything. */
function entriesOf(rule: HttpRoute): Entry[] {
  const known = entries.get(rule) ?? toEntries(rule)
  entries.set(rule, known)
  return known
}

function toEntries({ match }: HttpRoute): Entry[] {
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
