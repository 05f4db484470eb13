/** Tells when the proxies have taken over everything that was written so far. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Api } from '../rig/api.ts'
import { INGRESS, PORTS } from './addresses.ts'
import type { Mesh } from './mesh.ts'
import { must, pathOf } from './objects.ts'

const NAMESPACE = 'marker'
const HOST = `marker.${NAMESPACE}.svc.cluster.local`
/** Two hundred proxies that start at once on a busy machine take minutes. */
const DEADLINE_MS = 300_000

/**
 * A number in a VirtualService of its own. istiod pushes in order and all that it knows at once: a proxy that has routes with a number in
 * them has the routes, clusters and endpoints of the writes before it.
 */
export class Marker {
  readonly #api: Api
  readonly #mesh: Pick<Mesh, 'know'>
  #number = 0

  constructor(api: Api, mesh: Pick<Mesh, 'know'>) {
    this.#api = api
    this.#mesh = mesh
  }

  async install(): Promise<void> {
    await must(this.#api.request('POST', '/api/v1/namespaces', { body: { metadata: { name: NAMESPACE } } }))
    const spec = { ports: [{ name: 'http', port: PORTS.sidecar }] }
    const metadata = { name: 'marker', annotations: { 'networking.istio.io/exportTo': '*' } }
    await must(this.#api.request('POST', `/api/v1/namespaces/${NAMESPACE}/services`, { body: { metadata, spec } }))
    await this.#written()
  }

  /** Resolves when the proxies know every write that was answered before the call. */
  async reached(): Promise<void> {
    // istiod hears of endpoints and of routes by watches of their own, and a new cluster asks for its endpoints after the push: the
    // first mark can be ahead of either by a moment; the second, one push later, is not.
    await this.#written()
    await this.#written()
  }

  /** Changes something every so often, as other people's releases do, until it is stopped. */
  disturb(everyMs: number): { stop(): Promise<void> } {
    const stopped = new AbortController()
    const change = async () => {
      while (!stopped.signal.aborted) {
        await this.#mark()
        await sleep(everyMs, undefined, { signal: stopped.signal }).catch(() => undefined)
      }
    }
    const changing = change()
    return {
      stop: async () => {
        stopped.abort()
        await changing
      }
    }
  }

  async #mark(): Promise<void> {
    this.#number += 1
    const object = virtualService(`mark ${this.#number}.`)
    const path = `${pathOf(object)}?fieldManager=marker&force=true`
    await must(this.#api.request('PATCH', path, { body: object, contentType: 'application/apply-patch+yaml' }))
  }

  async #written(): Promise<void> {
    await this.#mark()
    const deadline = performance.now() + DEADLINE_MS
    while (!(await this.#mesh.know(`mark ${this.#number}.`))) {
      if (performance.now() > deadline) throw new Error(`a proxy did not hear of a write in ${DEADLINE_MS} ms`)
      await sleep(10)
    }
  }
}

function virtualService(text: string) {
  return {
    apiVersion: 'networking.istio.io/v1',
    kind: 'VirtualService',
    metadata: { name: 'marker', namespace: NAMESPACE },
    spec: {
      hosts: [HOST],
      // Whatever the mesh has for its default.
      exportTo: ['*'],
      gateways: ['mesh', `${INGRESS}/gateway`],
      http: [{ directResponse: { status: 200, body: { string: text } } }]
    }
  }
}
