/** The streams to istiod's replicas: opened when somebody asks, closed when nobody has for a while. */
import type { Istiods } from './istiods.ts'
import type { Node } from './messages.ts'
import type { Replica } from './replica.ts'
import { OWN_NAME } from './standing.ts'

/** Streams stay open for so long after the last question: the writes of one release follow one another. */
const LINGER_MS = 10_000
/** A stream that watches more than this is closed, and with it goes what nobody waits for any longer. */
const MOST_WATCHED = 2_000
/** More replicas are not asked: from each an answer of some megabytes may be on its way at once. */
const MOST_REPLICAS = 100

export interface ReplicasOptions {
  readonly istiods: Istiods
  readonly node: Node
  readonly nowMs: () => number
}

export class Replicas {
  readonly #options: ReplicasOptions
  readonly #open = new Map<string, Replica>()
  #closing: NodeJS.Timeout | null = null

  constructor(options: ReplicasOptions) {
    this.#options = options
  }

  /** Loads the library for the streams, which is of no use to a process that holds nothing. */
  async ready(): Promise<void> {
    await import('./replica.ts')
  }

  /** One stream to each replica that there is now; of those that failed, a new one. Rejects where there is none. */
  async current(signal: AbortSignal): Promise<readonly Replica[]> {
    this.#linger()
    const { istiods, node, nowMs } = this.#options
    if ([...this.#open.values()].some(({ failure }) => failure !== null)) istiods.forget()
    const [addresses, ca, token] = await Promise.all([istiods.addresses(signal), istiods.root(signal), istiods.token(signal)])
    const { openReplica } = await import('./replica.ts')
    if (addresses.length === 0) throw new Error('no EndpointSlice labelled app=istiod has a replica of istiod')
    if (addresses.length > MOST_REPLICAS)
      throw new Error(`${addresses.length} replicas of istiod are more than are asked (${MOST_REPLICAS})`)
    const wanted = new Set(addresses.map(({ target }) => target))
    for (const [target, replica] of this.#open) {
      if (wanted.has(target) && replica.failure === null && replica.view.size < MOST_WATCHED) continue
      replica.close()
      this.#open.delete(target)
    }
    for (const { target, serverName } of addresses) {
      if (!this.#open.has(target)) this.#open.set(target, openReplica({ target, serverName, ca, token, node, nowMs }))
    }
    return [...this.#open.values()]
  }

  close(): void {
    if (this.#closing !== null) clearTimeout(this.#closing)
    for (const replica of this.#open.values()) replica.close()
    this.#open.clear()
  }

  #linger(): void {
    if (this.#closing !== null) clearTimeout(this.#closing)
    this.#closing = setTimeout(() => this.close(), LINGER_MS).unref()
  }
}

/** What hitless says of itself: a client in the root namespace for which istiod makes only what is named (`GENERATOR: grpc`). */
export function nodeOf(namespace: string, domain: string, identity: string): Node {
  return {
    id: `sidecar~127.0.0.6~${OWN_NAME}-${identity}.${namespace}~${namespace}.svc.${domain}`,
    metadata: { NAMESPACE: namespace, CLUSTER_ID: 'Kubernetes', GENERATOR: 'grpc' }
  }
}
