/** Gaps of the live cluster as they stand: found from what its watches show, told once when they open and once when they close. */

import { type MeshObject, type ObjectRef, refKey } from '../kinds/index.ts'
import type { Clock } from '../kubernetes/clock.ts'
import { unhurried } from '../kubernetes/pace.ts'
import { affectedTargets, everyTarget, servicesSelecting, targetKey } from '../mesh/gaps/affected.ts'
import type { Target } from '../mesh/gaps/gaps.ts'
import { overlay, type Snapshot } from '../mesh/snapshot/snapshot.ts'

/** Changes come in bursts: a batch of manifests, the Pods of a rollout. */
const DEBOUNCE_MS = 200
/** A gap that closes within this time is a release on its way, such as a Pod between two readiness probes. */
const GRACE_MS = 2_000

export interface OpenGap {
  /** Equal for the same gap at any time. */
  readonly key: string
  readonly rule: string
  /** At fault; null where the gap is of Istio's own default routes. */
  readonly object: ObjectRef | null
  readonly message: string
}

export interface AuditLoopOptions {
  readonly clock: Clock
  readonly snapshot: () => Snapshot
  readonly find: (snapshot: Snapshot, targets: readonly Target[]) => readonly OpenGap[]
  /** A gap opened and stayed open. */
  readonly opened: (gap: OpenGap) => void
  readonly closed: (gap: OpenGap) => void
  /** A look ended before its time; the next change brings another. */
  readonly failed: (error: unknown) => void
  /** All that one look found was told. */
  readonly settled: () => void
}

interface Place {
  readonly target: Target
  /** Keys of the gaps that it shows. */
  readonly gaps: ReadonlySet<string>
}

interface Tracked {
  readonly gap: OpenGap
  readonly sinceMs: number
  told: boolean
  /** The targets that show it. */
  readonly targets: Set<string>
}

export class AuditLoop {
  readonly #options: AuditLoopOptions
  /** The targets that show a gap. */
  readonly #places = new Map<string, Place>()
  readonly #tracked = new Map<string, Tracked>()
  /** What changed since the last look, each object as it was first. */
  #changed = new Map<string, { readonly before: MeshObject | null; readonly ref: ObjectRef }>()
  #cancel: (() => void) | null = null
  #started = false
  #signal: AbortSignal = AbortSignal.abort()

  constructor(options: AuditLoopOptions) {
    this.#options = options
  }

  /** Looks at the whole cluster once, and gives the gaps that were there before; from then on only changes are looked at. */
  async start(signal: AbortSignal): Promise<OpenGap[]> {
    this.#changed.clear()
    await this.#lookAtEach(everyTarget(this.#options.snapshot()), signal)
    for (const tracked of this.#tracked.values()) tracked.told = true
    this.#started = true
    this.#signal = signal
    signal.addEventListener('abort', () => this.#cancel?.(), { once: true })
    if (this.#changed.size > 0) this.#wake()
    return this.open()
  }

  /** The gaps that were told. */
  open(): OpenGap[] {
    return [...this.#tracked.values()].filter(({ told }) => told).map(({ gap }) => gap)
  }

  changed(before: MeshObject | null, after: MeshObject | null): void {
    const ref = after ?? before
    if (ref === null) return
    const key = refKey(ref)
    if (!this.#changed.has(key)) this.#changed.set(key, { before, ref })
    if (this.#started) this.#wake()
  }

  /** One look at a time: what changes meanwhile is for the next. */
  #wake(): void {
    if (this.#cancel !== null) return
    this.#cancel = this.#options.clock.after(DEBOUNCE_MS, () => {
      const told = (error: unknown) => {
        this.#options.failed(error)
        return false
      }
      this.#look()
        .catch(told)
        .then((isWaiting) => {
          this.#cancel = null
          if (isWaiting || this.#changed.size > 0) this.#wake()
        })
    })
  }

  /** True where a gap is in its time of grace. */
  async #look(): Promise<boolean> {
    const { clock } = this.#options
    const targets = new Map<string, Target>()
    for await (const { before, ref } of unhurried(this.#takeChanges(), clock)) {
      const affected = this.#affected(this.#options.snapshot(), before, ref)
      for await (const target of unhurried(affected, clock)) targets.set(targetKey(target), target)
    }
    await this.#lookAtEach(targets.values(), this.#signal)
    return this.#settle()
  }

  #takeChanges(): Iterable<{ readonly before: MeshObject | null; readonly ref: ObjectRef }> {
    const changed = this.#changed
    this.#changed = new Map()
    return changed.values()
  }

  #affected(snapshot: Snapshot, before: MeshObject | null, ref: ObjectRef): Iterable<Target> {
    const after = snapshot.find(ref.kind, ref.namespace, ref.name) ?? null
    const earlier = before === null ? overlay(snapshot, { removed: [ref] }) : overlay(snapshot, { added: [before] })
    const objects = [before, after].filter((object): object is MeshObject => object !== null)
    switch (ref.kind) {
      case 'VirtualService':
      case 'DestinationRule':
      case 'Service':
        return affectedTargets(earlier, snapshot, objects)
      case 'Pod':
        return affectedTargets(
          snapshot,
          snapshot,
          objects.flatMap(({ namespace, labels }) => servicesSelecting(snapshot, namespace, labels))
        )
      // Deployments serve through their Pods alone; a Namespace's labels only choose modes.
      case 'Deployment':
      case 'Namespace':
      case 'EndpointSlice':
        return []
      // Gateways, ServiceEntries and their like change seldom, and what they affect is far away.
      default:
        return this.#everywhere(snapshot)
    }
  }

  *#everywhere(snapshot: Snapshot): Iterable<Target> {
    yield* everyTarget(snapshot)
    for (const { target } of this.#places.values()) yield target
  }

  async #lookAtEach(targets: Iterable<Target>, signal: AbortSignal): Promise<void> {
    for await (const target of unhurried(targets, this.#options.clock)) {
      if (signal.aborted) return
      this.#lookAt(this.#options.snapshot(), target)
    }
  }

  #lookAt(snapshot: Snapshot, target: Target): void {
    const place = targetKey(target)
    const found = new Map(this.#options.find(snapshot, [target]).map((gap) => [gap.key, gap]))
    for (const key of this.#places.get(place)?.gaps ?? []) if (!found.has(key)) this.#tracked.get(key)?.targets.delete(place)
    for (const [key, gap] of found) {
      const tracked = this.#tracked.get(key) ?? { gap, sinceMs: this.#options.clock.now(), told: false, targets: new Set() }
      tracked.targets.add(place)
      this.#tracked.set(key, tracked)
    }
    if (found.size > 0) this.#places.set(place, { target, gaps: new Set(found.keys()) })
    else this.#places.delete(place)
  }

  /** Tells what stayed open through its time of grace, and what closed; true where a gap is still in it. */
  #settle(): boolean {
    const now = this.#options.clock.now()
    let isWaiting = false
    for (const [key, tracked] of this.#tracked) {
      if (tracked.targets.size === 0) {
        this.#tracked.delete(key)
        if (tracked.told) this.#options.closed(tracked.gap)
      } else if (!tracked.told && now - tracked.sinceMs >= GRACE_MS) {
        tracked.told = true
        this.#options.opened(tracked.gap)
      } else if (!tracked.told) isWaiting = true
    }
    this.#options.settled()
    return isWaiting
  }
}
