/** An app of the serial writes: the model that knows what would answer, the writer that keeps to it, and the manifests. */

export type Verdict = 'admit' | 'deny'

export const NAMESPACE = 'serial'

const pathsIn = (namespace: string) => ({
  networking: `/apis/networking.istio.io/v1/namespaces/${namespace}`,
  apps: `/apis/apps/v1/namespaces/${namespace}/deployments`,
  core: `/api/v1/namespaces/${namespace}`
})

/** A Service with everything behind and before it, as the writer knows it to be. */
export interface App {
  readonly namespace: string
  readonly name: string
  /** The track that the Service selects; null takes every Pod of the app. */
  readonly track: string | null
  /** The version that each subset selects; null where there is no DestinationRule. */
  readonly subsets: Readonly<Record<string, string>> | null
  /** Null where there is no VirtualService. */
  readonly route: readonly Weighted[] | null
  readonly workloads: Readonly<Record<string, Workload>>
}

interface Weighted {
  readonly subset: string | null
  readonly weight: number
}

/** A Deployment of one Pod; null for none, as after a scale to 0. */
interface Workload {
  readonly version: string
  readonly track: string
  readonly pod: string | null
}

/** Whether every request of the app is answered: each destination that gets any is defined, and a Ready Pod backs it. */
function isAnswered({ track, subsets, route, workloads }: App): boolean {
  const pods = Object.values(workloads).filter((workload) => workload.pod !== null && (track === null || workload.track === track))
  if (route === null) return pods.length > 0
  const carried = route.filter(({ weight }) => weight > 0 || route.length === 1)
  return carried.every(({ subset }) => {
    if (subset === null) return pods.length > 0
    const version = subsets?.[subset]
    return version !== undefined && pods.some((pod) => pod.version === version)
  })
}

/** Writes for one app, and holds each answer against the model. Anything but the two verdicts is thrown. */
export class Writer {
  readonly #judge: Judge
  readonly #paths
  app: App
  /** Something else than hitless kept a write from being made: scenarios do not know what follows. */
  isDisturbed = false

  constructor(judge: Judge, app: App) {
    this.#judge = judge
    this.#paths = pathsIn(app.namespace)
    this.app = app
  }

  async defineSubsets(kind: string, subsets: Readonly<Record<string, string>>): Promise<void> {
    const spec = { subsets: Object.entries(subsets).map(([name, version]) => ({ name, labels: { version } })) }
    await this.#write(`DR: ${kind}`, 'PATCH', `${this.#paths.networking}/destinationrules/${this.app.name}`, { spec }, { subsets })
  }

  async createRule(subsets: Readonly<Record<string, string>>): Promise<void> {
    await this.#write('DR: created', 'POST', `${this.#paths.networking}/destinationrules`, destinationRule(this.app.name, subsets), {
      subsets
    })
  }

  async deleteRule(): Promise<void> {
    await this.#write('DR: deleted', 'DELETE', `${this.#paths.networking}/destinationrules/${this.app.name}`, undefined, { subsets: null })
  }

  async route(kind: string, weights: Readonly<Record<string, number>>): Promise<void> {
    const route = Object.entries(weights).map(([subset, weight]) => ({ subset: subset === ALL ? null : subset, weight }))
    await this.#write(
      kind,
      'PATCH',
      `${this.#paths.networking}/virtualservices/${this.app.name}`,
      { spec: routing(this.app.name, route) },
      { route }
    )
  }

  async createRoute(subset: string): Promise<void> {
    const route = [{ subset, weight: 100 }]
    await this.#write('VS: created', 'POST', `${this.#paths.networking}/virtualservices`, virtualService(this.app.name, route), { route })
  }

  async deleteRoute(): Promise<void> {
    await this.#write('VS: deleted', 'DELETE', `${this.#paths.networking}/virtualservices/${this.app.name}`, undefined, { route: null })
  }

  async select(kind: string, track: string | null): Promise<void> {
    // A merge patch takes a key away with null.
    const body = { spec: { selector: { app: this.app.name, track } } }
    await this.#write(`Service: ${kind}`, 'PATCH', `${this.#paths.core}/services/${this.app.name}`, body, { track })
  }

  async createWorkload(name: string, workload: Omit<Workload, 'pod'>): Promise<void> {
    const body = deployment(this.app.name, name, workload)
    const isDone = await this.#write('Deployment: created', 'POST', this.#paths.apps, body, this.#with(name, { ...workload, pod: null }))
    if (isDone) await this.#startPod(name)
  }

  async deleteWorkload(kind: string, name: string): Promise<void> {
    const { [name]: gone, ...workloads } = this.app.workloads
    const isDone = await this.#write(`Deployment: ${kind}`, 'DELETE', `${this.#paths.apps}/${this.app.name}-${name}`, undefined, {
      workloads
    })
    if (isDone) await this.#stopPod(gone)
  }

  async scale(kind: string, name: string, replicas: 0 | 1): Promise<void> {
    const workload = this.#workload(name)
    const next = this.#with(name, { ...workload, pod: replicas === 0 ? null : workload.pod })
    const isDone = await this.#write(
      `Scale: ${kind}`,
      'PATCH',
      `${this.#paths.apps}/${this.app.name}-${name}/scale`,
      { spec: { replicas } },
      next
    )
    if (!isDone) return
    if (replicas === 0) await this.#stopPod(workload)
    else if (workload.pod === null) await this.#startPod(name)
  }

  /** The Pod gets the new label as well, as one of the new template would have it. */
  async relabel(kind: string, name: string, version: string): Promise<void> {
    const workload = this.#workload(name)
    const body = { spec: { template: { metadata: { labels: { version } } } } }
    const next = this.#with(name, { ...workload, version })
    const isDone = await this.#write(`Deployment: ${kind}`, 'PATCH', `${this.#paths.apps}/${this.app.name}-${name}`, body, next)
    if (!isDone || workload.pod === null) return
    await this.#judge.must('PATCH', `${this.#paths.core}/pods/${workload.pod}`, { metadata: { labels: { version } } })
  }

  async #startPod(name: string): Promise<void> {
    const workload = this.#workload(name)
    const body = pod(this.app.name, name, workload, this.#judge.serial())
    await this.#judge.must('POST', `${this.#paths.core}/pods`, body)
    await this.#judge.must('PATCH', `${this.#paths.core}/pods/${body.metadata.name}/status`, READY)
    this.app = { ...this.app, ...this.#with(name, { ...workload, pod: body.metadata.name }) }
  }

  async #stopPod(workload: Workload | undefined): Promise<void> {
    if (workload?.pod) await this.#judge.must('DELETE', `${this.#paths.core}/pods/${workload.pod}`, { gracePeriodSeconds: 0 })
  }

  #workload(name: string): Workload {
    const workload = this.app.workloads[name]
    if (workload === undefined) throw new Error(`there is no workload ${name}`)
    return workload
  }

  #with(name: string, workload: Workload): Pick<App, 'workloads'> {
    return { workloads: { ...this.app.workloads, [name]: workload } }
  }

  /** True where the write was made. */
  async #write(kind: string, method: Method, path: string, body: unknown, change: Partial<App>): Promise<boolean> {
    const next = { ...this.app, ...change }
    const got = await this.#judge.judged({ kind, method, path, body, wanted: isAnswered(next) ? 'admit' : 'deny', world: this.app })
    if (got === 'admit') this.app = next
    if (got === 'lost') this.isDisturbed = true
    return got === 'admit'
  }
}

export type Method = 'GET' | 'POST' | 'PATCH' | 'DELETE'

/** The route to the whole Service, whatever the subset. */
export const ALL = ''

export interface JudgedWrite {
  readonly kind: string
  readonly method: Method
  readonly path: string
  readonly body: unknown
  readonly wanted: Verdict
  readonly world: App
}

/** Makes a write and holds its verdict against the wanted one; throws where they differ. `lost`: something else kept it from being made. */
export interface Judge {
  judged(write: JudgedWrite): Promise<Verdict | 'lost'>
  /** A write that nothing may refuse. */
  must(method: Method, path: string, body: unknown): Promise<void>
  serial(): number
}

/** An app as every scenario finds it, in an order in which each write is harmless. */
export async function newApp(judge: Judge, namespace: string = NAMESPACE): Promise<Writer> {
  const paths = pathsIn(namespace)
  const name = `app-${judge.serial()}`
  const workloads: Record<string, Workload> = {}
  const service = { apiVersion: 'v1', kind: 'Service', metadata: { name }, spec: { selector: { app: name }, ports: [PORT] } }
  await judge.must('POST', `${paths.core}/services`, service)
  for (const [unit, version, track] of [
    ['a', 'v1', 'blue'],
    ['b', 'v2', 'green']
  ] as const) {
    const body = pod(name, unit, { version, track }, judge.serial())
    await judge.must('POST', paths.apps, deployment(name, unit, { version, track }))
    await judge.must('POST', `${paths.core}/pods`, body)
    await judge.must('PATCH', `${paths.core}/pods/${body.metadata.name}/status`, READY)
    workloads[unit] = { version, track, pod: body.metadata.name }
  }
  await judge.must('POST', `${paths.networking}/destinationrules`, destinationRule(name, { v1: 'v1' }))
  const route = [{ subset: 'v1', weight: 100 }]
  await judge.must('POST', `${paths.networking}/virtualservices`, virtualService(name, route))
  return new Writer(judge, { namespace, name, track: null, subsets: { v1: 'v1' }, route, workloads })
}

const PORT = { name: 'http', port: 3000 }
const HASH = '5d8f7c9b6'
const READY = {
  status: {
    phase: 'Running',
    podIP: '10.244.0.1',
    podIPs: [{ ip: '10.244.0.1' }],
    conditions: [{ type: 'Ready', status: 'True', lastTransitionTime: '2026-01-01T00:00:00Z' }]
  }
}

type Labelled = Omit<Workload, 'pod'>

function deployment(app: string, unit: string, { version, track }: Labelled): unknown {
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: `${app}-${unit}` },
    spec: {
      replicas: 1,
      // A selector cannot change, so what a scenario relabels is not in it.
      selector: { matchLabels: { app, unit } },
      template: { metadata: { labels: { app, unit, version, track } }, spec: { containers: [{ name: 'app', image: 'example/app' }] } }
    }
  }
}

/** As its ReplicaSet would have made it. */
function pod(app: string, unit: string, { version, track }: Labelled, serial: number) {
  const owner = { apiVersion: 'apps/v1', kind: 'ReplicaSet', name: `${app}-${unit}-${HASH}`, uid: `${app}-${unit}`, controller: true }
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name: `${app}-${unit}-${HASH}-${serial}`,
      labels: { app, unit, version, track, 'pod-template-hash': HASH },
      ownerReferences: [owner]
    },
    spec: { nodeName: 'node-1', terminationGracePeriodSeconds: 0, containers: [{ name: 'app', image: 'example/app' }] }
  }
}

function destinationRule(app: string, subsets: Readonly<Record<string, string>>): unknown {
  return {
    apiVersion: 'networking.istio.io/v1',
    kind: 'DestinationRule',
    metadata: { name: app },
    spec: { host: app, subsets: Object.entries(subsets).map(([name, version]) => ({ name, labels: { version } })) }
  }
}

function virtualService(app: string, route: readonly Weighted[]): unknown {
  return { apiVersion: 'networking.istio.io/v1', kind: 'VirtualService', metadata: { name: app }, spec: routing(app, route) }
}

function routing(app: string, route: readonly Weighted[]): unknown {
  const destination = (subset: string | null) => ({ host: app, port: { number: PORT.port }, ...(subset === null ? {} : { subset }) })
  return { hosts: [app], http: [{ route: route.map(({ subset, weight }) => ({ destination: destination(subset), weight })) }] }
}
