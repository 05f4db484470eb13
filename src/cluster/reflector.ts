/**
 * Follows one kind: a streaming list whose stream goes on as the watch (KEP-3157), or a list in pages and a watch where the server knows
 * no streaming lists. Whatever goes wrong, it goes on from where it was, or lists again behind the old state.
 */
import type { Readable } from 'node:stream'
import type { Kind } from '../kinds/index.ts'
import { Backoff } from '../kubernetes/backoff.ts'
import { type Clock, sleep } from '../kubernetes/clock.ts'
import { ApiError, type Connection, type Query } from '../kubernetes/connection.ts'
import { LineSplitter } from '../kubernetes/lines.ts'
import { Steps } from '../kubernetes/pace.ts'
import { metadataPages, pages, type Resources } from '../kubernetes/resources.ts'
import { Watchdog } from '../kubernetes/watchdog.ts'
import { isLater } from '../mesh/snapshot/resource-version.ts'
import { Malformed, type Metadata, type Mirror, readMetadata } from './mirror.ts'
import type { Interruption, Observe } from './observe.ts'
import type { Timings } from './timings.ts'
import { IDENTITY, parseEvent, type WatchEvent } from './watch-events.ts'

/** Jobs leave Pods by the thousand that take no request any more. Such a Pod leaves the stream as deleted. */
const SELECTORS: Readonly<Partial<Record<Kind, Query>>> = {
  Pod: { fieldSelector: 'status.phase!=Succeeded,status.phase!=Failed' }
}

export interface ReflectorContext {
  readonly connection: Connection
  readonly resources: Resources
  readonly clock: Clock
  readonly random: () => number
  readonly timings: Timings
  readonly observe: Observe
  /** Of the kind, this object alone; null: all of every namespace. */
  readonly only: { readonly namespace: string; readonly name: string } | null
}

/** `unserved`: the cluster has no such kind now. */
export type ReflectorState = 'starting' | 'unserved' | 'synced'

/** An end of the stream that comes from here and not from the server. */
class Interrupted extends Error {
  override readonly name = 'Interrupted'
  readonly why: Interruption

  constructor(why: Interruption, message: string) {
    super(message)
    this.why = why
  }
}

export class Reflector {
  readonly kind: Kind
  readonly mirror: Mirror
  readonly #context: ReflectorContext
  readonly #backoff: Backoff
  readonly #ready = Promise.withResolvers<void>()
  #state: ReflectorState = 'starting'
  #heardAtMs: number | null = null
  /** Up to where the World has followed; '' while it is listed anew. */
  #resourceVersion = ''
  #listsBy: 'stream' | 'pages' = 'stream'
  /** It was there and is said not to be: believed when said twice. */
  #isSaidUnserved = false
  #listedAtMs = 0
  #watchdog: Watchdog | null = null

  constructor(mirror: Mirror, context: ReflectorContext) {
    this.kind = mirror.kind
    this.mirror = mirror
    this.#context = context
    this.#backoff = new Backoff(context.timings.retryBaseMs, context.timings.retryMaxMs, context.random)
  }

  get state(): ReflectorState {
    return this.#state
  }

  /** When the server last said something that was taken over, on the context's clock; null before the first time. */
  get heardAtMs(): number | null {
    return this.#heardAtMs
  }

  get #selected(): Query {
    const { only } = this.#context
    return only === null ? (SELECTORS[this.kind] ?? {}) : { fieldSelector: `metadata.name=${only.name}` }
  }

  #path(signal: AbortSignal): Promise<string | null> {
    const { resources, only } = this.#context
    return only === null ? resources.path(this.kind, signal) : resources.pathIn(this.kind, only.namespace, signal)
  }

  /** Resolves when this kind is synced, or the cluster said that it does not serve it. */
  get ready(): Promise<void> {
    return this.#ready.promise
  }

  /** Whether the stream has yet to come to this resourceVersion. */
  isBehind(resourceVersion: string): boolean {
    return this.#isListing || isLater(resourceVersion, this.#resourceVersion) === true
  }

  /** Ends the stream and goes on from where it was with a new one. A list under way goes on: begun anew by whatever is read meanwhile, it would never end. */
  restart(why: 'lagging' | 'drifted'): void {
    if (this.#isListing) return
    if (why === 'drifted') this.#listAnew()
    this.#watchdog?.abort(new Interrupted(why, `restarted: ${why}`))
  }

  /** The old state shows until the new one is whole. */
  get #isListing(): boolean {
    return this.#resourceVersion === ''
  }

  #listAnew(): void {
    this.#resourceVersion = ''
  }

  /** Follows until the signal ends; never rejects. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, timings } = this.#context
    while (!signal.aborted) {
      const startedMs = clock.now()
      const retryMs = await this.#attempt(signal)
      if (signal.aborted) return
      const healthy = clock.now() - startedMs >= timings.healthyAfterMs
      if (healthy) this.#backoff.reset()
      if (retryMs === 0) continue
      await sleep(clock, retryMs, signal)
    }
  }

  /**
   * How many objects differ from what the server holds, where the difference does not go away by itself: each is found twice, the same,
   * a pause apart. 0 while not synced.
   */
  async compare(signal: AbortSignal): Promise<number> {
    const first = await this.#differences(signal)
    if (first.size === 0) return 0
    await sleep(this.#context.clock, this.#context.timings.comparePauseMs, signal)
    const second = await this.#differences(signal)
    return [...first].filter((difference) => second.has(difference)).length
  }

  /** One stream, and how long to wait for the next. */
  async #attempt(signal: AbortSignal): Promise<number> {
    const { clock, timings, observe } = this.#context
    const startedMs = clock.now()
    try {
      await this.#session(signal)
      // A server that ends each watch at once is not asked again at once.
      return clock.now() - startedMs >= Math.min(1000, timings.healthyAfterMs) ? 0 : this.#backoff.next()
    } catch (error) {
      if (signal.aborted) return 0
      const why = this.#interruption(error)
      if (why === 'expired' || why === 'malformed' || why === 'unserved') this.#listAnew()
      // A list as a stream ends where one of its lines cannot be read; pages go on.
      if (why === 'malformed') this.#listsBy = 'pages'
      const retryMs = why === 'unsupported' ? 0 : this.#backoff.next(error instanceof ApiError ? error.retryAfterMs : 0)
      // Waiting for a kind that is not there interrupts nothing.
      if (this.#state === 'unserved') return retryMs
      observe({ type: 'interrupted', kind: this.kind, why, error: error instanceof Error ? error : new Error(String(error)), retryMs })
      return retryMs
    }
  }

  #interruption(error: unknown): Interruption {
    if (error instanceof Interrupted) return error.why
    if (error instanceof Malformed || error instanceof SyntaxError || error instanceof RangeError) return 'malformed'
    if (!(error instanceof ApiError)) return 'broken'
    if (error.status === 410 || error.reason === 'Expired' || error.reason === 'Gone') return 'expired'
    if (error.status !== 404) return 'refused'
    this.#context.resources.forget(this.kind)
    return 'unserved'
  }

  async #session(signal: AbortSignal): Promise<void> {
    const path = await this.#bounded(signal, (bounded) => this.#path(bounded))
    if (path === null) this.#miss()
    this.#isSaidUnserved = false
    if (this.#isListing) this.mirror.collect()
    this.#listedAtMs = this.#context.clock.now()
    if (this.#isListing && this.#listsBy === 'pages') await this.#list(path, signal)
    await this.#follow(path, signal)
  }

  /** A kind that is served is not given up at the first word: what was known of it would be lost. */
  #miss(): never {
    if (this.#state !== 'synced' || this.#isSaidUnserved) {
      if (this.#state !== 'unserved') this.#context.observe({ type: 'unserved', kind: this.kind })
      this.#state = 'unserved'
      this.mirror.vanish()
      this.#ready.resolve()
    }
    this.#isSaidUnserved = true
    throw new Interrupted('unserved', 'the cluster does not serve this kind')
  }

  async #list(path: string, signal: AbortSignal): Promise<void> {
    let resourceVersion = ''
    const pace = new Steps(this.#context.clock)
    for await (const page of this.#pages(pages, path, signal)) {
      for (const item of page.items) {
        this.mirror.upsert(item)
        if (pace.isDue()) await pace.turn()
      }
      resourceVersion = page.resourceVersion
    }
    this.#commit(resourceVersion)
    // A server is upgraded some day; and what was slow once need not be so again.
    this.#listsBy = 'stream'
  }

  /** Follows one stream to its end: throws where that is not the one the server had announced. */
  async #follow(path: string, signal: AbortSignal): Promise<void> {
    const watchdog = new Watchdog(this.#context.clock, signal)
    this.#watchdog = watchdog
    let body: Readable | null = null
    try {
      this.#arm(watchdog)
      body = await this.#open(path, watchdog.signal)
      await this.#read(body, watchdog)
    } catch (error) {
      // What a body throws once it is aborted hides why it was.
      throw watchdog.signal.aborted ? watchdog.signal.reason : error
    } finally {
      watchdog.stop()
      this.#watchdog = null
      body?.destroy()
    }
  }

  async #open(path: string, signal: AbortSignal): Promise<Readable> {
    const { connection, random, timings } = this.#context
    const list = this.#isListing
    const query = {
      ...this.#selected,
      watch: true,
      allowWatchBookmarks: true,
      timeoutSeconds: Math.ceil(timings.watchSeconds * (1 + random() / 4)),
      ...(list ? { sendInitialEvents: true, resourceVersionMatch: 'NotOlderThan' } : { resourceVersion: this.#resourceVersion })
    }
    try {
      return await connection.request(path, query, signal)
    } catch (error) {
      if (!list || !(error instanceof ApiError) || (error.status !== 400 && error.status !== 422)) throw error
      this.#listsBy = 'pages'
      throw new Interrupted('unsupported', error.message)
    }
  }

  async #read(body: Readable, watchdog: Watchdog): Promise<void> {
    const lines = new LineSplitter(IDENTITY)
    // A stream that goes on from what was taken over: what came before it is known.
    this.#heard()
    const pace = new Steps(this.#context.clock)
    for await (const chunk of body) {
      for (const line of lines.push(chunk)) {
        this.#take(parseEvent(line))
        this.#heard()
        if (pace.isDue()) await pace.turn()
      }
      this.#arm(watchdog)
    }
    if (lines.pendingBytes > 0) throw new Interrupted('broken', 'the stream ended within an event')
    if (this.#isListing) throw this.#unfinished('the stream ended within the list')
  }

  #arm(watchdog: Watchdog): void {
    const { clock, timings } = this.#context
    if (!this.#isListing) {
      watchdog.arm(timings.idleMs, () => new Interrupted('idle', `nothing came for ${timings.idleMs} ms`))
      return
    }
    const leftMs = this.#listedAtMs + timings.listMs - clock.now()
    watchdog.arm(Math.min(timings.listIdleMs, Math.max(leftMs, 0)), () => this.#unfinished('the list did not come to its end in time'))
  }

  #unfinished(message: string): Interrupted {
    this.#listsBy = 'pages'
    return new Interrupted('unsupported', message)
  }

  #take(event: WatchEvent): void {
    if (event.type === 'bookmark') {
      this.#bookmark(event)
      return
    }
    if (event.type === 'put') this.mirror.upsert(event.object, event.metadata)
    else if (event.type === 'deleted') this.mirror.remove(event.metadata)
    else this.mirror.skip(event.metadata, 'too-long')
    this.#moved(event.metadata)
  }

  #bookmark({ resourceVersion, endsList }: Extract<WatchEvent, { type: 'bookmark' }>): void {
    // A server whose etcd was restored counts from lower down: it would tell nothing until it has come back up to here.
    if (isLater(this.#resourceVersion, resourceVersion) === true) throw new ApiError(410, 'Expired', 'the server went back in time')
    if (!this.#isListing) this.#resourceVersion = resourceVersion
    else if (endsList) this.#commit(resourceVersion)
  }

  /** Within a list the order says nothing: only its end tells how far it came. */
  #moved({ resourceVersion }: Metadata): void {
    if (this.#isListing) return
    if (isLater(resourceVersion, this.#resourceVersion) !== false) this.#resourceVersion = resourceVersion
  }

  #commit(resourceVersion: string): void {
    this.mirror.commit()
    this.#resourceVersion = resourceVersion
    this.#state = 'synced'
    const tookMs = this.#context.clock.now() - this.#listedAtMs
    this.#context.observe({ type: 'synced', kind: this.kind, objects: this.mirror.size, tookMs })
    this.#heard()
    this.#ready.resolve()
  }

  /** What the World shows is what the server says: while a list is not whole, nothing that comes tells so. */
  #heard(): void {
    if (!this.#isListing) this.#heardAtMs = this.#context.clock.now()
  }

  /** Each object that the World shows otherwise than the server, with both states, so that only the same difference is the same. */
  async #differences(signal: AbortSignal): Promise<Set<string>> {
    const differences = new Set<string>()
    const path = this.#state === 'synced' ? await this.#path(signal) : null
    if (path === null) return differences
    const listed = new Set<string>()
    for await (const page of this.#pages(metadataPages, path, signal)) {
      for (const item of page.items) {
        const metadata = readMetadata(item)
        const name = `${metadata.namespace}/${metadata.name}`
        listed.add(name)
        if (this.mirror.shows(metadata)) continue
        const stored = this.mirror.find(metadata.namespace, metadata.name)
        differences.add(`${name} ${metadata.uid} ${metadata.resourceVersion} ${stored?.uid} ${stored?.resourceVersion}`)
      }
    }
    for (const { namespace, name, uid, resourceVersion } of this.mirror.all()) {
      if (!listed.has(`${namespace}/${name}`)) differences.add(`${namespace}/${name} ${uid} ${resourceVersion}`)
    }
    return differences
  }

  async *#pages(read: typeof pages, path: string, signal: AbortSignal): ReturnType<typeof pages> {
    const { clock, connection, timings } = this.#context
    const watchdog = new Watchdog(clock, signal)
    const arm = () => watchdog.arm(timings.requestMs, () => new Interrupted('idle', `no page within ${timings.requestMs} ms`))
    try {
      arm()
      for await (const page of read(connection, path, this.#selected, watchdog.signal)) {
        yield page
        arm()
      }
    } finally {
      watchdog.stop()
    }
  }

  async #bounded<T>(signal: AbortSignal, ask: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const { clock, timings } = this.#context
    const watchdog = new Watchdog(clock, signal)
    watchdog.arm(timings.requestMs, () => new Interrupted('idle', `no answer within ${timings.requestMs} ms`))
    try {
      return await ask(watchdog.signal)
    } finally {
      watchdog.stop()
    }
  }
}
