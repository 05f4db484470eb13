/** One release in a namespace of its own: what stands there, what is written, and when all of it is known to the proxies. */
import { isDeepStrictEqual } from 'node:util'
import { ROUTE_KINDS } from '../../src/kinds/index.ts'
import type { Manifest } from '../manifests.ts'
import type { ApiAnswer } from '../rig/api.ts'
import { inNamespace, must, pathOf } from './objects.ts'
import type { Rig } from './rig.ts'
import type { WriteStep } from './scripts.ts'
import { settled } from './settled.ts'

type Body = Record<string, unknown>

const ROUTES: readonly string[] = ROUTE_KINDS
let made = 0

export class Release {
  readonly host: string
  readonly #rig: Rig
  readonly #namespace: string
  readonly #held = new Map<string, () => void>()
  /** What was written last, by path, and was admitted. */
  readonly #standing = new Map<string, Manifest>()

  constructor(rig: Rig) {
    made += 1
    this.#rig = rig
    this.#namespace = `release-${made}`
    this.host = `helloworld.${this.#namespace}.svc.cluster.local`
  }

  /** Resolves when everything is served that stands before the first write. */
  async start(base: readonly Manifest[]): Promise<void> {
    await must(this.#rig.plane.api.request('POST', '/api/v1/namespaces', { body: { metadata: { name: this.#namespace } } }))
    const isRoute = ({ kind }: Manifest) => ROUTES.includes(kind)
    // Routes come last: to Pods that are not Ready yet they would be refused, where others of the Service answer already.
    for (const objects of [base.filter((object) => !isRoute(object)), base.filter(isRoute)]) {
      for (const object of objects) await must(this.write(this.placed({ do: 'apply', what: '', object })))
      await this.quiet()
    }
  }

  /** The step with its object in the release's namespace. */
  placed(step: WriteStep): WriteStep {
    return { ...step, object: inNamespace(this.#namespace, step.object) }
  }

  /** What the step would write is there already. */
  stands(step: WriteStep): boolean {
    return step.do === 'apply' && isDeepStrictEqual(this.#standing.get(pathOf(step.object)), step.object)
  }

  async write(step: WriteStep): Promise<ApiAnswer<Body>> {
    const answer = await this.#request(step)
    if (answer.status < 300) this.#stand(step)
    return answer
  }

  /** Makes a write, whatever it does, and returns how to take it back. */
  async force(step: WriteStep): Promise<() => Promise<void>> {
    const { object } = step
    await must(this.#request(step))
    const before = this.#standing.get(pathOf(object))
    return async () => {
      await must(this.#request(before === undefined ? { do: 'delete', what: '', object } : { do: 'apply', what: '', object: before }))
    }
  }

  /** The version's Pods become and stay unready. */
  async hold(version: string): Promise<void> {
    this.#held.set(version, this.#rig.plane.holdUnready({ namespace: this.#namespace, labels: { version } }))
    await this.quiet()
  }

  async letGo(version: string): Promise<void> {
    this.#held.get(version)?.()
    this.#held.delete(version)
    await this.quiet()
  }

  /** Resolves when the controllers have done what was written. */
  async settled(): Promise<void> {
    await settled(this.#rig.plane.api, this.#namespace, new Set(this.#held.keys()))
  }

  /** Resolves when the controllers have done what was written, and the proxies know it. */
  async quiet(): Promise<void> {
    await this.settled()
    await this.#rig.marker.reached()
  }

  /** Leaves nothing behind that the next one could meet; the namespace's controller takes its time for the rest. */
  async end(): Promise<void> {
    for (const letGo of this.#held.values()) letGo()
    const { api } = this.#rig.plane
    const abroad = [...this.#standing.values()].filter(({ metadata }) => metadata['namespace'] !== this.#namespace)
    for (const object of abroad) await must(api.request('DELETE', pathOf(object)))
    await must(api.request('DELETE', `/api/v1/namespaces/${this.#namespace}`))
  }

  #stand(step: WriteStep): void {
    const path = pathOf(step.object)
    if (step.do === 'delete') this.#standing.delete(path)
    else this.#standing.set(path, step.do === 'scale' ? scaled(step.object, step.replicas) : step.object)
  }

  #request(step: WriteStep): Promise<ApiAnswer<Body>> {
    const { api } = this.#rig.plane
    const path = pathOf(step.object)
    const as = step.as === undefined ? {} : { as: step.as }
    if (step.do === 'scale') {
      const body = { spec: { replicas: step.replicas } }
      return api.request('PATCH', `${path}/scale`, { body, contentType: 'application/merge-patch+json', ...as })
    }
    if (step.do === 'delete') return api.request('DELETE', path, as)
    const options = { body: step.object, contentType: 'application/apply-patch+yaml', ...as }
    return api.request('PATCH', `${path}?fieldManager=release&force=true`, options)
  }
}

function scaled(object: Manifest, replicas: number): Manifest {
  return { ...object, spec: { ...Object(object['spec']), replicas } }
}
