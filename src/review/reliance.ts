/** What a write newly relies on, and what it takes away: asked here by whoever reads, waits or holds before the answer. */

import { carriedBackends, type RouteRule } from '../kinds/gateway-api.ts'
import { carriedOf, type HttpRoute, type L4Route } from '../kinds/http-rule.ts'
import {
  isRouteKind,
  isWorkload,
  type Kind,
  kindModule,
  type MeshObject,
  type ObjectOf,
  type RouteKind,
  takesAway
} from '../kinds/index.ts'
import { servicesSelecting } from '../mesh/gaps/affected.ts'
import type { Snapshot } from '../mesh/snapshot/snapshot.ts'
import type { Write } from '../mesh/snapshot/write.ts'
import type { Change } from './change.ts'

/** Where a route object sends requests. */
export interface Carried {
  readonly host: string
  readonly subset: string | null
  readonly port: number | null
}

/** What a route object sends requests to that it did not send there before: a weight step between known destinations has none. */
export function newlyCarried({ before, after }: Write): Carried[] {
  if (!isRouteObject(after)) return []
  return isRouteObject(before) && sameReach(before, after) ? without(after, before) : carriedBy(after)
}

/** What a route object no longer sends requests to. */
export function noLongerCarried({ before, after }: Pick<Write, 'before' | 'after'>): Carried[] {
  if (!isRouteObject(before)) return []
  return isRouteObject(after) ? without(before, after) : carriedBy(before)
}

/** The write may take away a listener, or whom it takes routes of: there may be some that the cache has yet to see. */
export function narrowsEntrance({ before, ref }: Pick<Change, 'before' | 'ref'>): boolean {
  return before !== null && kindModule<Kind>(ref.kind).isEntrance
}

/** A route object begins or ceases to take the requests of a host, a gateway or a namespace. */
export function changesReach({ before, after }: Pick<Write, 'before' | 'after'>): boolean {
  const [was, is] = [before, after].map((object) => (isRouteObject(object) ? object : null))
  if (was && is) return !sameReach(was, is)
  return was !== null || is !== null
}

/** The hosts from which a write takes something, teardown included: its own, or those of the Services that select a workload's Pods or that a grant opens. */
export function hostsTakenFrom(change: Change, snapshot: Snapshot): string[] {
  const object = change.before ?? change.after
  const removed = hostsRemoved(change)
  if (removed.length > 0 || object === null || !takesAway(change.before, change.after)) return removed
  if (object.kind === 'DestinationRule' || object.kind === 'Service') return [object.host]
  if (object.kind === 'ReferenceGrant') return hostsIn(object.namespace, snapshot)
  return isWorkload(object) ? servicesSelecting(snapshot, object.namespace, object.templateLabels).map(({ host }) => host) : []
}

function hostsIn(namespace: string, snapshot: Snapshot): string[] {
  return [...snapshot.all('Service')].filter((service) => service.namespace === namespace).map(({ host }) => host)
}

/** The hosts that a write takes out: whoever still sends there is only told so, whether the cache shows it truly or not. */
export function hostsRemoved({ before, after }: Pick<Write, 'before' | 'after'>): string[] {
  if (before?.kind === 'Service') return after === null ? [before.host] : []
  if (before?.kind !== 'ServiceEntry') return []
  return before.hosts.filter((host) => after?.kind !== 'ServiceEntry' || !after.hosts.includes(host))
}

/** Rules that both have carry nothing that the other does not: they are not looked at for what is new. */
function without(route: RouteObject, other: RouteObject): Carried[] {
  const [own, others] = [new Set<unknown>(rulesOf(route)), new Set<unknown>(rulesOf(other))]
  const fresh = rulesOf(route).filter((rule) => !others.has(rule))
  const left = new Map(fresh.flatMap(carriedByRule).map((destination) => [keyOf(destination), destination]))
  // What a rule carried that was changed, it most likely carries still.
  const [changed, kept] = [rulesOf(other).filter((rule) => !own.has(rule)), rulesOf(other).filter((rule) => own.has(rule))]
  for (const rules of [changed, kept]) {
    for (const rule of rules) {
      if (left.size === 0) return []
      for (const destination of carriedByRule(rule)) left.delete(keyOf(destination))
    }
  }
  return fresh.flatMap(carriedByRule).filter((destination) => left.has(keyOf(destination)))
}

type RouteObject = ObjectOf<RouteKind>

export function isRouteObject(object: MeshObject | null): object is RouteObject {
  return object !== null && isRouteKind(object.kind)
}

/** What a route object sends requests to. */
export function carriedBy(route: RouteObject): Carried[] {
  return rulesOf(route).flatMap(carriedByRule)
}

type AnyRule = HttpRoute | L4Route | Pick<RouteRule, 'backends'>

function rulesOf(route: RouteObject): readonly AnyRule[] {
  if (route.kind !== 'VirtualService') return route.rules
  return route.tls.length + route.tcp.length === 0 ? route.http : [...route.http, ...route.tls, ...route.tcp]
}

function carriedByRule(rule: AnyRule): Carried[] {
  if ('backends' in rule) return carriedBackends(rule).map(({ host, port }) => ({ host, subset: null, port }))
  return carriedOf(rule.route).map(({ host, subset, port }) => ({ host, subset, port }))
}

function keyOf({ host, subset, port }: Carried): string {
  return `${host}|${subset ?? ''}|${port ?? ''}`
}

function sameReach(before: RouteObject, after: RouteObject): boolean {
  const text = (route: RouteObject) =>
    JSON.stringify(route.kind === 'VirtualService' ? [route.hosts, route.gateways, route.exportTo] : [route.hostnames, route.parents])
  return text(before) === text(after)
}
