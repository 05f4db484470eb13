/**
 * What a decision rests on that a watch may not show yet, as reads to make before the answer (docs/architecture.md). Objects are read by name
 * where their names are known, and listed only where the decision rests on something being absent.
 */

import { GATEWAY_API } from '../kinds/gateway-api.ts'
import { homeOf, isSameRef, isWorkloadKind, type ObjectRef, ROUTE_KINDS, refKey, takesAway } from '../kinds/index.ts'
import { takesRequests } from '../kinds/pod.ts'
import { Allowance, isCausedBy } from '../mesh/gaps/allowance.ts'
import { destinationRulesOver, virtualServicesOver } from '../mesh/gaps/contexts.ts'
import { type Gap, gapsInParts, type Target } from '../mesh/gaps/gaps.ts'
import { serviceOfHost } from '../mesh/names/hosts.ts'
import { compareText } from '../mesh/names/text.ts'
import { NOWHERE } from '../mesh/routing/destinations.ts'
import { chains, routeTables } from '../mesh/routing/routes.ts'
import type { RoutedDestination } from '../mesh/routing/table.ts'
import { sourcesOf } from '../mesh/routing/tables.ts'
import { flatMapInParts, type InParts } from '../mesh/snapshot/in-parts.ts'
import { TooMuchWork } from '../mesh/snapshot/metered.ts'
import { podsSelected, type Snapshot } from '../mesh/snapshot/snapshot.ts'
import type { ListQuery } from '../mesh/snapshot/state.ts'
import type { Change } from './change.ts'
import { ownersAskedFor } from './consequence.ts'
import type { Judged } from './decide.ts'
import type { Decision } from './decision.ts'
import { type Judgement, MOST_WORK } from './judgement.ts'
import { meshSigns } from './limits.ts'
import { type Carried, carriedBy, changesReach, hostsRemoved, isRouteObject, narrowsEntrance, newlyCarried } from './reliance.ts'
import { isStandIn } from './stand-ins.ts'

/** Objects to read by name, and lists that show what has appeared or gone. */
export interface Doubts {
  readonly reads: readonly ObjectRef[]
  readonly lists: readonly ListQuery[]
}

const NONE: Doubts = { reads: [], lists: [] }
/** Ready Pods that are read by name to show that a destination is backed; where all of them have gone, its Pods are listed. Where the write takes Pods away, one alone may well be among those that go. */
const ENOUGH_PODS = { relied: 1, removed: 2 }
/** Route objects read by name; more of them are listed. */
const MOST_SENDERS = 32
/** Gaps of a denial that are confirmed by reads: it stands as long as one of them does. Where these are closed, the next look confirms others. */
const ENOUGH_GAPS = 8

/** What must be read before the decision may be given. */
export function* doubtsInParts({ decision, judgement }: Judged): InParts<Doubts> {
  if (judgement === null) return NONE
  const own = refKey(judgement.change.ref)
  judgement.meter.renew(MOST_WORK)
  const doubts = yield* bounded(judgement, decision)
  const reads = new Map(doubts.reads.filter((ref) => refKey(ref) !== own).map((ref) => [refKey(ref), ref]))
  const lists = new Map(doubts.lists.map((list) => [JSON.stringify(list), list]))
  return { reads: [...reads.values()], lists: [...lists.values()] }
}

/** Where others make too much work of it the decision stands as the cache has it. */
function* bounded(judgement: Judgement, decision: Decision): InParts<Doubts> {
  try {
    return decision.verdict === 'deny' ? ofDenial(judgement, decision) : yield* ofAdmission(judgement)
  } catch (error) {
    if (!(error instanceof TooMuchWork) || isCausedBy(error, judgement.change.ref)) throw error
    return NONE
  }
}

function ofDenial({ asked, change, before, after }: Judgement, { findings }: Decision): Doubts {
  const all = findings.flatMap(({ gap, severity }) => (gap !== null && severity === 'deny' ? [gap] : []))
  const denied = all.slice(0, ENOUGH_GAPS)
  const namespace: ObjectRef = { kind: 'Namespace', namespace: '', name: homeOf(change.ref) }
  const siblings: ListQuery[] = all.length < findings.length ? [{ kind: 'Service', namespace: change.ref.namespace, selector: null }] : []
  // A route that is new to a host does not count beside an older one there, nor the default route beside any, that the cache has yet to see.
  const isRoutedByNobody = denied.some(({ source, context }) => source === null && context.kind === 'mesh')
  const older = changesReach(change) || isRoutedByNobody ? allRoutes(before) : []
  // What is answered before is so by a Pod that may just have ceased to be Ready.
  const answering = denied.flatMap(({ destination }) => (destination === null ? [] : backing(destination, before, ENOUGH_PODS.relied)))
  return {
    reads: [
      namespace,
      ...ownersAskedFor(asked),
      ...parentsOf(change, before),
      // Outside the mesh it would be no denial.
      ...(change.ref.kind === 'Service' ? [...meshSigns(before, change.ref), ...meshSigns(after, change.ref)] : []),
      ...answering,
      ...findings.flatMap(({ severity, restsOn = [] }) => (severity === 'deny' ? restsOn : [])),
      ...denied.flatMap((gap) => readsOf(gap, before))
    ],
    lists: [...siblings, ...older, ...denied.flatMap((gap) => [...listsOf(gap, before), ...listsOf(gap, after)])]
  }
}

/** Every object that may route: the first of a kind may be the one that the cache has yet to see. */
function allRoutes(snapshot: Snapshot): ListQuery[] {
  return ROUTE_KINDS.filter((kind) => snapshot.knows(kind)).map((kind) => ({ kind, namespace: null, selector: null }))
}

/** Those of the class that is written. */
const GATEWAYS: ListQuery = { kind: 'KubernetesGateway', namespace: null, selector: null }

/** The Gateways that a route of the Gateway API attaches to. */
function parentsOf({ after }: Change, snapshot: Snapshot): ObjectRef[] {
  if (after === null || !isRouteObject(after) || after.kind === 'VirtualService') return []
  return after.parents.flatMap(({ group, kind, namespace, name }): ObjectRef[] => {
    if (group !== GATEWAY_API || (kind !== 'Gateway' && kind !== 'ListenerSet')) return []
    const set = kind === 'ListenerSet' ? snapshot.find('ListenerSet', namespace, name) : undefined
    const [home = '', gateway = ''] = set?.gateway.split('/') ?? []
    return kind === 'Gateway'
      ? [{ kind: 'KubernetesGateway', namespace, name }]
      : [{ kind, namespace, name }, ...(set === undefined ? [] : [{ kind: 'KubernetesGateway' as const, namespace: home, name: gateway }])]
  })
}

/** What lets a route send to other namespaces. */
function grantsOf({ after }: Change, snapshot: Snapshot): ObjectRef[] {
  if (after === null || !isRouteObject(after) || after.kind === 'VirtualService') return []
  const namespaces = new Set(carriedBy(after).flatMap(({ host }) => serviceOfHost(host, snapshot.settings.domain)?.namespace ?? []))
  namespaces.delete(after.namespace)
  return [...namespaces].flatMap((namespace) => [...snapshot.lookup('grantByNamespace', namespace)])
}

/** Every object by which the gap's host is routed and its destination found. */
function readsOf({ host, destination, context }: Gap, snapshot: Snapshot): ObjectRef[] {
  const routing = virtualServicesOver(snapshot, host).flatMap(sourcesOf)
  if (destination === null) return routing
  const rules = destinationRulesOver(snapshot, destination.host)
  const sidecars = [...snapshot.lookup('sidecarByNamespace', context.namespace)]
  return [...routing, ...rules, ...serviceRef(destination.host, snapshot), ...sidecars]
}

/** A Service that the write itself changes takes other Pods before and after it. */
function listsOf({ cause, destination, host, context }: Gap, snapshot: Snapshot): ListQuery[] {
  const named = serviceOfHost(destination?.host ?? host, snapshot.settings.domain)
  if (cause === 'no-route') return allRoutes(snapshot)
  if (destination?.host === NOWHERE) return [{ kind: 'ReferenceGrant', namespace: null, selector: null }]
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
function* ofAdmission({ change, before, after, targets, gaps: all }: Judgement): InParts<Doubts> {
  const removes = takesAway(change.before, change.after)
  const leaves = change.before !== null && changesReach(change)
  const narrows = narrowsEntrance(change)
  const relied = newlyCarried(change)
  const known = targets.filter(({ context }) => !isStandIn(context))
  const left = all.filter(({ context }) => !isStandIn(context))
  // More may be sent to what fails already, as long as that seems no worse than what it was.
  const isStep = !removes && !leaves && !narrows && relied.length === 0
  const counts = (gap: Gap) => !isStep || failsBy(gap, change)
  const senders = sendersTo(hostsRemoved(change), before)
  if (isStep && !left.some(counts)) return { reads: [...absentServices(change, before), ...senders.reads], lists: senders.lists }
  const open = left.length === 0 ? [] : [...left, ...(yield* gapsInParts(before, known))].filter(counts)
  // What was carried before is there still: whatever takes it away is refused.
  const reliedOn = new Set(relied.map(placeOf))
  const routed = yield* routedTo(after, known)
  const carrying = removes ? routed : routed.filter((destination) => reliedOn.has(placeOf(destination)))
  // What is relied on and not carried stands behind another route of its host, which may have gone.
  const carried = new Set(routed.map(placeOf))
  const shadowing = relied.every((destination) => carried.has(placeOf(destination)))
    ? []
    : known.filter(({ context }) => context.kind === 'mesh')
  const named = new Set([...relied, ...carrying].map(({ host }) => host).concat(hostsOf(change)))
  const enough = removes ? ENOUGH_PODS.removed : ENOUGH_PODS.relied
  return {
    reads: [
      ...senders.reads,
      ...(yield* flatMapInParts(open, (gap) => readsOf(gap, before))),
      ...(yield* flatMapInParts(shadowing, ({ host }) => virtualServicesOver(before, host).flatMap(sourcesOf))),
      ...(relied.length > 0 || leaves ? [...parentsOf(change, before), ...grantsOf(change, before)] : []),
      ...(yield* flatMapInParts(named, (host): ObjectRef[] => [...destinationRulesOver(before, host), ...serviceRef(host, before)])),
      ...(yield* flatMapInParts(placesOf(carrying), (destination) => backing(destination, after, enough)))
    ],
    lists: [
      ...senders.lists,
      // What a route leaves may fall to another one that the cache has yet to see.
      ...(removes || leaves || narrows ? [...allRoutes(before), ...servicesOf(change)] : []),
      ...(change.ref.kind === 'GatewayClass' && before.knows('KubernetesGateway') ? [GATEWAYS] : []),
      ...(yield* flatMapInParts(open, (gap) => [...listsOf(gap, before), ...listsOf(gap, after)]))
    ]
  }
}

/** What routes to hosts that are taken out, as the cache shows it: each may just have ceased to, and the proxies not know it yet. */
function sendersTo(hosts: readonly string[], snapshot: Snapshot): Doubts {
  const senders = hosts.flatMap((host) => [...snapshot.lookup('virtualServiceByDestination', host)]).flatMap(sourcesOf)
  return senders.length > MOST_SENDERS ? { reads: [], lists: allRoutes(snapshot) } : { reads: senders, lists: [] }
}

/** The Services of what a route sends to that are not known to be there: on such a host nothing counts as served, whatever the route does. */
function absentServices({ after }: Change, snapshot: Snapshot): ObjectRef[] {
  if (after === null || !isRouteObject(after)) return []
  const hosts = new Set([...(after.kind === 'VirtualService' ? after.hosts : []), ...carriedBy(after).map(({ host }) => host)])
  return [...hosts]
    .flatMap((host) => serviceRef(host, snapshot))
    .filter(({ namespace, name }) => {
      const service = snapshot.find('Service', namespace, name)
      return service === undefined || service.deleting
    })
}

/** A destination of the written object gets no answer. */
function failsBy(gap: Gap, { ref }: Change): boolean {
  return gap.destination !== null && isSameRef(gap.source, ref)
}

/** Without the Service of its host a DestinationRule decides about nothing, so that Service must not be one that the cache has yet to see. */
function hostsOf({ before, after }: Change): string[] {
  return [before, after].flatMap((object) => (object?.kind === 'DestinationRule' ? [object.host] : []))
}

function placeOf({ host, subset }: Pick<Carried, 'host' | 'subset'>): string {
  return `${host}|${subset ?? ''}`
}

/** Each place once: many hosts may be sent to one. */
function placesOf(destinations: readonly RoutedDestination[]): Iterable<RoutedDestination> {
  return new Map(destinations.map((destination) => [placeOf(destination), destination])).values()
}

function* routedTo(snapshot: Snapshot, targets: readonly Target[]): InParts<RoutedDestination[]> {
  const allowance = new Allowance(() => undefined)
  const bounded = allowance.bound(snapshot)
  const routesTo = ({ context, host }: Target) => [
    ...routeTables(bounded, context, host).flatMap((table) => table.routes),
    ...chains(bounded, context, host)
  ]
  const routes = yield* flatMapInParts(targets, (target) => allowance.for(target, () => routesTo(target)) ?? [])
  return routes.flatMap(({ destinations }) => destinations).filter(({ share }) => share > 0)
}

/** Some of the Ready Pods behind a destination: while one of them is there, requests are answered. */
function backing({ host, subset }: Pick<RoutedDestination, 'host' | 'subset'>, snapshot: Snapshot, enough: number): ObjectRef[] {
  const named = serviceOfHost(host, snapshot.settings.domain)
  const service = named === null ? undefined : snapshot.find('Service', named.namespace, named.name)
  if (service === undefined || service.selector === null) return []
  const subsets = destinationRulesOver(snapshot, host).flatMap((rule) => rule.subsets)
  const labels = subsets.find(({ name }) => name === subset)?.labels ?? {}
  const pods = podsSelected(snapshot, service.namespace, { ...service.selector, ...labels })
  // By name, for a Pod that was read stands elsewhere in the next round, and others would be read then.
  return pods
    .filter(takesRequests)
    .sort((one, other) => compareText(one.name, other.name))
    .slice(0, enough)
}

/** The Services of a Deployment's namespace: a new one may select its Pods. */
function servicesOf({ ref }: Change): ListQuery[] {
  return isWorkloadKind(ref.kind) ? [{ kind: 'Service', namespace: ref.namespace, selector: null }] : []
}

function serviceRef(host: string, snapshot: Snapshot): ObjectRef[] {
  const named = serviceOfHost(host, snapshot.settings.domain)
  return named === null ? [] : [{ kind: 'Service', ...named }]
}
