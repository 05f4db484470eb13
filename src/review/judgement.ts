/** What a change does to what is answered, worked out once: rules, doubts, fresh reads and settle all read it here. */

import { KINDS, type MeshObject, withPartsOf } from '../kinds/index.ts'
import { affectedTargetsInParts } from '../mesh/gaps/affected.ts'
import { isCausedBy, type Unjudged } from '../mesh/gaps/allowance.ts'
import { type Gap, type GapsOfChange, gapsOfChangeInParts, type Target } from '../mesh/gaps/gaps.ts'
import { changed } from '../mesh/routing/gateway-api/compiled.ts'
import { type InParts, whole } from '../mesh/snapshot/in-parts.ts'
import { Meter, metered } from '../mesh/snapshot/metered.ts'
import { leavesDiscovery } from '../mesh/snapshot/settings.ts'
import { overlay, type Snapshot } from '../mesh/snapshot/snapshot.ts'
import { podsAfter } from '../mesh/snapshot/workloads.ts'
import type { Change } from './change.ts'
import { carriedOut, reliable } from './consequence.ts'
import { isStandIn, standIns } from './stand-ins.ts'

export interface Judgement {
  /** The change as it was asked, and as it ends: an update can be a deletion. */
  readonly asked: Change
  readonly change: Change
  /** The snapshots without and with the change; `before` shows the stored object as the API server sent it, which is newer than any cache. */
  readonly before: Snapshot
  readonly after: Snapshot
  /** Counts the work that is done on the two; whoever does more of it renews what it grants. */
  readonly meter: Meter
  /** Every (context, host) that the change can affect, Gateways that stand in for unknown ones included. */
  readonly targets: readonly Target[]
  readonly tablesAfter: GapsOfChange['tablesAfter']
  /** Hosts that take too much work by what others wrote, which are left out of all this. */
  readonly unjudged: readonly Unjudged[]
  /** The gaps of the targets as they are after it: opened, older, and never served. */
  readonly gaps: readonly Gap[]
  /** Gaps that are larger after it than before it, at clients and gateways that are known. */
  readonly opened: readonly Gap[]
}

/** Some seconds, in which nobody else is answered. A write of one host takes some hundred steps, one that concerns ten thousand hosts some million. */
export const MOST_WORK = 5_000_000

export function judgementOf(asked: Change, snapshot: Snapshot): Judgement {
  return whole(judgementInParts(withKnownParts(asked, snapshot), snapshot))
}

/** Throws `TooMuchWork` where that is the written object's own doing. */
export function* judgementInParts(asked: Change, snapshot: Snapshot): InParts<Judgement> {
  const change = carriedOut(asked, snapshot)
  const meter = new Meter(MOST_WORK)
  const unjudged: Unjudged[] = []
  const { before, after } = snapshotsOf(change, overlay(metered(snapshot, meter), { added: standIns(change.after, snapshot) }))
  const objects = [change.before, change.after, ...undiscovered(change, before)].filter((object): object is MeshObject => object !== null)
  const tell = (each: Unjudged) => unjudged.push(each)
  const targets = yield* affectedTargetsInParts(before, after, objects, tell)
  meter.renew()
  const { all, opened, judged, tablesAfter } = yield* gapsOfChangeInParts(before, after, targets, tell, change.ref.namespace)
  for (const { error, clients } of unjudged) if (clients === 'all' && isCausedBy(error, change.ref)) throw error
  const known = opened.filter(({ context }) => !isStandIn(context))
  return { asked, change, before, after, meter, targets: judged, tablesAfter, unjudged, gaps: all, opened: known }
}

export function snapshotsOf(change: Change, snapshot: Snapshot): { before: Snapshot; after: Snapshot } {
  const pods = podsAfter(change, snapshot)
  const before = asStored(change, snapshot)
  const removed = [change.ref, ...pods.removed, ...undiscovered(change, before)]
  const added = change.after === null ? pods.added : [change.after, ...pods.added]
  return { before, after: changed(reliable(change, before), { removed, added }) }
}

/** What istiod knows no longer with a namespace that leaves its discoverySelectors (1.9). */
function undiscovered({ before, after }: Change, snapshot: Snapshot): MeshObject[] {
  if (before?.kind !== 'Namespace' || after === null || snapshot.settings.discoverySelectors === undefined) return []
  if (!leavesDiscovery(before, after, snapshot.settings)) return []
  return KINDS.flatMap((kind) => [...snapshot.all(kind)].filter(({ namespace }) => namespace === after.name))
}

/** The change with as much as may be of what the cache holds already: rules of a VirtualService that stay as they are, are the ones that are known. */
export function withKnownParts(change: Change, snapshot: Snapshot): Change {
  const before = cachedState(change, snapshot) ?? change.before
  if (before === null) return change
  return { ...change, before, after: change.after === null ? null : withPartsOf(change.after, before) }
}

/** Nothing is laid over a cache that shows the stored object already: each layer costs every look-up. */
function asStored(change: Change, snapshot: Snapshot): Snapshot {
  const { ref, before } = change
  if (before !== null) return cachedState(change, snapshot) === null ? changed(snapshot, { added: [before] }) : snapshot
  return snapshot.find(ref.kind, ref.namespace, ref.name) === undefined ? snapshot : changed(snapshot, { removed: [ref] })
}

/** The stored object, where the cache shows the very state that the API server sent. */
function cachedState({ ref, before }: Change, snapshot: Snapshot): MeshObject | null {
  const cached = snapshot.find(ref.kind, ref.namespace, ref.name)
  if (cached === undefined || before === null) return null
  const isShown =
    cached === before || (cached.uid === before.uid && before.resourceVersion !== '' && cached.resourceVersion === before.resourceVersion)
  return isShown ? cached : null
}
