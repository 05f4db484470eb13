/** One replica of several holds a Lease (coordination.k8s.io) at a time; another takes it over once it is not renewed. */
import { Fields } from '../kinds/fields.ts'
import { type Clock, sleep } from './clock.ts'
import { ApiError, type Connection } from './connection.ts'

const DURATION_MS = 10_000
const RENEW_MS = 2_500
const REQUEST_MS = 5_000

export interface LeaseOptions {
  readonly connection: Connection
  readonly clock: Clock
  readonly nowMs: () => number
  readonly name: string
  /** Of this replica, unlike any other's. */
  readonly identity: string
  /** Told when this replica begins and ceases to hold it. */
  readonly changed: (held: boolean) => void
  /** Told why the Lease could not be read or written, once until that works again. */
  readonly failed: (error: unknown) => void
}

/** A Lease as the API server has it: what is read of it, and what is written back. */
interface Stored {
  readonly version: string
  /** '' where nobody holds it. */
  readonly holder: string
  readonly durationMs: number
  readonly transitions: number
  readonly metadata: object
  readonly spec: object
}

export class Lease {
  readonly #options: LeaseOptions
  #heldUntilMs = Number.NEGATIVE_INFINITY
  #told = false
  #failing = false
  /** When this replica first saw the stored version: expiry is counted on its own clock, as other clocks may be wrong. */
  #seen = { version: '', atMs: 0 }

  constructor(options: LeaseOptions) {
    this.#options = options
  }

  /** Acquires, renews and takes over until the signal ends, and then gives it up, so that another replica need not wait for it to run out. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.#turn(signal)
      await sleep(this.#options.clock, RENEW_MS, signal)
    }
    // Where that fails it runs out.
    if (this.#told) await this.#release(AbortSignal.timeout(REQUEST_MS)).catch(() => undefined)
    this.#tell(false)
  }

  async #turn(signal: AbortSignal): Promise<void> {
    const { clock, failed } = this.#options
    const startedMs = clock.now()
    try {
      if (await this.#attempt(AbortSignal.any([signal, AbortSignal.timeout(REQUEST_MS)]))) this.#heldUntilMs = startedMs + DURATION_MS
      else this.#heldUntilMs = Number.NEGATIVE_INFINITY
      this.#failing = false
    } catch (error) {
      // Who cannot renew holds it to its end, and no longer than others believe.
      if (!signal.aborted && !this.#failing) failed(error)
      this.#failing = true
    }
    this.#tell(clock.now() + RENEW_MS < this.#heldUntilMs)
  }

  #tell(held: boolean): void {
    if (held === this.#told) return
    this.#told = held
    this.#options.changed(held)
  }

  /** True where this replica holds the Lease afterwards. A conflict means that another was quicker. */
  async #attempt(signal: AbortSignal): Promise<boolean> {
    const { connection, name, identity } = this.#options
    const path = `/apis/coordination.k8s.io/v1/namespaces/${await connection.namespace()}/leases`
    try {
      const stored = await this.#read(`${path}/${name}`, signal)
      // By apply, which names it, so that RBAC can allow this name alone; unforced, so that what another just created is a conflict.
      if (stored === null) await connection.apply(`${path}/${name}`, this.#next(null), { fieldManager: `hitless-${identity}` }, signal)
      else if (!this.#isFree(stored, identity)) return false
      else await connection.send('PUT', `${path}/${name}`, this.#next(stored), signal)
      return true
    } catch (error) {
      if (error instanceof ApiError && error.status === 409) return false
      throw error
    }
  }

  async #release(signal: AbortSignal): Promise<void> {
    const { connection, name, identity } = this.#options
    const path = `/apis/coordination.k8s.io/v1/namespaces/${await connection.namespace()}/leases/${name}`
    const stored = await this.#read(path, signal)
    if (stored?.holder !== identity) return
    await connection.send('PUT', path, leaseOf(stored.metadata, { ...stored.spec, holderIdentity: '' }), signal)
  }

  async #read(path: string, signal: AbortSignal): Promise<Stored | null> {
    const found = await this.#options.connection.find(path, signal)
    return found === null ? null : readLease(found)
  }

  #isFree({ version, holder, durationMs }: Stored, identity: string): boolean {
    const now = this.#options.clock.now()
    if (version !== this.#seen.version) this.#seen = { version, atMs: now }
    return holder === '' || holder === identity || now - this.#seen.atMs > durationMs
  }

  #next(stored: Stored | null): unknown {
    const { identity, name } = this.#options
    const time = new Date(this.#options.nowMs()).toISOString().replace('Z', '000Z')
    const moved = stored !== null && stored.holder !== identity
    return leaseOf(stored?.metadata ?? { name }, {
      ...stored?.spec,
      holderIdentity: identity,
      leaseDurationSeconds: DURATION_MS / 1000,
      renewTime: time,
      ...(stored === null || moved ? { acquireTime: time, leaseTransitions: (stored?.transitions ?? 0) + Number(moved) } : {})
    })
  }
}

function leaseOf(metadata: object, spec: object): unknown {
  return { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', metadata, spec }
}

function readLease(found: unknown): Stored {
  const lease = new Fields(found)
  const metadata = lease.child('metadata')
  const spec = lease.child('spec')
  return {
    version: metadata?.string('resourceVersion') ?? '',
    holder: spec?.string('holderIdentity') ?? '',
    durationMs: (spec?.number('leaseDurationSeconds', 0) ?? 0) * 1000,
    transitions: spec?.number('leaseTransitions', 0) ?? 0,
    metadata: metadata?.value ?? {},
    spec: spec?.value ?? {}
  }
}
