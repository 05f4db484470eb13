/** The snapshot of a live cluster: one reflector for each kind, with fresh reads and the ledger of this replica's own writes beside them. */

import { KINDS, type Kind, type MeshObject, type ObjectRef, WATCHED_KINDS } from '../kinds/index.ts'
import { type Clock, sleep, systemClock } from '../kubernetes/clock.ts'
import { Connection } from '../kubernetes/connection.ts'
import { type ClusterSource, CredentialReader } from '../kubernetes/credentials.ts'
import { Resources } from '../kubernetes/resources.ts'
import { MeshWorld } from '../mesh/routing/gateway-api/compiled.ts'
import type { PendingWrite } from '../mesh/snapshot/pending.ts'
import { type GivenSettings, meshConfigRef } from '../mesh/snapshot/settings.ts'
import type { Snapshot, World } from '../mesh/snapshot/snapshot.ts'
import type { Health, State } from '../mesh/snapshot/state.ts'
import type { Write } from '../mesh/snapshot/write.ts'
import { LiveFacts } from './facts.ts'
import { Interned } from './intern.ts'
import { Ledger } from './ledger.ts'
import { Mirror } from './mirror.ts'
import type { ClusterEvent, Observe } from './observe.ts'
import { Reflector } from './reflector.ts'
import { DEFAULT_TIMINGS, type Timings } from './timings.ts'

export interface ClusterOptions {
  readonly source: ClusterSource
  readonly kinds: readonly Kind[]
  readonly settings: GivenSettings
  readonly observe: Observe
  readonly timings: Timings
  readonly clock: Clock
  readonly random: () => number
  /** In place of one to the source's server. */
  readonly connection: Connection
}

/** Pods say all that the model asks of EndpointSlices, at a fraction of the churn. */
export const DEFAULT_KINDS = WATCHED_KINDS

export class LiveCluster implements State {
  readonly facts: LiveFacts
  readonly #options: Omit<ClusterOptions, 'connection'>
  /** For what is written beside the state: Events and Leases. */
  readonly connection: Connection
  readonly #world: World
  readonly #ledger: Ledger
  readonly #reflectors: ReadonlyMap<Kind, Reflector>
  /** Kinds whose stream is given a moment to show what a read by name found. */
  readonly #expecting = new Set<Kind>()
  readonly #users: Promise<unknown>[] = []
  #signal: AbortSignal = AbortSignal.abort()
  #ended: Promise<void> = Promise.resolve()

  constructor(options: Partial<ClusterOptions> & Pick<ClusterOptions, 'source'>) {
    const settings = options.settings ?? {}
    const clock = options.clock ?? systemClock
    const random = options.random ?? Math.random
    const timings = options.timings ?? DEFAULT_TIMINGS
    const kinds = options.kinds ?? DEFAULT_KINDS
    this.#options = { settings, clock, random, timings, kinds, source: options.source, observe: options.observe ?? (() => undefined) }
    this.connection = options.connection ?? new Connection(new CredentialReader(options.source), clock)
    this.#world = new MeshWorld(settings, KINDS)
    this.#ledger = new Ledger(this.#world)
    const resources = new Resources(this.connection)
    const observe = (event: ClusterEvent) => this.#observe(event)
    const context = { connection: this.connection, resources, clock, random, timings, observe }
    const interned = new Interned()
    this.#reflectors = new Map(
      kinds.map((kind) => [
        kind,
        new Reflector(new Mirror(kind, this.#world, interned, observe), {
          ...context,
          only: kind === 'MeshConfig' ? meshConfigRef(this.#world.settings) : null
        })
      ])
    )
    this.facts = new LiveFacts({ ...context, domain: this.#world.settings.domain, found: (ref, object) => this.#found(ref, object) })
  }

  /**
   * Follows the cluster until the signal ends. Resolves when every kind that the cluster serves is synced; rejects where the
   * configuration is unusable, and with the signal's reason where that comes first.
   */
  async start(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    await this.connection.open()
    this.#signal = signal
    const reflectors = [...this.#reflectors.values()]
    const loops = reflectors.flatMap((reflector) => [reflector.run(signal), this.#compare(reflector)])
    this.#ended = Promise.all(loops)
      .then(() => Promise.allSettled(this.#users))
      .then(() => this.connection.close())
    await Promise.race([Promise.all(reflectors.map(({ ready }) => ready)), this.#ended])
    signal.throwIfAborted()
  }

  /** Keeps the connection open until that work, which the signal ends, has ended. */
  keepOpen(work: Promise<unknown>): void {
    this.#users.push(work)
  }

  /** Resolves when the signal has ended and nothing is left open. */
  ended(): Promise<void> {
    return this.#ended
  }

  snapshot(): Snapshot {
    return this.#world
  }

  admitted(write: Write): void {
    // A name yet to be generated stands for no object; and a kind that is not followed would never show it.
    if (write.ref.name === '' || !this.#reflectors.has(write.ref.kind)) return
    const pending = this.#ledger.add(write)
    if (pending === null) return
    // Where the server refuses to be asked, the stream is left to tell.
    this.#await(pending).finally(() => this.#ledger.forget(pending))
  }

  pending(): readonly PendingWrite[] {
    return this.#ledger.list()
  }

  health(): Health {
    const now = this.#options.clock.now()
    const ageMs: Partial<Record<Kind, number>> = {}
    const reasons: string[] = []
    for (const { kind, state, heardAtMs } of this.#reflectors.values()) {
      const age = heardAtMs === null ? null : now - heardAtMs
      if (age !== null) ageMs[kind] = age
      if (state === 'unserved') continue
      if (state !== 'synced') reasons.push(`${kind}: not synced`)
      else if (age !== null && age > this.#options.timings.staleMs) reasons.push(`${kind}: not heard from for ${Math.round(age / 1000)} s`)
    }
    return { fresh: reasons.length === 0, ageMs, reasons }
  }

  #observe(event: ClusterEvent): void {
    const ref = event.type === 'changed' ? (event.after ?? event.before) : null
    if (event.type === 'changed' && ref !== null) this.#ledger.seen(ref, event.after)
    this.#options.observe(event)
  }

  /** A write that neither the stream nor a read has shown in time is looked up once more, and given up. */
  async #await(pending: PendingWrite): Promise<void> {
    const { clock, timings } = this.#options
    await sleep(clock, timings.pendingMs, this.#signal)
    if (this.#signal.aborted || !this.#ledger.isPending(pending)) return
    await this.facts.read(pending.ref, this.#signal).catch(() => null)
    if (this.#ledger.isPending(pending)) this.#options.observe({ type: 'write-dropped', kind: pending.ref.kind })
  }

  /** A read by name is news that the stream must show soon: where it does not, it is dead and nobody has noticed. */
  #found(ref: ObjectRef, object: MeshObject | null): void {
    this.#ledger.seen(ref, object)
    const reflector = this.#reflectors.get(ref.kind)
    const stored = this.#world.stored(ref.kind, ref.namespace, ref.name)
    if (reflector?.state !== 'synced' || this.#expecting.has(ref.kind) || this.#signal.aborted) return
    const isBehind = () =>
      object === null
        ? stored !== undefined && this.#world.stored(ref.kind, ref.namespace, ref.name) === stored
        : reflector.isBehind(object.resourceVersion)
    if (!isBehind()) return
    this.#expecting.add(ref.kind)
    sleep(this.#options.clock, this.#options.timings.lagMs, this.#signal).then(() => {
      this.#expecting.delete(ref.kind)
      if (!this.#signal.aborted && isBehind()) reflector.restart('lagging')
    })
  }

  /** Compares a kind with the server from time to time, each kind at its own time; a comparison that fails is made the next time. */
  async #compare(reflector: Reflector): Promise<void> {
    const { clock, random, timings, observe } = this.#options
    const { kind } = reflector
    while (!this.#signal.aborted) {
      await sleep(clock, timings.compareMs * (0.5 + random()), this.#signal)
      try {
        const drifted = await reflector.compare(this.#signal)
        observe({ type: 'compared', kind, drifted })
        if (drifted > 0) reflector.restart('drifted')
      } catch (error) {
        if (this.#signal.aborted) return
        observe({ type: 'uncompared', kind, error: error instanceof Error ? error : new Error(String(error)) })
      }
    }
  }
}
