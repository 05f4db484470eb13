import { InvalidField } from '../kinds/fields.ts'
import { type Kind, type MeshObject, type ObjectOf, type ObjectRef, parseAs } from '../kinds/index.ts'
import { Backoff } from '../kubernetes/backoff.ts'
import { type Clock, sleep } from '../kubernetes/clock.ts'
import { ApiError, type Connection, TooLong } from '../kubernetes/connection.ts'
import { pages, type Resources } from '../kubernetes/resources.ts'
import { Slots } from '../kubernetes/slots.ts'
import { Watchdog } from '../kubernetes/watchdog.ts'
import type { Facts, ListQuery } from '../mesh/snapshot/state.ts'
import type { Observe } from './observe.ts'

/** A connection that was kept may have died in the meantime: a read that takes as long is tried again on another. */
const ATTEMPT_MS = 2_000
/** Reads at a time: watches hold connections of their own, and reads that wait too long for one would be given up, all be tried again, and none be answered. */
const MOST_AT_ONCE = 32

export interface FactsContext {
  readonly connection: Connection
  readonly resources: Resources
  readonly clock: Clock
  /** The cluster's DNS domain, for which names are completed. */
  readonly domain: string
  readonly random: () => number
  readonly observe: Observe
  /** Told what each read by name found. */
  readonly found: (ref: ObjectRef, object: MeshObject | null) => void
}

/** Reads from the API server itself, tried again until the caller's signal ends. */
export class LiveFacts implements Facts {
  readonly #context: FactsContext
  readonly #slots = new Slots(MOST_AT_ONCE)

  constructor(context: FactsContext) {
    this.#context = context
  }

  /** A read by name without a resourceVersion comes from etcd. */
  async read<K extends Kind>(ref: ObjectRef & { readonly kind: K }, signal: AbortSignal): Promise<ObjectOf<K> | null> {
    const { connection, resources, domain } = this.#context
    const object = await this.#persist(signal, async (bounded) => {
      const path = await resources.pathOf(ref, bounded)
      return path === null ? null : parseAs(ref.kind, await connection.json(path, {}, bounded), domain)
    })
    this.#context.found(ref, object)
    return object
  }

  async list<K extends Kind>(query: ListQuery & { readonly kind: K }, signal: AbortSignal): Promise<ObjectOf<K>[]> {
    const { connection, resources, domain, observe } = this.#context
    const { kind, namespace, selector } = query
    const labelSelector = Object.entries(selector ?? {}).map(([key, value]) => `${key}=${value}`)
    const objects = await this.#persist(signal, async (bounded, alive) => {
      const path = namespace === null ? await resources.path(kind, bounded) : await resources.pathIn(kind, namespace, bounded)
      if (path === null) return []
      const found: ObjectOf<K>[] = []
      const options = labelSelector.length === 0 ? {} : { labelSelector: labelSelector.join(',') }
      for await (const page of pages(connection, path, options, bounded)) {
        alive()
        for (const item of page.items) {
          const object = readable(() => parseAs(kind, item, domain))
          if (object === null) observe({ type: 'skipped', kind, why: 'unreadable' })
          else found.push(object)
        }
      }
      return found
    })
    return objects ?? []
  }

  /** Asks until there is an answer; null where there is nothing at that path. */
  async #persist<T>(signal: AbortSignal, ask: (signal: AbortSignal, alive: () => void) => Promise<T>): Promise<T | null> {
    const { clock, random } = this.#context
    const backoff = new Backoff(20, 500, random)
    for (;;) {
      signal.throwIfAborted()
      try {
        return await this.#slots.run(signal, () => this.#attempt(signal, ask))
      } catch (error) {
        signal.throwIfAborted()
        if (error instanceof ApiError && error.status === 404) return null
        if (isFinal(error)) throw error
        await sleep(clock, backoff.next(error instanceof ApiError ? error.retryAfterMs : 0), signal)
      }
    }
  }

  async #attempt<T>(signal: AbortSignal, ask: (signal: AbortSignal, alive: () => void) => Promise<T>): Promise<T> {
    const watchdog = new Watchdog(this.#context.clock, signal)
    const alive = () => watchdog.arm(ATTEMPT_MS, () => new Error(`the API server did not answer within ${ATTEMPT_MS} ms`))
    try {
      alive()
      return await ask(watchdog.signal, alive)
    } finally {
      watchdog.stop()
    }
  }
}

/** null where an object of a list cannot be read: it stands in the way of no other. */
function readable<T>(parse: () => T): T | null {
  try {
    return parse()
  } catch (error) {
    if (error instanceof InvalidField) return null
    throw error
  }
}

/** Asking again would be answered the same: not allowed, not understood, not readable. */
function isFinal(error: unknown): boolean {
  if (error instanceof ApiError) return error.status < 500 && error.status !== 429 && error.status !== 410
  return error instanceof InvalidField || error instanceof TooLong
}
