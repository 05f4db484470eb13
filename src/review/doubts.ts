/**
 * What a decision rests on that a watch may not show yet, as reads to make before the answer (design, section 3.4). Objects are read by name
 * where their names are known, and listed only where the decision rests on something being absent.
 */

import { affectedTargets } from '../mesh/gaps/affected.ts'
import { destinationRulesOver, virtualServicesOver } from '../mesh/gaps/contexts.ts'
import { type Gap, gaps, type Target } from '../mesh/gaps/gaps.ts'
import { resolveHost, serviceOfHost } from '../mesh/names/hosts.ts'
import { sameLabels } from '../mesh/names/labels.ts'
import { compareText } from '../mesh/names/text.ts'
import { chains, routeTables } from '../mesh/routing/routes.ts'
import type { RoutedDestination } from '../mesh/routing/table.ts'
import type { Destination, DestinationRule, MeshObject, ObjectRef, VirtualService } from '../mesh/snapshot/objects.ts'
import { podsSelected, refKey, type Snapshot } from '../mesh/snapshot/snapshot.ts'
import type { ListQuery } from '../mesh/snapshot/state.ts'
import { isNoOp } from './always-admitted.ts'
import type { Change } from './change.ts'
import { sameTemplate, snapshotsOf } from './decide.ts'
import type { Decision } from './decision.ts'

/** Objects to read by name, and lists that show what has appeared or gone. */
export interface Doubts {
  readonly reads: readonly ObjectRef[]
  readonly lists: readonly ListQuery[]
}

const NONE: Doubts = { reads: [], lists: [] }
/** If all of these have gone, the destination's Pods are listed. Where Pods go away, as in every rolling update, one alone may well be among them. */
const ENOUGH_PODS = { relied: 1, removed: 2 }
const ALL_VIRTUAL_SERVICES: ListQuery = { kind: 'VirtualService', namespace: null, selector: null }

/** What must be read before `decision` may be given. */
export function doubtsOf(change: Change, decision: Decision, snapshot: Snapshot): Doubts {
  if (isNoOp(change) || decision.auditAnnotations['admitted'] !== undefined) return NONE
  const doubts = decision.verdict === 'deny' ? ofDenial(change, decision, snapshot) : ofAdmission(change, snapshot)
  const reads = new Map(doubts.reads.filter((ref) => refKey(ref) !== refKey(change.ref)).map((ref) => [refKey(ref), ref]))
  const lists = new Map(doubts.lists.map((list) => [JSON.stringify(list), list]))
  return { reads: [...reads.values()], lists: [...lists.values()] }
}

function ofDenial(change: Change, { findings }: Decision, snapshot: Snapshot): Doubts {
  const denied = findings.flatMap(({ gap, severity }) => (gap !== null && severity === 'deny' ? [gap] : []))
  const namespace: ObjectRef = { kind: 'Namespace', namespace: '', name: change.ref.namespace }
  const { before, after } = snapshotsOf(change, snapshot)
  const siblings: ListQuery[] =
    denied.length < findings.length ? [{ kind: 'Service', namespace: change.ref.namespace, selector: null }] : []
  return {
    reads: [namespace, ...denied.flatMap((gap) => readsOf(gap, snapshot))],
    lists: [...siblings, ...denied.flatMap((gap) => [...listsOf(gap, before), ...listsOf(gap, after)])]
  }
}

/** Every object by which the gap's host is routed and its destination found. */
function readsOf({ host, destination, context }: Gap, snapshot: Snapshot): ObjectRef[] {
  const routing = virtualServicesOver(snapshot, host)
  if (destination === null) return routing
  const rules = destinationRulesOver(snapshot, destination.host)
  const sidecars = [...snapshot.lookup('sidecarByNamespace', context.namespace)]
  return [...routing, ...rules, ...serviceRef(destination.host, snapshot), ...sidecars]
}

/** A Service that the write itself changes takes other Pods before and after it. */
function listsOf({ cause, destination, host, context }: Gap, snapshot: Snapshot): ListQuery[] {
  const named = serviceOfHost(destination?.host ?? host, snapshot.settings.domain)
  if (cause === 'no-route') return [ALL_VIRTUAL_SERVICES]
  if (cause === 'host') return [{ kind: 'ServiceEntry', namespace: null, selector: null }]
  if (cause === 'subset') {
    const places = new Set([context.namespace, snapshot.settings.rootNamespace, ...(named === null ? [] : [named.namespace])])
    return [...places].map((namespace) => ({ kind: 'DestinationRule', namespace, selector: null }))
  }
  const service = named === null ? undefined : snapshot.find('Service', named.namespace, named.name)
  if (cause !== 'no-endpoints' || service === undefined || service.selector === null) return []
  return [{ kind: 'Pod', namespace: service.namespace, selector: service.selector }]
}

/**
 * A write that relies on what is there, or takes it away, is admitted because each destination it concerns is backed - or because one had no
 * answer before. Either may have changed.
 */
function ofAdmission(change: Change, snapshot: Snapshot): Doubts {
  const { after } = change
  const removes = takesAway(change)
  const relied = after?.kind === 'VirtualService' ? reliedOn(change, after, snapshot) : new Map<string, string>()
  if (!removes && relied.size === 0) return NONE
  const views = snapshotsOf(change, snapshot)
  const objects = [change.before, after].filter((object): object is MeshObject => object !== null)
  const targets = affectedTargets(views.before, views.after, objects)
  const left = gaps(views.after, targets)
  const open = left.length === 0 ? [] : [...left, ...gaps(views.before, targets)]
  const routed = routedTo(views.after, targets)
  // What was carried before is there still: whatever takes it away is refused.
  const carrying = removes ? routed : routed.filter(({ host, subset }) => relied.has(reliedKey(host, subset)))
  const named = [...new Set(relied.values()), ...hostsOf(objects, snapshot), ...carrying.map(({ host }) => host)]
  return {
    reads: [
      ...open.flatMap((gap) => readsOf(gap, snapshot)),
      ...named.flatMap((host) => [...destinationRulesOver(snapshot, host), ...serviceRef(host, snapshot)]),
      ...carrying.flatMap((destination) => backing(destination, views.after, removes ? ENOUGH_PODS.removed : ENOUGH_PODS.relied))
    ],
    lists: [
      ...(removes ? [ALL_VIRTUAL_SERVICES, ...servicesOf(change)] : []),
      ...open.flatMap((gap) => [...listsOf(gap, views.before), ...listsOf(gap, views.after)])
    ]
  }
}

/** Without the Service of its host a DestinationRule decides about nothing, so that Service must not be one that the cache has yet to see. */
function hostsOf(objects: readonly MeshObject[], { settings }: Snapshot): string[] {
  return objects.flatMap((object) =>
    object.kind === 'DestinationRule' ? [resolveHost(object.host, object.namespace, settings.domain)] : []
  )
}

/** The hosts of what the VirtualService newly carries, by host and subset. */
function reliedOn({ before }: Change, after: VirtualService, { settings }: Snapshot): Map<string, string> {
  const fresh = newDestinations(before?.kind === 'VirtualService' ? before : null, after)
  return new Map(
    fresh.map(({ host: written, subset }) => {
      const host = resolveHost(written, after.namespace, settings.domain)
      return [reliedKey(host, subset), host]
    })
  )
}

function reliedKey(host: string, subset: string | null): string {
  return `${host}|${subset ?? ''}`
}

function routedTo(snapshot: Snapshot, targets: readonly Target[]): RoutedDestination[] {
  const routes = targets.flatMap(({ context, host }) => [
    ...routeTables(snapshot, context, host).flatMap((table) => table.routes),
    ...chains(snapshot, context, host)
  ])
  return routes.flatMap(({ destinations }) => destinations).filter(({ share }) => share > 0)
}

/** Some of the Ready Pods behind a destination: while one of them is there, requests are answered. */
function backing({ host, subset }: RoutedDestination, snapshot: Snapshot, enough: number): ObjectRef[] {
  const named = serviceOfHost(host, snapshot.settings.domain)
  const service = named === null ? undefined : snapshot.find('Service', named.namespace, named.name)
  if (service === undefined || service.selector === null) return []
  const subsets = destinationRulesOver(snapshot, host).flatMap((rule) => rule.subsets)
  const labels = subsets.find(({ name }) => name === subset)?.labels ?? {}
  const pods = podsSelected(snapshot, service.namespace, { ...service.selector, ...labels })
  // By name, for a Pod that was read stands elsewhere in the next round, and others would be read then.
  return pods
    .filter(({ ready, deleting }) => ready && !deleting)
    .sort((one, other) => compareText(one.name, other.name))
    .slice(0, enough)
}

/** Hosts to which the VirtualService sends requests that it did not send there before: a weight step between known destinations has none. */
export function newlyCarried(before: VirtualService | null, after: VirtualService, domain: string): string[] {
  return [...new Set(newDestinations(before, after).map(({ host }) => resolveHost(host, after.namespace, domain)))]
}

function newDestinations(before: VirtualService | null, after: VirtualService): Destination[] {
  const known = before === null || !sameReach(before, after) ? new Set<string>() : new Set(carried(before).map(destinationKey))
  return carried(after).filter((destination) => !known.has(destinationKey(destination)))
}

function sameReach(before: VirtualService, after: VirtualService): boolean {
  const text = ({ hosts, gateways, exportTo }: VirtualService) => JSON.stringify([hosts, gateways, exportTo])
  return text(before) === text(after)
}

/** A lone destination carries whatever its weight; among several, weight 0 carries nothing (9.1, 9.2). */
function carried(vs: VirtualService): Destination[] {
  return [...vs.http, ...vs.tls, ...vs.tcp].flatMap(({ route }) => (route.length === 1 ? route : route.filter(({ weight }) => weight > 0)))
}

/** What a VirtualService sends requests to, by host, subset and port, with the completed host of each. */
export function carriedHosts(vs: VirtualService, domain: string): Map<string, string> {
  return new Map(
    carried(vs).map((destination) => {
      const host = resolveHost(destination.host, vs.namespace, domain)
      return [destinationKey({ ...destination, host }), host]
    })
  )
}

function destinationKey({ host, subset, port }: Destination): string {
  return `${host}|${subset ?? ''}|${port ?? ''}`
}

/** The write takes away something that a route elsewhere may still send to. */
export function takesAway({ operation, before, after, ref }: Change): boolean {
  if (ref.kind === 'DestinationRule') return narrows(before, after)
  if (ref.kind === 'Service') return operation === 'UPDATE'
  if (before?.kind !== 'Deployment') return false
  if (before.replicas === 0) return false
  return after === null || (after.kind === 'Deployment' && (after.replicas === 0 || !sameTemplate(before, after)))
}

/** A DestinationRule that only gains subsets hides and removes none. */
function narrows(before: MeshObject | null, after: MeshObject | null): boolean {
  if (before?.kind !== 'DestinationRule' || after?.kind !== 'DestinationRule') return true
  const place = ({ host, exportTo, workloadSelector }: DestinationRule) => JSON.stringify([host, exportTo, workloadSelector])
  if (place(before) !== place(after)) return true
  return before.subsets.some(({ name, labels }) => !after.subsets.some((kept) => kept.name === name && sameLabels(kept.labels, labels)))
}

/** The Services of a Deployment's namespace: a new one may select its Pods. */
function servicesOf({ ref }: Change): ListQuery[] {
  return ref.kind === 'Deployment' ? [{ kind: 'Service', namespace: ref.namespace, selector: null }] : []
}

function serviceRef(host: string, snapshot: Snapshot): ObjectRef[] {
  const named = serviceOfHost(host, snapshot.settings.domain)
  return named === null ? [] : [{ kind: 'Service', ...named }]
}
