/** The simulated API server: one store, and what clients may ask of it. */
import type { Random } from '../random.ts'
import type { VirtualClock } from '../virtual-clock.ts'
import { Reads } from './reads.ts'
import { type Answer, type ApiRequest, failure, type Place, placeOf, resourcesAt } from './request.ts'
import type { Store } from './store.ts'
import { Watch } from './watch.ts'
import { type Client, Writes, type WritesOptions } from './writes.ts'

/** A consistent list waits for the progress of the server's cache, which etcd tells every so often. */
const PROGRESS_MS = 100

export interface ServerOptions extends WritesOptions {
  readonly pageLimit: number
}

export class ApiServer {
  readonly store: Store
  readonly #clock: VirtualClock
  readonly #reads: Reads
  readonly #writes: Writes

  constructor(options: ServerOptions) {
    this.store = options.store
    this.#clock = options.clock
    this.#reads = new Reads(options.store, options.pageLimit)
    this.#writes = new Writes(options)
  }

  async answer(request: ApiRequest, client: Client, metadataOnly = false): Promise<Answer> {
    const resources = resourcesAt(request.path)
    if (resources !== null)
      return { status: 200, body: { kind: 'APIResourceList', resources: resources.map((name) => ({ name })) }, warnings: [] }
    const place = placeOf(request.path)
    if (place === null) return failure(404, 'NotFound', 'the server could not find the requested resource')
    if (request.method !== 'GET') return this.#writes.write(request, place, client)
    if (isNamed(place)) return this.#reads.get(place)
    if (!place.query.has('continue')) await this.#clock.sleep(PROGRESS_MS * client.random())
    return this.#reads.list(place, metadataOnly)
  }

  watch(path: string, random: Random, delayMs: () => number): Watch {
    const place = placeOf(path)
    if (place === null) throw new Error(`a watch of ${path}`)
    return new Watch({ store: this.store, clock: this.#clock, random, place, delayMs })
  }
}

function isNamed(place: Place): place is Place & { readonly name: string } {
  return place.name !== null
}
