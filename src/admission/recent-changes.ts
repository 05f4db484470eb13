/** What changed of late, and which of it a write leans on: what it newly relies on, or what ended the use of what it takes away. */

import { isRouteKind, isWorkload, type MeshObject, provides, refKey, takesAway } from '../kinds/index.ts'
import type { Pod } from '../kinds/pod.ts'
import type { Service } from '../kinds/service.ts'
import { destinationRulesOver } from '../mesh/gaps/contexts.ts'
import { serviceOfHost } from '../mesh/names/hosts.ts'
import { type Labels, selects } from '../mesh/names/labels.ts'
import type { Propagation, RecentChange } from '../mesh/snapshot/propagation.ts'
import { podsSelected, type Snapshot } from '../mesh/snapshot/snapshot.ts'
import type { Change } from '../review/change.ts'
import { hostsTakenFrom, newlyCarried, noLongerCarried } from '../review/reliance.ts'

/** More changes within a horizon than this are a cluster that starts or falls apart; the oldest are let go. */
const MOST = 20_000

export class RecentChanges {
  /** By the key of a DestinationRule, Service, ServiceEntry or Pod: its last change; of a Pod, that it became Ready. */
  readonly #changed = new Map<string, RecentChange>()
  /** By the key of a workload: that it was told to give up its Pods, or their labels. */
  readonly #gaveUp = new Map<string, RecentChange>()
  /** By host: that a route object stopped sending to a destination there. */
  readonly #left = new Map<string, RecentChange>()
  readonly #propagation: Pick<Propagation, 'horizonMs'>
  readonly #nowMs: () => number

  constructor(propagation: Pick<Propagation, 'horizonMs'>, nowMs: () => number) {
    this.#propagation = propagation
    this.#nowMs = nowMs
  }

  /** Takes note of a change; metadata and status changes count for nothing. */
  note(before: MeshObject | null, after: MeshObject | null): void {
    const object = after ?? before
    if (object === null || this.#propagation.horizonMs() === 0) return
    const { kind, namespace, name } = object
    const change: RecentChange = { ref: { kind, namespace, name }, before, after, atMs: this.#nowMs() }
    if (before !== null && isRouteKind(before.kind)) {
      for (const { host } of noLongerCarried(change)) this.#keep(this.#left, host, change)
      return
    }
    const kept = this.#kept(change)
    if (kept !== null) this.#keep(kept, refKey(object), change)
  }

  /** The changes that a write leans on. */
  under(change: Change, snapshot: Snapshot): RecentChange[] {
    const reliedOn = new Set(newlyCarried(change).map(({ host }) => host))
    const arrived = [...reliedOn].flatMap((host) => this.#arrivals(host, snapshot))
    const left = hostsTakenFrom(change, snapshot).flatMap((host) => this.#left.get(host) ?? [])
    return this.#young([...arrived, ...left])
  }

  /** Where a change is kept; null where nothing relies on what it changed. */
  #kept({ before, after }: RecentChange): Map<string, RecentChange> | null {
    if (provides(before, after)) return this.#changed
    return before !== null && isWorkload(before) && takesAway(before, after) ? this.#gaveUp : null
  }

  /** The last of what a host needs to be there: its rules, its Service or ServiceEntries, the first Ready Pod of each of its subsets. */
  #arrivals(host: string, snapshot: Snapshot): RecentChange[] {
    const named = serviceOfHost(host, snapshot.settings.domain)
    const service = named === null ? undefined : snapshot.find('Service', named.namespace, named.name)
    const rules = destinationRulesOver(snapshot, host)
    const entries = snapshot.lookup('serviceEntryByHost', host)
    const changed = [...rules, ...entries, ...(service === undefined ? [] : [service])].flatMap(
      (ref) => this.#changed.get(refKey(ref)) ?? []
    )
    if (service === undefined) return changed
    const pods = service.selector === null ? [] : podsSelected(snapshot, service.namespace, service.selector).filter(({ ready }) => ready)
    const subsets = rules.flatMap((rule) => rule.subsets.map(({ labels }) => labels))
    return [...changed, ...[{}, ...subsets].flatMap((labels) => this.#firstReady(pods, labels) ?? []), ...this.#leaving(service)]
  }

  /** null where one of these Pods was Ready before. */
  #firstReady(pods: readonly Pod[], labels: Labels): RecentChange | null {
    let first: RecentChange | null = null
    for (const pod of pods) {
      if (!selects(labels, pod.labels)) continue
      const change = this.#changed.get(refKey(pod))
      if (change === undefined) return null
      if (first === null || change.atMs < first.atMs) first = change
    }
    return first
  }

  /** Pods that a workload was told to give up are Ready for a moment still. */
  #leaving({ namespace, selector }: Service): RecentChange[] {
    if (selector === null) return []
    return [...this.#gaveUp.values()].filter(
      ({ before }) => before !== null && isWorkload(before) && before.namespace === namespace && selects(selector, before.templateLabels)
    )
  }

  #young(changes: readonly RecentChange[]): RecentChange[] {
    return [...new Set(changes)].filter((change) => this.#isYoung(change))
  }

  #isYoung({ atMs }: RecentChange): boolean {
    return this.#nowMs() - atMs <= this.#propagation.horizonMs()
  }

  /** The same change told again, by the watch after a read, is no new one. */
  #keep(map: Map<string, RecentChange>, key: string, change: RecentChange): void {
    const known = map.get(key)
    if (known !== undefined && isSame(known, change)) return
    map.delete(key)
    map.set(key, change)
    for (const [oldest, kept] of map) {
      if (map.size <= MOST && this.#isYoung(kept)) break
      map.delete(oldest)
    }
  }
}

/** Where the server has not said which states they are, nobody knows. */
function isSame(one: RecentChange, other: RecentChange): boolean {
  const isGone = (one.after === null) === (other.after === null)
  return refKey(one.ref) === refKey(other.ref) && versionOf(one) !== '' && versionOf(one) === versionOf(other) && isGone
}

/** A write that is yet to be stored has the version of what it replaces, which tells nothing. */
function versionOf({ before, after }: RecentChange): string {
  const [old, fresh] = [before?.resourceVersion ?? '', after?.resourceVersion ?? '']
  return after === null ? old : fresh === old ? '' : fresh
}
