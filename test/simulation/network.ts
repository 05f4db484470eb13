/** The network between one replica and the API server: latency, late and lost watches, outages. */
import { Readable } from 'node:stream'
import type { Dispatcher } from 'undici'
import type { Kind } from '../../src/kinds/index.ts'
import type { Transport } from '../../src/kubernetes/connection.ts'
import type { Random } from '../random.ts'
import type { VirtualClock } from '../virtual-clock.ts'
import type { Answer, Verb } from './request.ts'
import type { ApiServer } from './server.ts'
import type { Watch } from './watch.ts'

export interface NetworkOptions {
  readonly server: ApiServer
  readonly clock: VirtualClock
  readonly random: Random
  readonly user: string
  /** One way takes up to so long. */
  readonly hopMs: number
}

export class Network implements Transport {
  readonly #options: NetworkOptions
  readonly #watches = new Set<Watch>()
  /** A piece of a watch is late by up to so much. */
  mostLateMs = 0
  isDown = false

  constructor(options: NetworkOptions) {
    this.#options = options
  }

  async request({ method, path, body, headers, signal }: Dispatcher.RequestOptions): ReturnType<Transport['request']> {
    const { random, server, user } = this.#options
    const ended = (signal ?? new AbortController().signal) as AbortSignal
    await this.#hop(ended)
    if (path.includes('watch=true')) return { statusCode: 200, headers: {}, body: this.#watch(path, ended) }
    const request = { method: method as Verb, path, ...(typeof body === 'string' ? { body: JSON.parse(body) } : {}) }
    const metadataOnly = JSON.stringify(headers ?? {}).includes('as=PartialObjectMetadataList')
    const answer = await unlessAborted(server.answer(request, { user, random, signal: ended }, metadataOnly), ended)
    await this.#hop(ended)
    return { statusCode: answer.status, headers: {}, body: bodyOf(answer) }
  }

  /** All open watches of a kind, or of every kind. */
  watches(kind: Kind | null): Watch[] {
    return [...this.#watches].filter(({ place }) => kind === null || place.kind === kind)
  }

  async close(): Promise<void> {
    for (const watch of this.#watches) watch.reset()
  }

  destroy(): Promise<void> {
    return this.close()
  }

  #watch(path: string, signal: AbortSignal): Readable {
    const { hopMs, random, server } = this.#options
    const watch = server.watch(path, random, () => hopMs * random() + this.mostLateMs * random())
    this.#watches.add(watch)
    const abort = () => watch.body.destroy(signal.reason)
    signal.addEventListener('abort', abort, { once: true })
    watch.body.once('close', () => {
      this.#watches.delete(watch)
      signal.removeEventListener('abort', abort)
    })
    return watch.body
  }

  async #hop(signal: AbortSignal): Promise<void> {
    const { clock, hopMs, random } = this.#options
    await unlessAborted(clock.sleep(hopMs * random()), signal)
    if (this.isDown) throw Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' })
  }
}

/** Rejects with the signal's reason as soon as it ends. */
export function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason)
    if (signal.aborted) return abort()
    signal.addEventListener('abort', abort, { once: true })
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort))
  })
}

function bodyOf({ body }: Answer): Readable {
  return Readable.from([Buffer.from(JSON.stringify(body))])
}
