/**
 * Holding a write until the data plane has caught up with the one before it (design, section 3.6). istiod collects changes for its debounce and
 * pushes them together, and within one push Envoy's routes and clusters do not change at the same instant: the right order, written back
 * to back, drops requests (istio-semantics, Propagation).
 */
import { servicesSelecting } from '../mesh/gaps/affected.ts'
import { destinationRulesOver } from '../mesh/gaps/contexts.ts'
import { resolveHost, serviceHost, serviceOfHost } from '../mesh/names/hosts.ts'
import { selects } from '../mesh/names/labels.ts'
import type { Deployment, Labels, MeshObject, ObjectRef, Service } from '../mesh/snapshot/objects.ts'
import { podsSelected, refKey, type Snapshot } from '../mesh/snapshot/snapshot.ts'
import type { State } from '../mesh/snapshot/state.ts'
import type { Change } from '../review/change.ts'
import { sameTemplate } from '../review/decide.ts'
import type { Asker, Decision, Reviewer } from '../review/decision.ts'
import { carriedHosts, newlyCarried, takesAway } from '../review/doubts.ts'
import { warningText } from '../review/message.ts'

/** What is left of the API server's patience when a held write is answered all the same. */
const MARGIN_MS = 1000

export interface SettleOptions {
  readonly reviewer: Reviewer
  readonly state: State
  /** How long a change takes to reach every proxy; 0 holds nothing. */
  readonly settleMs: () => number
  /** What becomes of a write whose deadline comes before it has settled. */
  readonly onTimeout: () => 'warn' | 'deny'
  readonly recent: RecentChanges
  readonly nowMs: () => number
  /** Resolves after so many milliseconds, or when the signal ends. */
  readonly sleep: (ms: number, signal: AbortSignal) => Promise<void>
  readonly onHeld?: (heldMs: number, timedOut: boolean) => void
}

/** A reviewer that holds an admissible write until what it relies on, or takes away, has settled, and then judges it again. */
export function settling(options: SettleOptions): Reviewer {
  const { reviewer, state, settleMs, recent, nowMs, sleep, onHeld } = options
  return async (change, signal, asker) => {
    const decision = await reviewer(change, signal, asker)
    if (decision.verdict === 'deny' || change.dryRun || settleMs() === 0) return decision
    const settledMs = recent.lastChangeMs(change, state.snapshot()) + settleMs()
    const note = () => {
      if (asker?.isBelieved !== false) recent.note(change.before, change.after)
    }
    note()
    const waitMs = settledMs - nowMs()
    if (waitMs <= 0) return decision
    const patienceMs = (asker?.remainingMs() ?? Number.POSITIVE_INFINITY) - MARGIN_MS
    const heldMs = Math.min(waitMs, patienceMs)
    if (heldMs > 0) await held(asker, () => sleep(heldMs, signal))
    signal.throwIfAborted()
    const timedOut = waitMs > patienceMs
    onHeld?.(Math.max(heldMs, 0), timedOut)
    const again = await reviewer(change, signal, asker)
    // Proxies hear of it from now on, not from when it was first asked.
    if (again.verdict !== 'deny') note()
    return timedOut ? unsettled(again, options.onTimeout()) : again
  }
}

async function held(asker: Asker | undefined, wait: () => Promise<void>): Promise<void> {
  asker?.held(1)
  try {
    await wait()
  } finally {
    asker?.held(-1)
  }
}

function unsettled(decision: Decision, onTimeout: 'warn' | 'deny'): Decision {
  if (decision.verdict === 'deny') return decision
  const text = 'what this write relies on changed a moment ago, and proxies may not know it yet'
  if (onTimeout === 'warn') return { ...decision, verdict: 'warn', warnings: [...decision.warnings, warningText(text)] }
  return { ...decision, verdict: 'deny', message: `hitless: ${text}. Wait a second, then apply this again. [settle]` }
}

/** When things that writes rely on, or leave, changed last, as this replica saw it: by its watch, or by its own admission. */
export class RecentChanges {
  /** By the key of a DestinationRule, Service or Pod: when it changed, or the Pod became Ready. */
  readonly #changedMs = new Map<string, number>()
  /** By the key of a Deployment: when it was last told to give up its Pods, and their labels. */
  readonly #leaving = new Map<string, { readonly namespace: string; readonly labels: Labels; readonly atMs: number }>()
  /** By host: when a VirtualService last stopped sending to a destination there. */
  readonly #leftMs = new Map<string, number>()
  readonly #nowMs: () => number
  readonly #keepMs: () => number
  readonly #domain: string

  /** Changes older than `keepMs` are forgotten. */
  constructor(nowMs: () => number, keepMs: () => number, domain = 'cluster.local') {
    this.#nowMs = nowMs
    this.#keepMs = keepMs
    this.#domain = domain
  }

  /** Takes note of a change; metadata and status changes count for nothing. */
  note(before: MeshObject | null, after: MeshObject | null): void {
    const object = after ?? before
    if (object === null) return
    switch (object.kind) {
      case 'Pod':
        if (after?.kind === 'Pod' && after.ready && !(before?.kind === 'Pod' && before.ready)) this.#put(this.#changedMs, refKey(object))
        return
      case 'DestinationRule':
      case 'Service':
        if (specText(before) !== specText(after)) this.#put(this.#changedMs, refKey(object))
        return
      case 'Deployment':
        if (before?.kind === 'Deployment' && givesUpPods(before, after)) {
          const { namespace, templateLabels: labels } = before
          this.#keep(this.#leaving, refKey(before), { namespace, labels, atMs: this.#nowMs() }, ({ atMs }) => atMs)
        }
        return
      case 'VirtualService':
        this.#noteLeft(before, after)
        return
      default:
    }
  }

  /** The latest change that a write newly relies on, or that ended the use of what it takes away; 0 where there is none. */
  lastChangeMs(change: Change, snapshot: Snapshot): number {
    const { before, after, ref } = change
    if (after?.kind === 'VirtualService') {
      const hosts = newlyCarried(before?.kind === 'VirtualService' ? before : null, after, snapshot.settings.domain)
      return Math.max(0, ...hosts.map((host) => this.#arrivedMs(host, snapshot)))
    }
    if (!takesAway(change) && !(ref.kind === 'Service' && change.operation === 'DELETE')) return 0
    return Math.max(0, ...hostsTakenFrom(change, snapshot).map((host) => this.#leftMs.get(host) ?? 0))
  }

  /** When the last thing that a host needs was there: its rules, its Service, a Ready Pod for each of its subsets. */
  #arrivedMs(host: string, snapshot: Snapshot): number {
    const named = serviceOfHost(host, snapshot.settings.domain)
    const service = named === null ? undefined : snapshot.find('Service', named.namespace, named.name)
    const rules = destinationRulesOver(snapshot, host)
    const refs: ObjectRef[] = [...rules, ...(service === undefined ? [] : [service])]
    const pods = service?.selector ? podsSelected(snapshot, service.namespace, service.selector).filter(({ ready }) => ready) : []
    const subsets = rules.flatMap((rule) => rule.subsets.map(({ labels }) => labels))
    const firstReady = [{}, ...subsets].map((labels) => {
      const times = pods.filter((pod) => selects(labels, pod.labels)).map((pod) => this.#at(pod))
      return times.length === 0 ? 0 : Math.min(...times)
    })
    return Math.max(0, ...refs.map((ref) => this.#at(ref)), ...firstReady, service === undefined ? 0 : this.#leftMsOf(service))
  }

  /** Pods that a Deployment was told to give up are Ready for a moment still. */
  #leftMsOf({ namespace, selector }: Service): number {
    const left = [...this.#leaving.values()].filter(
      (each) => selector !== null && each.namespace === namespace && selects(selector, each.labels)
    )
    return Math.max(0, ...left.map(({ atMs }) => atMs))
  }

  #at(ref: ObjectRef): number {
    return this.#changedMs.get(refKey(ref)) ?? 0
  }

  #noteLeft(before: MeshObject | null, after: MeshObject | null): void {
    if (before?.kind !== 'VirtualService') return
    const kept = after?.kind === 'VirtualService' ? carriedHosts(after, this.#domain) : new Map<string, string>()
    for (const [destination, host] of carriedHosts(before, this.#domain)) if (!kept.has(destination)) this.#put(this.#leftMs, host)
  }

  #put(map: Map<string, number>, key: string): void {
    this.#keep(map, key, this.#nowMs(), (ms) => ms)
  }

  #keep<T>(map: Map<string, T>, key: string, value: T, atMs: (value: T) => number): void {
    map.delete(key)
    map.set(key, value)
    for (const [oldest, kept] of map) {
      if (this.#nowMs() - atMs(kept) <= this.#keepMs()) break
      map.delete(oldest)
    }
  }
}

function givesUpPods(before: Deployment, after: MeshObject | null): boolean {
  if (before.replicas === 0 || after?.kind !== 'Deployment') return before.replicas > 0
  return after.replicas === 0 || !sameTemplate(before, after)
}

/** The hosts from which a write takes something: its own, or those of the Services that select a Deployment's Pods. */
function hostsTakenFrom({ before, after, ref }: Change, snapshot: Snapshot): string[] {
  const { domain } = snapshot.settings
  const object = before ?? after
  if (object?.kind === 'DestinationRule') return [resolveHost(object.host, object.namespace, domain)]
  if (object?.kind === 'Service') return [serviceHost(ref.namespace, ref.name, domain)]
  if (object?.kind !== 'Deployment') return []
  return servicesSelecting(snapshot, object.namespace, object.templateLabels).map(({ namespace, name }) =>
    serviceHost(namespace, name, domain)
  )
}

function specText(object: MeshObject | null): string {
  if (object === null) return ''
  const { uid: _u, resourceVersion: _r, createdMs: _c, labels: _l, annotations: _a, deleting: _d, ...spec } = object
  return JSON.stringify(spec)
}
