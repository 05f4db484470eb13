/** What a change does to what is answered, worked out once: rules, doubts, fresh reads and settle all read it here. */
import { affectedTargets } from '../mesh/gaps/affected.ts'
import { type Gap, gapsOfChange, type Target } from '../mesh/gaps/gaps.ts'
import type { MeshObject } from '../mesh/snapshot/objects.ts'
import { overlay, type Snapshot } from '../mesh/snapshot/snapshot.ts'
import { podsAfter } from '../mesh/snapshot/workloads.ts'
import type { Change } from './change.ts'
import { isStandIn, standIns } from './stand-ins.ts'

export interface Judgement {
  readonly change: Change
  /** The snapshots without and with the change; `before` shows the stored object as the API server sent it, which is newer than any cache. */
  readonly before: Snapshot
  readonly after: Snapshot
  /** Every (context, host) that the change can affect, Gateways that stand in for unknown ones included. */
  readonly targets: readonly Target[]
  /** The gaps of the targets as they are after it: opened, older, and never served. */
  readonly gaps: readonly Gap[]
  /** Gaps that are larger after it than before it, at clients and gateways that are known. */
  readonly opened: readonly Gap[]
}

export function judgementOf(change: Change, snapshot: Snapshot): Judgement {
  const { before, after } = snapshotsOf(change, overlay(snapshot, { added: standIns(change.after, snapshot) }))
  const objects = [change.before, change.after].filter((object): object is MeshObject => object !== null)
  const targets = affectedTargets(before, after, objects)
  const { all, opened } = gapsOfChange(before, after, targets)
  return { change, before, after, targets, gaps: all, opened: opened.filter(({ context }) => !isStandIn(context)) }
}

export function snapshotsOf(change: Change, snapshot: Snapshot): { before: Snapshot; after: Snapshot } {
  const pods = podsAfter(change, snapshot)
  const removed = [change.ref, ...pods.removed]
  const added = change.after === null ? pods.added : [change.after, ...pods.added]
  const before = asStored(change, snapshot)
  return { before, after: overlay(before, { removed, added }) }
}

/** Nothing is laid over a cache that shows the stored object already: each layer costs every look-up. */
function asStored({ ref, before }: Change, snapshot: Snapshot): Snapshot {
  const cached = snapshot.find(ref.kind, ref.namespace, ref.name)
  if (before === null) return cached === undefined ? snapshot : overlay(snapshot, { removed: [ref] })
  const isShown =
    cached === before || (cached?.uid === before.uid && before.resourceVersion !== '' && cached.resourceVersion === before.resourceVersion)
  return isShown ? snapshot : overlay(snapshot, { added: [before] })
}
