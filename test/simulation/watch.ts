/** One watch: events in their order, each as late as the network has it; bookmarks; 410; and whatever ends a stream. */
import { Readable } from 'node:stream'
import type { Random } from '../random.ts'
import type { VirtualClock } from '../virtual-clock.ts'
import { isSelected, versionOf } from './reads.ts'
import { failure, type Place } from './request.ts'
import type { Commit, Store } from './store.ts'

/** kube-apiserver sends one about every minute, and shortly before the end. */
const BOOKMARK_MS = 60_000

export interface WatchOptions {
  readonly store: Store
  readonly clock: VirtualClock
  readonly random: Random
  readonly place: Place
  /** How late the next piece is. */
  readonly delayMs: () => number
}

export class Watch {
  readonly place: Place
  readonly body: Readable
  readonly #options: WatchOptions
  readonly #unfollow: () => void
  #delivered: string
  /** On their way. */
  readonly #pieces: (() => void)[] = []
  #dueMs = 0
  #silent = false
  #over = false

  constructor(options: WatchOptions) {
    this.#options = options
    this.place = options.place
    const { store, place } = options
    this.body = new Readable({ read: () => undefined, destroy: (error, done) => this.#close(error, done) })
    const asked = place.query.get('resourceVersion')
    const isList = place.query.get('sendInitialEvents') === 'true'
    this.#delivered = asked ?? '0'
    this.#unfollow = store.follow((commit) => this.#commit(commit))
    if (isList) this.#initial()
    else this.#resume(Number(asked))
    const seconds = Number(place.query.get('timeoutSeconds') ?? 1800)
    options.clock.after(seconds * 1000, () => this.#send(() => this.end()))
    this.#bookmarks()
  }

  /** The connection is reset. */
  reset(): void {
    this.body.destroy(Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' }))
  }

  /** Ends in the middle of an event. */
  cut(): void {
    if (!this.#over) this.body.push('{"type":"MODIFIED","object":{"kind":"')
    this.end()
  }

  end(): void {
    if (!this.#over) this.body.push(null)
    this.#over = true
  }

  /** Nothing comes any more, and nobody is told: a connection that a firewall forgot. */
  fallSilent(): void {
    this.#silent = true
  }

  #close(error: Error | null, done: (error?: Error | null) => void): void {
    this.#unfollow()
    this.#over = true
    done(error)
  }

  #initial(): void {
    const { store, place } = this.#options
    for (const object of store.list(place.kind, place.namespace)) if (isSelected(object, place.query)) this.#event('ADDED', object)
    this.#bookmark(String(store.revision), { 'k8s.io/initial-events-end': 'true' })
  }

  #resume(from: number): void {
    const { store } = this.#options
    if (from < store.compacted) {
      const { body } = failure(410, 'Expired', `too old resource version: ${from} (${store.compacted + 1})`)
      this.#event('ERROR', body)
      this.#send(() => this.end())
      return
    }
    for (const commit of store.since(from)) this.#commit(commit)
  }

  #commit({ kind, type, object, previous }: Commit): void {
    const { place } = this.#options
    if (kind !== place.kind || (place.namespace !== null && object.metadata.namespace !== place.namespace)) return
    const was = previous !== null && isSelected(previous, place.query)
    const is = type !== 'DELETED' && isSelected(object, place.query)
    if (!was && !is) return
    const { resourceVersion = '' } = object.metadata
    if (was && is) this.#event('MODIFIED', object)
    else if (is) this.#event('ADDED', object)
    // What left the selection is told as it was, with the revision at which it left.
    else this.#event('DELETED', { ...previous, metadata: { ...previous?.metadata, resourceVersion } })
  }

  #bookmarks(): void {
    const { clock, random, store } = this.#options
    clock.after(BOOKMARK_MS * (0.8 + 0.4 * random()), () => {
      if (this.#over) return
      this.#bookmark(this.#pieces.length === 0 ? String(store.revision) : this.#delivered)
      this.#bookmarks()
    })
  }

  #bookmark(resourceVersion: string, annotations?: Readonly<Record<string, string>>): void {
    const { kind } = this.#options.place
    const metadata = { resourceVersion, creationTimestamp: null, ...(annotations === undefined ? {} : { annotations }) }
    this.#event('BOOKMARK', { kind, apiVersion: versionOf(kind), metadata })
  }

  #event(type: string, object: unknown): void {
    const line = `${JSON.stringify({ type, object })}\n`
    const version = (object as { metadata?: { resourceVersion?: string } } | null)?.metadata?.resourceVersion
    this.#send(() => {
      this.#delivered = version ?? this.#delivered
      this.body.push(line)
    })
  }

  /** The order stays, whatever each piece is late by. */
  #send(piece: () => void): void {
    const { clock, delayMs } = this.#options
    this.#dueMs = Math.max(this.#dueMs, clock.now() + delayMs())
    this.#pieces.push(piece)
    clock.after(this.#dueMs - clock.now(), () => {
      const next = this.#pieces.shift()
      if (!this.#silent && !this.#over) next?.()
    })
  }
}
