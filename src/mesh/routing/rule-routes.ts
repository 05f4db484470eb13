/**
 * The routes that the http rules of a VirtualService make at a place. They are kept from one decision to the next, and made anew where the rule or what is known of its destinations
 * is another: a route that a change does not touch is one and the same object before the change and after it, and for all clients to whom it is the same.
 */

import type { HttpRoute } from '../../kinds/http-rule.ts'
import type { VirtualService } from '../../kinds/virtual-service.ts'
import { Recent } from '../snapshot/recent.ts'
import { coversEverything } from './covers.ts'
import { type Delegates, delegatesOf, effectiveRules } from './delegates.ts'
import { type Cluster, type Clusters, sharesOf, type Weighted } from './destinations.ts'
import { asksForPlace, type Entry, entriesAt, isIstioCatchAll, type Place } from './matches.ts'
import type { Scope } from './scope.ts'
import { contextKey, type Route } from './table.ts'

/** Redirect codes for which Istio generates an action (4.9). `ApplyRedirect`. */
const REDIRECTS = [0, 301, 302, 303, 307, 308]
/** Variants kept of what one rule or object makes: clients and ports may get different routes. */
const MOST_VARIANTS = 4
/** Routes that are kept. Each takes some half a kilobyte. */
const MOST_KEPT = 20_000
/** Steps are charged in portions of this size, since each charge costs something itself. */
const STEPS_A_CHARGE = 64

/** The routes of an object at a place, and what they rest on. */
export interface Made {
  /** null where none of its rules asks for it. */
  readonly place: string | null
  readonly delegates: Delegates
  /** What it sends to, each once. */
  readonly clusters: readonly Cluster[]
  readonly routes: readonly Route[]
}

/** The same of a rule. */
interface OfRule {
  readonly entries: readonly Entry[]
  /** Of its destinations, and then of its mirrors. */
  readonly clusters: readonly Cluster[]
  readonly routes: readonly Route[]
  /** No rule behind it is asked (4.7). */
  readonly isLast: boolean
}

/** What a rule says, wherever it stands. */
interface Rule {
  /** null where they depend on the place. */
  readonly entries: readonly Entry[] | null
  readonly destinations: readonly Weighted[]
  readonly mirrors: readonly Weighted[]
  readonly rest: Pick<Route, 'source' | 'status' | 'action'>
  readonly variants: OfRule[]
}

const ofObjects = new Recent<VirtualService, readonly Made[]>(MOST_KEPT, ([newest]) => 1 + (newest?.routes.length ?? 0))
const ofRules = new Recent<HttpRoute, Rule>(MOST_KEPT, ({ destinations }) => 1 + destinations.length)

/** The routes up to the first catch-all that Istio knows (4.7). `BuildHTTPRoutesForVirtualService`. */
export function routesOf(scope: Scope, vs: VirtualService, place: Place, clusters: Clusters): Made {
  const delegates = delegatesOf(scope.snapshot, vs)
  const variants = ofObjects.get(vs) ?? []
  for (const variant of variants) {
    scope.snapshot.charge(1 + variant.clusters.length)
    if (stands(variant, delegates, place, clusters)) return variant
  }
  const made = ofObject(scope, vs, delegates, place, clusters)
  ofObjects.set(vs, [made, ...variants.slice(0, MOST_VARIANTS - 1)])
  return made
}

/** Nothing that the routes rest on is another. */
function stands(made: Made, delegates: Delegates, place: Place, clusters: Clusters): boolean {
  if (made.place !== null && made.place !== keyOf(place)) return false
  for (const [at, delegate] of delegates.entries()) if (delegate !== made.delegates[at]) return false
  return clusters.areStill(made.clusters)
}

function ofObject(scope: Scope, vs: VirtualService, delegates: Delegates, place: Place, clusters: Clusters): Made {
  const routes: Route[] = []
  const sentTo = new Set<Cluster>()
  let isPlaced = false
  let steps = 0
  for (const rule of effectiveRules(scope.snapshot, vs, delegates)) {
    steps += 1 + rule.match.length + rule.route.length + rule.mirrors.length
    if (steps > STEPS_A_CHARGE) {
      scope.snapshot.charge(steps, vs)
      steps = 0
    }
    const known = ruleOf(rule)
    isPlaced ||= known.entries === null
    const made = ofRule(rule, known, place, clusters)
    for (const cluster of made.clusters) sentTo.add(cluster)
    for (const route of made.routes) routes.push(route)
    if (made.isLast) break
  }
  scope.snapshot.charge(steps, vs)
  return { place: isPlaced ? keyOf(place) : null, delegates, clusters: [...sentTo], routes }
}

function ruleOf(rule: HttpRoute): Rule {
  const known = ofRules.get(rule)
  if (known !== undefined) return known
  const made = toRule(rule)
  ofRules.set(rule, made)
  return made
}

function toRule(rule: HttpRoute): Rule {
  const { source, redirect, directResponse } = rule
  const sends = redirect === null && directResponse === null
  const destinations = sends ? sharesOf(rule.route) : []
  // Without percentage there is no mirror (9.4).
  const mirrors = sends ? rule.mirrors.filter(({ percentage }) => percentage > 0) : []
  return {
    entries: asksForPlace(rule) ? null : entriesAt(rule, null),
    destinations,
    mirrors: mirrors.map((destination) => ({ destination, share: destination.percentage / 100 })),
    rest: { source, status: statusOf(rule), action: actionOf(rule, destinations.length) },
    variants: []
  }
}

function ofRule(rule: HttpRoute, known: Rule, place: Place, clusters: Clusters): OfRule {
  const entries = known.entries ?? entriesAt(rule, place)
  if (entries.length === 0) return NONE
  const variant = known.variants.find((each) => isAsKnown(each, entries, clusters))
  if (variant !== undefined) return variant
  const made = toRoutes(entries, known, clusters)
  known.variants.unshift(made)
  if (known.variants.length > MOST_VARIANTS) known.variants.pop()
  return made
}

/** A rule none of whose matches stands sends nothing. */
const NONE: OfRule = { entries: [], clusters: [], routes: [], isLast: false }

function isAsKnown(made: OfRule, entries: readonly Entry[], clusters: Clusters): boolean {
  if (made.entries.length !== entries.length) return false
  for (const [at, { condition }] of entries.entries()) if (made.entries[at]?.condition !== condition) return false
  return clusters.areStill(made.clusters)
}

function toRoutes(entries: readonly Entry[], { destinations, mirrors, rest }: Rule, clusters: Clusters): OfRule {
  const all = [...destinations, ...mirrors]
  const shared = {
    ...rest,
    destinations: destinations.map((each) => clusters.routed(each)),
    mirrors: mirrors.map((each) => clusters.routed(each))
  }
  const routes: Route[] = []
  for (const { condition, path } of entries) {
    routes.push({ ...shared, path, condition, matchesAll: coversEverything(condition) })
    if (isIstioCatchAll(condition)) break
  }
  return {
    entries,
    clusters: all.map(({ destination }) => clusters.of(destination)),
    routes,
    isLast: routes.some(({ condition }) => isIstioCatchAll(condition))
  }
}

function keyOf({ context, port, gateway }: Place): string {
  return `${gateway} ${port} ${contextKey(context)}`
}

/** 301 where a redirect names no code. */
function statusOf({ redirect, directResponse }: HttpRoute): number | null {
  return redirect === null ? (directResponse?.status ?? null) : redirect.code || 301
}

/** A rule that sends nowhere, which Istio's webhook refuses (2.4), gives a route that Envoy refuses (2.6). */
function actionOf({ redirect, directResponse }: HttpRoute, destinations: number): Route['action'] {
  if (redirect !== null) return REDIRECTS.includes(redirect.code) ? 'redirect' : 'none'
  if (directResponse !== null) return 'direct'
  return destinations === 0 ? 'none' : 'route'
}
