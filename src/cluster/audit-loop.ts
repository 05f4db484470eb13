/** Gaps of the live cluster as they stand: found from what its watches show, told once when they open and once when they close. */

import { formatRef, type Kind, kindModule, type MeshObject, type ObjectRef, refKey } from '../kinds/index.ts'
import { type Clock, sleep } from '../kubernetes/clock.ts'
import { Steps, unhurried } from '../kubernetes/pace.ts'
import { affectedTargets, affectedTargetsInParts, servicesSelecting, targetKey } from '../mesh/gaps/affected.ts'
import type { TellUnjudged } from '../mesh/gaps/allowance.ts'
import type { Target } from '../mesh/gaps/gaps.ts'
import { changed, everyVirtualService } from '../mesh/routing/gateway-api/compiled.ts'
import { type InParts, paced } from '../mesh/snapshot/in-parts.ts'
import type { Snapshot } from '../mesh/snapshot/snapshot.ts'
import { GapBook, type OpenGap } from './gap-book.ts'

/** Changes come in bursts: a batch of manifests, the Pods of a rollout. */
const DEBOUNCE_MS = 200
/** A gap that closes within this time is a release on its way, such as a Pod between two readiness probes. */
const GRACE_MS = 2_000
/** Targets that are remembered in one look, so that few are looked at twice. */
const MOST_SEEN = 100_000
/** Where nothing changes, this is how often the audit shows that it runs. */
const PULSE_MS = 30_000

export interface AuditLoopOptions {
  readonly clock: Clock
  readonly snapshot: () => Snapshot
  /** The gaps of one target; what is too much work is told, and left out. */
  readonly find: (snapshot: Snapshot, target: Target, tell: TellUnjudged) => readonly OpenGap[]
  /** A gap opened and stayed open. */
  readonly opened: (gap: OpenGap) => void
  readonly closed: (gap: OpenGap) => void
  /** One target or change could not be looked at: what was known of it stays, and all others are looked at. */
  readonly failed: (error: unknown, what: string) => void
  /** A host takes too much work: what was known of it stays. */
  readonly unjudged: TellUnjudged
  /** All that one look found was told. */
  readonly settled: () => void
}

/** What happened to an object since the last look: as it was first. */
interface Changed {
  readonly before: MeshObject | null
  readonly ref: ObjectRef
}

export class AuditLoop {
  readonly #options: AuditLoopOptions
  readonly #book = new GapBook()
  /** Hosts that take too much work. */
  readonly #unjudged = new Set<string>()
  #changed = new Map<string, Changed>()
  #wake: () => void = () => undefined

  constructor(options: AuditLoopOptions) {
    this.#options = options
  }

  /** Looks at the whole cluster once, and gives the gaps that were there before; `run` then looks at what changes. */
  async start(signal: AbortSignal): Promise<OpenGap[]> {
    this.#changed.clear()
    await this.#lookAtEach(this.#everywhere(this.#options.snapshot()), signal)
    this.#book.opened(Number.POSITIVE_INFINITY)
    this.#options.settled()
    return this.open()
  }

  /** Looks at what changed, until the signal ends; one look at a time: what changes meanwhile is for the next. Never rejects. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, failed } = this.#options
    while (!signal.aborted) {
      if (this.#changed.size === 0 && !this.#book.hasUntold()) await this.#changeOr(PULSE_MS, signal)
      await sleep(clock, DEBOUNCE_MS, signal)
      if (signal.aborted) return
      await this.#look(signal).catch((error: unknown) => failed(error, 'a look'))
    }
  }

  /** The gaps that were told. */
  open(): OpenGap[] {
    return this.#book.told()
  }

  /** How many hosts take too much work to be judged. */
  get unjudged(): number {
    return this.#unjudged.size
  }

  changed(before: MeshObject | null, after: MeshObject | null): void {
    const ref = after ?? before
    if (ref === null) return
    const key = refKey(ref)
    if (!this.#changed.has(key)) this.#changed.set(key, { before, ref })
    this.#wake()
  }

  #changeOr(ms: number, signal: AbortSignal): Promise<void> {
    const woken = new AbortController()
    this.#wake = () => woken.abort()
    return sleep(this.#options.clock, ms, AbortSignal.any([signal, woken.signal]))
  }

  async #look(signal: AbortSignal): Promise<void> {
    const { clock, opened, closed, settled } = this.#options
    const seen = new Set<string>()
    const changed = this.#changed
    this.#changed = new Map()
    for await (const each of unhurried(changed.values(), clock)) {
      const affected = await this.#targetsOf(each, signal)
      // Looked at as they are found: a stranger's hosts may be more than memory holds.
      await this.#lookAtEach(unseen(affected, seen), signal)
    }
    for (const gap of this.#book.closed()) closed(gap)
    for (const gap of this.#book.opened(clock.now() - GRACE_MS)) opened(gap)
    settled()
  }

  /** What changes while they are found is for the next look. */
  async #targetsOf(each: Changed, signal: AbortSignal): Promise<Iterable<Target>> {
    const { clock, failed } = this.#options
    try {
      return await paced(this.#affected(each), new Steps(clock), signal)
    } catch (error) {
      if (!signal.aborted) failed(error, formatRef(each.ref))
      return []
    }
  }

  *#affected({ before, ref }: Changed): InParts<Iterable<Target>> {
    const snapshot = this.#options.snapshot()
    const after = snapshot.find(ref.kind, ref.namespace, ref.name) ?? null
    const earlier = changed(snapshot, before === null ? { removed: [ref] } : { added: [before] })
    const objects = [before, after].filter((object): object is MeshObject => object !== null)
    switch (kindModule<Kind>(ref.kind).audited) {
      case 'reach':
        return yield* affectedTargetsInParts(earlier, snapshot, objects, this.#unjudge)
      case 'selecting': {
        const services = objects.flatMap(({ namespace, labels }) => servicesSelecting(snapshot, namespace, labels))
        return yield* affectedTargetsInParts(snapshot, snapshot, services, this.#unjudge)
      }
      case 'discovery':
        return snapshot.settings.discoverySelectors === undefined ? [] : this.#everywhere(snapshot)
      case 'everywhere':
        return this.#everywhere(snapshot)
      case 'nowhere':
        return []
    }
  }

  /** One VirtualService after the other, so that one that cannot be looked at hides no other. */
  *#everywhere(snapshot: Snapshot): Iterable<Target> {
    const seen = new Set<string>()
    for (const vs of everyVirtualService(snapshot)) {
      yield* unseen(this.#unlessFailed(formatRef(vs), () => affectedTargets(snapshot, snapshot, [vs], this.#unjudge)) ?? [], seen)
    }
    yield* this.#book.targets()
  }

  async #lookAtEach(targets: Iterable<Target>, signal: AbortSignal): Promise<void> {
    for await (const target of unhurried(targets, this.#options.clock)) {
      if (signal.aborted) return
      this.#lookAt(target)
    }
  }

  #lookAt(target: Target): void {
    const { snapshot, find, clock } = this.#options
    const leftOut = new Set<'all' | 'some'>()
    const tell: TellUnjudged = (each) => {
      leftOut.add(each.clients)
      this.#unjudge(each)
    }
    const gaps = this.#unlessFailed(target.host, () => find(snapshot(), target, tell))
    if (gaps === null || leftOut.has('all')) return
    if (leftOut.size === 0) this.#unjudged.delete(target.host)
    this.#book.record(target, gaps, clock.now())
  }

  /** Told once for each host, until it is judged again. */
  readonly #unjudge: TellUnjudged = (each) => {
    if (!this.#unjudged.has(each.host)) this.#options.unjudged(each)
    this.#unjudged.add(each.host)
  }

  #unlessFailed<T>(what: string, work: () => T): T | null {
    try {
      return work()
    } catch (error) {
      this.#options.failed(error, what)
      return null
    }
  }
}

function* unseen(targets: Iterable<Target>, seen: Set<string>): Iterable<Target> {
  for (const target of targets) {
    const key = targetKey(target)
    if (seen.has(key)) continue
    if (seen.size < MOST_SEEN) seen.add(key)
    yield target
  }
}
