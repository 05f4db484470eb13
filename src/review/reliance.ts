/** What a write newly relies on, and what it takes away: asked here by whoever reads, waits or holds before the answer. */

import type { DestinationRule } from '../kinds/destination-rule.ts'
import { isWorkload, type MeshObject } from '../kinds/index.ts'
import type { VirtualService } from '../kinds/virtual-service.ts'
import { servicesSelecting } from '../mesh/gaps/affected.ts'
import { sameLabels } from '../mesh/names/labels.ts'
import type { Snapshot } from '../mesh/snapshot/snapshot.ts'
import { sameTemplate } from '../mesh/snapshot/workloads.ts'
import type { Write } from '../mesh/snapshot/write.ts'
import type { Change } from './change.ts'

/** Where a VirtualService sends requests. */
export interface Carried {
  readonly host: string
  readonly subset: string | null
  readonly port: number | null
}

/** What a VirtualService sends requests to that it did not send there before: a weight step between known destinations has none. */
export function newlyCarried({ before, after }: Write): Carried[] {
  if (after?.kind !== 'VirtualService') return []
  return before?.kind === 'VirtualService' && sameReach(before, after) ? without(after, before) : carriedBy(after)
}

/** What a VirtualService no longer sends requests to. */
export function noLongerCarried({ before, after }: Pick<Write, 'before' | 'after'>): Carried[] {
  if (before?.kind !== 'VirtualService') return []
  return after?.kind === 'VirtualService' ? without(before, after) : carriedBy(before)
}

/** The write takes away something that a route elsewhere may still send to. */
export function takesAway({ operation, before, after, ref }: Change): boolean {
  switch (ref.kind) {
    case 'DestinationRule':
      return narrows(before, after)
    case 'Service':
      return operation === 'UPDATE'
    default:
      return givesUpPods(before, after)
  }
}

/** A VirtualService begins or ceases to take the requests of a host, a gateway or a namespace. */
export function changesReach({ before, after }: Pick<Write, 'before' | 'after'>): boolean {
  const [was, is] = [before, after].map((object) => (object?.kind === 'VirtualService' ? object : null))
  if (was && is) return !sameReach(was, is)
  return was !== null || is !== null
}

/** The hosts from which a write takes something, teardown included: its own, or those of the Services that select a Deployment's Pods. */
export function hostsTakenFrom(change: Change, snapshot: Snapshot): string[] {
  const { before, after, ref, operation } = change
  const object = before ?? after
  if (!takesAway(change) && !(ref.kind === 'Service' && operation === 'DELETE')) return []
  if (object?.kind === 'DestinationRule' || object?.kind === 'Service') return [object.host]
  if (object === null || object === undefined || !isWorkload(object)) return []
  return servicesSelecting(snapshot, object.namespace, object.templateLabels).map(({ host }) => host)
}

/** A workload's Pods go away, or lose their labels or ports. */
export function givesUpPods(before: MeshObject | null, after: MeshObject | null): boolean {
  if (before === null || !isWorkload(before) || before.replicas === 0) return false
  return after === null || !isWorkload(after) || after.replicas === 0 || !sameTemplate(before, after)
}

function without(vs: VirtualService, other: VirtualService): Carried[] {
  const known = new Set(carriedBy(other).map(keyOf))
  return carriedBy(vs).filter((destination) => !known.has(keyOf(destination)))
}

/** What a VirtualService sends requests to. A lone destination carries whatever its weight; among several, weight 0 carries nothing (9.1, 9.2). */
export function carriedBy(vs: VirtualService): Carried[] {
  const destinations = [...vs.http, ...vs.tls, ...vs.tcp].flatMap(({ route }) =>
    route.length === 1 ? route : route.filter(({ weight }) => weight > 0)
  )
  return destinations.map(({ host, subset, port }) => ({ host, subset, port }))
}

function keyOf({ host, subset, port }: Carried): string {
  return `${host}|${subset ?? ''}|${port ?? ''}`
}

function sameReach(before: VirtualService, after: VirtualService): boolean {
  const text = ({ hosts, gateways, exportTo }: VirtualService) => JSON.stringify([hosts, gateways, exportTo])
  return text(before) === text(after)
}

/** A DestinationRule that only gains subsets hides and removes none. */
function narrows(before: MeshObject | null, after: MeshObject | null): boolean {
  if (before?.kind !== 'DestinationRule' || after?.kind !== 'DestinationRule') return true
  const place = ({ host, exportTo, workloadSelector }: DestinationRule) => JSON.stringify([host, exportTo, workloadSelector])
  if (place(before) !== place(after)) return true
  const kept = Map.groupBy(after.subsets, ({ name }) => name)
  return before.subsets.some(({ name, labels }) => !(kept.get(name) ?? []).some((each) => sameLabels(each.labels, labels)))
}
