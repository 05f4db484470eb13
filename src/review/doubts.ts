/**
 * What a decision rests on that a watch may not show yet, as reads to make before the answer (design, section 3.4). Objects are read by name
 * where their names are known, and listed only where the decision rests on something being absent.
 */
import { destinationRulesOver, virtualServicesOver } from '../mesh/contexts.ts'
import type { Gap } from '../mesh/gaps.ts'
import { resolveHost, serviceOfHost } from '../mesh/hosts.ts'
import { sameLabels } from '../mesh/labels.ts'
import type { Destination, DestinationRule, MeshObject, ObjectRef, VirtualService } from '../mesh/objects.ts'
import { refKey, type Snapshot } from '../mesh/snapshot.ts'
import type { ListQuery } from '../mesh/state.ts'
import { isNoOp } from './admitted.ts'
import type { Change } from './change.ts'
import { sameTemplate } from './decide.ts'
import type { Decision } from './decision.ts'

/** Objects to read by name, and lists that show what has appeared or gone. */
export interface Doubts {
  readonly reads: readonly ObjectRef[]
  readonly lists: readonly ListQuery[]
}

const NONE: Doubts = { reads: [], lists: [] }
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
  const gaps = findings.flatMap(({ gap, severity }) => (gap !== null && severity === 'deny' ? [gap] : []))
  const namespace: ObjectRef = { kind: 'Namespace', namespace: '', name: change.ref.namespace }
  const siblings: ListQuery[] = gaps.length < findings.length ? [{ kind: 'Service', namespace: change.ref.namespace, selector: null }] : []
  return {
    reads: [namespace, ...gaps.flatMap((gap) => readsOf(gap, snapshot))],
    lists: [...siblings, ...gaps.flatMap((gap) => listsOf(gap, snapshot))]
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

function ofAdmission(change: Change, snapshot: Snapshot): Doubts {
  const { before, after } = change
  if (after?.kind === 'VirtualService') {
    const hosts = newlyCarried(before?.kind === 'VirtualService' ? before : null, after, snapshot.settings.domain)
    return { reads: hosts.flatMap((host) => [...destinationRulesOver(snapshot, host), ...serviceRef(host, snapshot)]), lists: [] }
  }
  return takesAway(change) ? { reads: [], lists: [ALL_VIRTUAL_SERVICES, ...servicesOf(change)] } : NONE
}

/** Hosts to which the VirtualService sends requests that it did not send there before: a weight step between known destinations has none. */
export function newlyCarried(before: VirtualService | null, after: VirtualService, domain: string): string[] {
  const known = before === null || !sameReach(before, after) ? new Set<string>() : new Set(carried(before).map(destinationKey))
  const fresh = carried(after).filter((destination) => !known.has(destinationKey(destination)))
  return [...new Set(fresh.map(({ host }) => resolveHost(host, after.namespace, domain)))]
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
