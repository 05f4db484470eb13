/** What Kubernetes' own controllers and a kubelet do, each as late as it likes: Pods of Deployments, their Readiness, garbage, namespaces. */
import { KINDS, kindModule } from '../../src/kinds/index.ts'
import type { Random } from '../random.ts'
import type { VirtualClock } from '../virtual-clock.ts'
import { type ApiRequest, pathOf } from './request.ts'
import type { Commit, Manifest, Store } from './store.ts'

export interface ControllersOptions {
  readonly store: Store
  readonly clock: VirtualClock
  readonly random: Random
  /** Sends a request as this user; never rejects. */
  readonly send: (request: ApiRequest, user: string) => Promise<unknown>
  /** How long a Pod takes to start or to stop, at most. */
  readonly podMs: number
}

const LAG_MS = 50
const USER = 'system:serviceaccount:kube-system:'

interface Template {
  readonly metadata?: { readonly labels?: Readonly<Record<string, string>> }
  readonly spec?: unknown
}

export class Controllers {
  readonly #options: ControllersOptions
  readonly #due = new Set<string>()
  #pods = 0

  constructor(options: ControllersOptions) {
    this.#options = options
    options.store.follow((commit) => this.#see(commit))
  }

  #see({ kind, type, object }: Commit): void {
    const { namespace = '', name, deletionTimestamp } = object.metadata
    if (kind === 'Deployment') this.#soon(`deployment ${namespace}/${name}`, LAG_MS, () => this.#deployment(namespace, name))
    if (kind === 'Pod') {
      const owner = deploymentOf(object)
      this.#soon(`deployment ${namespace}/${owner}`, LAG_MS, () => this.#deployment(namespace, owner))
      if (type !== 'DELETED')
        this.#soon(`pod ${namespace}/${name} ${deletionTimestamp ?? ''}`, this.#options.podMs, () => this.#kubelet(namespace, name))
    }
    if (kind === 'Namespace' && deletionTimestamp !== undefined) this.#soon(`namespace ${name}`, LAG_MS, () => this.#empty(name))
  }

  /** Once for all that is seen meanwhile. */
  #soon(key: string, mostMs: number, work: () => void): void {
    const { clock, random } = this.#options
    if (this.#due.has(key)) return
    this.#due.add(key)
    clock.after(mostMs * random(), () => {
      this.#due.delete(key)
      work()
    })
  }

  #deployment(namespace: string, name: string): void {
    const { store } = this.#options
    const deployment = store.find('Deployment', namespace, name)
    const pods = store.list('Pod', namespace).filter((pod) => deploymentOf(pod) === name && pod.metadata.deletionTimestamp === undefined)
    if (deployment === null) {
      for (const pod of pods) this.#stop(pod)
      return
    }
    const { replicas = 1, template = {} } = (deployment['spec'] ?? {}) as { replicas?: number; template?: Template }
    const hash = hashOf(JSON.stringify(template.metadata?.labels ?? {}))
    const current = pods.filter((pod) => pod.metadata.labels?.['pod-template-hash'] === hash)
    const old = pods.filter((pod) => !current.includes(pod))
    for (let count = current.length; count < replicas; count++) this.#start(deployment, template, hash)
    for (const pod of current.slice(replicas)) this.#stop(pod)
    if (current.filter(isReady).length >= replicas) for (const pod of old) this.#stop(pod)
    this.#tell(deployment, pods)
  }

  #tell(deployment: Manifest, pods: readonly Manifest[]): void {
    const status = { replicas: pods.length, readyReplicas: pods.filter(isReady).length }
    if (JSON.stringify(deployment['status']) === JSON.stringify(status)) return
    this.#options.store.update('Deployment', { ...deployment, status }, `${USER}deployment-controller`)
  }

  #start(deployment: Manifest, template: Template, hash: string): void {
    const { store } = this.#options
    const { name, namespace = '' } = deployment.metadata
    const owner = { apiVersion: 'apps/v1', kind: 'ReplicaSet', name: `${name}-${hash}`, uid: `${name}-${hash}`, controller: true }
    const metadata = {
      name: `${name}-${hash}-${++this.#pods}`,
      namespace,
      labels: { ...template.metadata?.labels, 'pod-template-hash': hash },
      ownerReferences: [owner]
    }
    store.create(
      'Pod',
      store.born('Pod', { metadata, spec: { nodeName: 'node-1', ...(template.spec ?? {}) } }),
      `${USER}replicaset-controller`
    )
  }

  #stop(pod: Manifest): void {
    const { store } = this.#options
    const metadata = { ...pod.metadata, deletionTimestamp: store.timestamp() }
    store.update('Pod', { ...pod, metadata }, `${USER}replicaset-controller`)
  }

  #kubelet(namespace: string, name: string): void {
    const { store } = this.#options
    const pod = store.find('Pod', namespace, name)
    if (pod === null) return
    if (pod.metadata.deletionTimestamp !== undefined) store.delete('Pod', pod, 'system:node:node-1')
    else if (pod['status'] === undefined) store.update('Pod', { ...pod, status: statusOf(true) }, 'system:node:node-1')
  }

  /** A probe fails, and succeeds again. */
  async flap(at: number, forMs: number): Promise<void> {
    const { clock, store } = this.#options
    const ready = store.list('Pod', null).filter(isReady)
    const pod = ready[at % Math.max(ready.length, 1)]
    if (pod === undefined) return
    store.update('Pod', { ...pod, status: statusOf(false) }, 'system:node:node-1')
    await clock.sleep(forMs)
    const later = store.find('Pod', pod.metadata.namespace ?? '', pod.metadata.name)
    if (later !== null && later.metadata.deletionTimestamp === undefined) {
      store.update('Pod', { ...later, status: statusOf(true) }, 'system:node:node-1')
    }
  }

  async #empty(namespace: string): Promise<void> {
    const { send, store } = this.#options
    const user = `${USER}namespace-controller`
    const kinds = KINDS.filter((kind) => kindModule(kind).api.namespaced && kind !== 'Pod')
    for (const kind of kinds) {
      for (const { metadata } of store.list(kind, namespace)) {
        await send({ method: 'DELETE', path: pathOf(kind, namespace, metadata.name) }, user)
      }
    }
    const home = store.find('Namespace', '', namespace)
    if (home === null) return
    if (store.list('Pod', namespace).length === 0) store.delete('Namespace', home, user)
    else this.#soon(`namespace ${namespace}`, 1000, () => this.#empty(namespace))
  }
}

export function isReady(pod: Manifest): boolean {
  const { conditions = [] } = (pod['status'] ?? {}) as { conditions?: readonly { type: string; status: string }[] }
  return conditions.some(({ type, status }) => type === 'Ready' && status === 'True') && pod.metadata.deletionTimestamp === undefined
}

function statusOf(ready: boolean): unknown {
  return { phase: 'Running', podIP: '10.244.0.1', conditions: [{ type: 'Ready', status: ready ? 'True' : 'False' }] }
}

function deploymentOf({ metadata }: Manifest): string {
  const [owner] = (metadata['ownerReferences'] ?? []) as readonly { name: string }[]
  return owner?.name.replace(/-[^-]*$/, '') ?? ''
}

/** Of letters and digits, as a pod-template-hash is. */
function hashOf(text: string): string {
  let hash = 5381
  for (let at = 0; at < text.length; at++) hash = (Math.imul(hash, 33) ^ text.charCodeAt(at)) >>> 0
  return hash.toString(36)
}
