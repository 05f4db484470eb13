/** A namespace with one release in it, made by a release controller. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Manifest } from '../manifests.ts'
import type { ControlPlane } from '../rig/control-plane.ts'
import type { ReleaseControllers } from '../rig/release-controllers.ts'

const LATEST_MS = 4 * 60_000

export interface Scene {
  readonly plane: ControlPlane
  readonly controllers: ReleaseControllers
  /** What hitless has logged so far; null where nobody judges. */
  readonly log: (() => string) | null
}

interface SeenRollout {
  readonly metadata: { readonly generation: number }
  readonly spec: { readonly template: { readonly spec: { readonly containers: readonly { readonly image: string }[] } } }
  readonly status?: {
    readonly phase?: string
    readonly abort?: boolean
    readonly replicas?: number
    readonly observedGeneration?: string
    readonly stableRS?: string
    readonly currentPodHash?: string
  }
}

interface SeenCanary {
  readonly status?: { readonly phase?: string }
}

interface SeenRoute {
  readonly spec: { readonly http: readonly { readonly name?: string; readonly route: readonly { readonly weight?: number }[] }[] }
}

interface SeenService {
  readonly spec: { readonly selector: Readonly<Record<string, string>> }
}

/** An object of a release; all of them are called the same. */
type Kind = 'Rollout' | 'Canary' | 'VirtualService' | 'Service' | 'Deployment'

const API: Readonly<Record<Kind, string>> = {
  Rollout: 'argoproj.io/v1alpha1',
  Canary: 'flagger.app/v1beta1',
  VirtualService: 'networking.istio.io/v1',
  Service: 'v1',
  Deployment: 'apps/v1'
}

export class Place {
  readonly name: string
  readonly #scene: Scene

  constructor(name: string, scene: Scene) {
    this.name = name
    this.#scene = scene
  }

  async open(): Promise<void> {
    const metadata = { name: this.name, labels: { 'istio-injection': 'enabled' } }
    await this.#must('POST', '/api/v1/namespaces', { metadata })
  }

  async apply(world: readonly Manifest[]): Promise<void> {
    for (const object of world) {
      const path = this.#path(object.apiVersion, object.kind, String(object.metadata['name']))
      await this.#must('PATCH', `${path}?fieldManager=release&force=true`, object, 'application/apply-patch+yaml')
    }
  }

  rollout = () => this.#get<SeenRollout>('Rollout')
  canary = () => this.#get<SeenCanary>('Canary')
  route = () => this.#get<SeenRoute>('VirtualService')
  service = () => this.#get<SeenService>('Service')

  async patch(kind: Kind, body: unknown, subresource = ''): Promise<void> {
    await this.#must('PATCH', `${this.#path(API[kind], kind, 'web')}${subresource}`, body, 'application/merge-patch+json')
  }

  async remove(kind: Kind): Promise<void> {
    await this.#must('DELETE', this.#path(API[kind], kind, 'web'))
  }

  async has(kind: Kind, name: string): Promise<boolean> {
    return (await this.#scene.plane.api.request('GET', this.#path(API[kind], kind, name))).status === 200
  }

  /** Pods of this place with these labels become and stay unready until the returned function is called. */
  hold(labels: Readonly<Record<string, string>>): () => void {
    return this.#scene.plane.holdUnready({ namespace: this.name, labels })
  }

  /** The same for one of them, whichever. */
  async holdOne(labels: Readonly<Record<string, string>>): Promise<() => void> {
    const selector = encodeURIComponent(
      Object.entries(labels)
        .map((label) => label.join('='))
        .join()
    )
    const pods = `/api/v1/namespaces/${this.name}/pods`
    const { body } = await this.#scene.plane.api.request<{ items: { metadata: { name: string } }[] }>(
      'GET',
      `${pods}?labelSelector=${selector}`
    )
    await this.#must(
      'PATCH',
      `${pods}/${body.items[0]?.metadata.name}`,
      { metadata: { labels: { held: 'yes' } } },
      'application/merge-patch+json'
    )
    return this.hold({ held: 'yes' })
  }

  async until(what: string, holds: () => Promise<boolean>): Promise<void> {
    const started = performance.now()
    while (!(await holds())) {
      await this.#scene.controllers.check()
      if (performance.now() - started > LATEST_MS) {
        const args = ['get', 'rollouts,canaries,virtualservices,destinationrules,deployments,replicasets,pods,events', '-n', this.name]
        const { stdout } = await this.#scene.plane.kubectl([...args, '-o', 'wide'])
        throw new Error(`${this.name}: ${what}: not in time\n${stdout}`)
      }
      await sleep(250)
    }
  }

  /** What weight each destination of the first route has, in order. */
  async weights(): Promise<number[]> {
    return (await this.route())?.spec.http[0]?.route.map(({ weight = 0 }) => weight) ?? []
  }

  untilWeights(...weights: readonly number[]): Promise<void> {
    return this.until(`the weights are ${weights.join('/')}`, async () => (await this.weights()).join() === weights.join())
  }

  /** The lines in which hitless tells of its refusals here. */
  refusals(): string[] {
    const lines = this.#scene.log?.().split('\n') ?? []
    return lines.filter((line) => line.includes('"msg":"denied"') && line.includes(` ${this.name}/`))
  }

  /** Where nobody judges, the write is made, and requests get what comes of it for a while. */
  async untilRefused(isMade: () => Promise<boolean>): Promise<void> {
    if (this.#scene.log !== null) return this.until('a write is refused', async () => this.refusals().length > 0)
    await this.until('the write is made', isMade)
    await sleep(3000)
  }

  #path(apiVersion: string, kind: string, name: string): string {
    const plural = kind.toLowerCase().replace(/y$/, 'ie')
    return `/${apiVersion === 'v1' ? 'api' : 'apis'}/${apiVersion}/namespaces/${this.name}/${plural}s/${name}`
  }

  /** Undefined where there is none called `web`. */
  async #get<T>(kind: Kind): Promise<T | undefined> {
    const { status, body } = await this.#scene.plane.api.request<T>('GET', this.#path(API[kind], kind, 'web'))
    return status === 200 ? body : undefined
  }

  async #must(method: 'POST' | 'PATCH' | 'DELETE', path: string, body?: unknown, contentType = 'application/json'): Promise<void> {
    const answer = await this.#scene.plane.api.request(method, path, body === undefined ? {} : { body, contentType })
    if (answer.status >= 300) throw new Error(`${this.name}: ${method} ${path}: ${answer.status} ${JSON.stringify(answer.body)}`)
  }
}
