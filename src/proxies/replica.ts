/** A stream to one replica of istiod: what it says of the watched resources and, when asked, of its proxies. */
import { Client, type ClientDuplexStream, credentials, Metadata as GrpcMetadata, type Metadata } from '@grpc/grpc-js'
import type { Sight } from './expectation.ts'
import { type GivenHost, readGiven } from './given.ts'
import { type DiscoveryRequest, type DiscoveryResponse, decodeResponse, encodeRequest, type Node } from './messages.ts'
import { UnknownForm } from './push-version.ts'
import { TYPES } from './resource-types.ts'
import { type ProxyStatus, readSyncz } from './syncz.ts'
import { View } from './view.ts'

const METHOD = '/envoy.service.discovery.v3.AggregatedDiscoveryService/StreamAggregatedResources'
/** The largest answer that is taken: `syncz` has 1 to 3 KB a proxy. */
const MOST_BYTES = 64 << 20
const KINDS = ['cluster', 'endpoint', 'route'] as const

export interface ReplicaOptions {
  /** `ADDRESS:PORT` */
  readonly target: string
  /** The name in its certificate. */
  readonly serverName: string
  /** PEM of the authorities that may have signed it. */
  readonly ca: string
  readonly token: string
  readonly node: Node
  readonly nowMs: () => number
}

export function openReplica(options: ReplicaOptions): Replica {
  return new Replica(options)
}

export class Replica {
  readonly target: string
  readonly view: View
  readonly #client: Client
  readonly #stream: ClientDuplexStream<DiscoveryRequest, DiscoveryResponse>
  readonly #answered = new Map<string, Pick<DiscoveryResponse, 'version' | 'nonce'>>()
  #node: Node | null
  #polling: Promise<ProxyStatus[]> | null = null
  /** Its debug interface answers in the order in which it is asked, one question at a time. */
  #asked: { readonly take: (json: Buffer) => void; readonly fail: (error: Error) => void } | null = null
  #asking: Promise<unknown> = Promise.resolve()
  #changed = Promise.withResolvers<void>()
  #failure: Error | null = null

  constructor({ target, serverName, ca, token, node, nowMs }: ReplicaOptions) {
    this.target = target
    this.view = new View(nowMs)
    this.#node = node
    this.#client = new Client(target, credentials.createSsl(Buffer.from(ca)), {
      'grpc.ssl_target_name_override': serverName,
      'grpc.default_authority': serverName,
      'grpc.max_receive_message_length': MOST_BYTES,
      'grpc.enable_retries': 0,
      'grpc.use_local_subchannel_pool': 1
    })
    this.#stream = this.#client.makeBidiStreamRequest(METHOD, encodeRequest, decodeResponse, bearer(token))
    this.#stream.on('data', (response: DiscoveryResponse) => this.#take(response))
    this.#stream.on('error', (error) => this.#fail(error))
    this.#stream.on('end', () => this.#fail(new Error('istiod ended the stream')))
  }

  /** Why nothing can be learned from it any more; null while something can. */
  get failure(): Error | null {
    return this.#failure
  }

  /** Resolves when it has told something new, or failed. */
  changed(): Promise<void> {
    return this.#failure === null ? this.#changed.promise : Promise.resolve()
  }

  watch(sights: readonly Sight[]): void {
    if (!this.view.watch(sights)) return
    for (const kind of KINDS) {
      const names = this.view.names(kind)
      if (names.length === 0 || !sights.some(({ type }) => type === kind)) continue
      if (kind === 'endpoint') this.view.asked()
      this.#ask(TYPES[kind], names)
    }
  }

  /** What it knows of its proxies now; those who ask at the same time share an answer. */
  proxies(): Promise<ProxyStatus[]> {
    this.#polling ??= this.#debug('syncz')
      .then(readSyncz)
      .finally(() => {
        this.#polling = null
      })
    return this.#polling
  }

  close(): void {
    this.#fail(new Error('closed'))
  }

  /** What it has given a proxy, by its name in `syncz`, of the routes. */
  async routes(proxy: string): Promise<GivenHost[]> {
    return readGiven(await this.#debug(`config_dump?proxyID=${encodeURIComponent(proxy)}&types=rds`))
  }

  async #debug(question: string): Promise<Buffer> {
    const before = this.#asking
    const { promise, resolve, reject } = Promise.withResolvers<Buffer>()
    this.#asking = promise.catch(() => undefined)
    await before
    if (this.#failure !== null) reject(this.#failure)
    else {
      this.#asked = { take: resolve, fail: reject }
      this.#write({ type: TYPES.debug, names: [question], version: '', nonce: '' })
    }
    return promise
  }

  #ask(type: string, names: readonly string[]): void {
    this.#write({ type, names, ...(this.#answered.get(type) ?? { version: '', nonce: '' }) })
  }

  #write(request: Omit<DiscoveryRequest, 'node'>): void {
    this.#stream.write({ ...request, node: this.#node })
    this.#node = null
  }

  #take(response: DiscoveryResponse): void {
    try {
      this.view.take(response)
      const kind = KINDS.find((each) => TYPES[each] === response.type)
      if (kind !== undefined) {
        this.#answered.set(response.type, { version: response.version, nonce: response.nonce })
        this.#ask(response.type, this.view.names(kind))
      } else if (response.type === TYPES.debug) {
        const { buffer, byteOffset, byteLength } = response.resources[0] ?? new Uint8Array()
        this.#asked?.take(Buffer.from(buffer, byteOffset, byteLength))
        this.#asked = null
      }
    } catch (cause) {
      this.#fail(cause instanceof UnknownForm ? cause : new UnknownForm('istiod gave an answer that cannot be read', { cause }))
    }
    this.#tell()
  }

  #tell(): void {
    const { resolve } = this.#changed
    this.#changed = Promise.withResolvers()
    resolve()
  }

  #fail(error: Error): void {
    if (this.#failure !== null) return
    this.#failure = error
    this.#asked?.fail(error)
    this.#stream.cancel()
    this.#client.close()
    this.#tell()
  }
}

function bearer(token: string): Metadata {
  const metadata = new GrpcMetadata()
  metadata.set('authorization', `Bearer ${token}`)
  return metadata
}
