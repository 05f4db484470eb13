/** A plan from a seed: apps as the guide has them, writers who release, err, delete, scale and race, and bad weather. */
import { DEFAULT_KINDS } from '../../src/cluster/live-cluster.ts'
import { type Random, seeded } from '../random.ts'
import type { Plan, Step, Weather, Writer } from './plan.ts'
import { versionOf } from './reads.ts'
import { type ApiRequest, pathOf, type Verb } from './request.ts'

const NAMESPACE = 'prod'
const CLIENTS = 'web'
const MOST_STEPS = 25

export function planOf(seed: number): Plan {
  const random = seeded(seed)
  const apps = Array.from({ length: 1 + whole(random, 2) }, (_, at) => new App(`app-${at}`))
  const replicas = 1 + whole(random, 3)
  const writers = Array.from({ length: 1 + whole(random, 5) }, (_, at) => writerOf(`writer-${at}`, pick(random, apps), random))
  return {
    seed,
    replicas,
    settleMs: pick(random, [0, 1000]),
    podMs: pick(random, [50, 500, 3000]),
    hopMs: pick(random, [2, 2, 30, 300]),
    storeMs: pick(random, [3, 3, 300]),
    pageLimit: pick(random, [1, 3, 500]),
    refusals: pick(random, [0, 0.1, 0.3]),
    refusalMs: pick(random, [5, 500, 3000, 12_000]),
    quota: pick(random, [1000, 3]),
    initial: [namespace(NAMESPACE), namespace(CLIENTS), ...apps.flatMap((app) => app.initial())],
    writers,
    weather: Array.from({ length: whole(random, 8) }, () => weatherOf(random, replicas))
  }
}

function writerOf(name: string, app: App, random: Random): Writer {
  if (random() < 0.02) return ending(name, random)
  const some = (request: () => ApiRequest) => Array.from({ length: 1 + whole(random, MOST_STEPS) }, request)
  const manner = pick(random, ['release', 'release', 'anything', 'contend'] as const)
  const requests = manner === 'release' ? app.release(random) : some(() => app[manner](random))
  const pauseMs = pick(random, [0, 0, 5, 200, 4000])
  return { name, stopsAtRefusal: random() < 0.5, steps: requests.map((request) => stepOf(request, random, pauseMs)) }
}

/** A namespace goes, with all that is in it. */
function ending(name: string, random: Random): Writer {
  const request: ApiRequest = { method: 'DELETE', path: pathOf('Namespace', null, NAMESPACE) }
  return { name, stopsAtRefusal: true, steps: [stepOf(request, random, 5000)] }
}

function stepOf(request: ApiRequest, random: Random, pauseMs: number): Step {
  const step = {
    waitMs: Math.round(pauseMs * random()),
    dice: whole(random, 2 ** 31),
    request: random() < 0.05 ? dryRun(request) : request
  }
  return random() < 0.05 ? { ...step, patienceMs: Math.round(20 * random()) } : step
}

function dryRun({ path, ...request }: ApiRequest): ApiRequest {
  return { ...request, path: `${path}?dryRun=All` }
}

function weatherOf(random: Random, replicas: number): Weather {
  const atMs = Math.round(20_000 * random() ** 3)
  const replica = whole(random, replicas)
  const what = pick(random, ['late', 'late', 'late', 'reset', 'end', 'cut', 'silent', 'restart', 'down', 'compact', 'flap'] as const)
  switch (what) {
    case 'late':
      return { atMs, what, replica, ms: pick(random, [50, 1000, 20_000]) }
    case 'down':
      return { atMs, what, replica, forMs: pick(random, [100, 5000]) }
    case 'flap':
      return { atMs, what, pod: whole(random, 10), forMs: pick(random, [50, 2000]) }
    case 'restart':
      return { atMs, what, replica }
    case 'compact':
      return { atMs, what }
    default:
      return { atMs, what, replica, kind: pick(random, [null, ...DEFAULT_KINDS]) }
  }
}

const VERSIONS = ['v1', 'v2', 'v3'] as const
type Version = (typeof VERSIONS)[number]

/** A Service with what stands behind and before it. */
class App {
  readonly #name: string

  constructor(name: string) {
    this.#name = name
  }

  initial(): ApiRequest[] {
    return [
      this.#create('Service', this.#name, { selector: { app: this.#name }, ports: [{ name: 'http', port: 80 }] }),
      this.#createDeployment('v1', 1),
      this.#create('DestinationRule', this.#name, this.#rule({ v1: 'v1' })),
      this.#create('VirtualService', this.#name, this.#route({ v1: 100 }))
    ]
  }

  /** The guide's order, now and then with a step left out or two of them changed over. */
  release(random: Random): ApiRequest[] {
    const [from, to] = random() < 0.7 ? (['v1', 'v2'] as const) : (['v2', 'v1'] as const)
    const steps = [
      this.#patch('DestinationRule', this.#name, this.#rule({ [from]: from, [to]: to })),
      this.#createDeployment(to, 1),
      this.#patch('VirtualService', this.#name, this.#route({ [from]: 90, [to]: 10 })),
      this.#patch('VirtualService', this.#name, this.#route({ [from]: 50, [to]: 50 })),
      this.#patch('VirtualService', this.#name, this.#route({ [to]: 100 })),
      this.#patch('DestinationRule', this.#name, this.#rule({ [to]: to })),
      this.#delete('Deployment', `${this.#name}-${from}`)
    ]
    if (random() < 0.5) steps.splice(whole(random, steps.length), 1)
    if (random() < 0.3) steps.push(...steps.splice(whole(random, steps.length), 1))
    return steps
  }

  /** What two writers at odds write. */
  contend(random: Random): ApiRequest {
    const choices: readonly (() => ApiRequest)[] = [
      () => this.#patch('VirtualService', this.#name, this.#route({ v1: 100 })),
      () => this.#patch('VirtualService', this.#name, this.#route({ v1: 50, v2: 50 })),
      () => this.#patch('DestinationRule', this.#name, this.#rule({ v1: 'v1' })),
      () => this.#patch('DestinationRule', this.#name, this.#rule({ v1: 'v1', v2: 'v2' })),
      () => this.#createDeployment('v2', 1),
      () => this.#scale('v2', pick(random, [0, 1]))
    ]
    return pick(random, choices)()
  }

  anything(random: Random): ApiRequest {
    const [one, other] = [pick(random, VERSIONS), pick(random, VERSIONS)]
    const choices: readonly (() => ApiRequest)[] = [
      () => this.#patch('VirtualService', this.#name, this.#route({ [one]: 100 })),
      () => this.#patch('VirtualService', this.#name, this.#route({ [one]: 50, [other]: 50 })),
      () => this.#create('VirtualService', this.#name, this.#route({ [one]: 100 })),
      () => this.#delete('VirtualService', this.#name),
      () => this.#patch('DestinationRule', this.#name, this.#rule({ [one]: one })),
      () => this.#patch('DestinationRule', this.#name, this.#rule({ [one]: one, [other]: other })),
      () => this.#patch('DestinationRule', this.#name, this.#rule({ [one]: other })),
      () => this.#create('DestinationRule', this.#name, this.#rule({ [one]: one, [other]: other })),
      () => this.#delete('DestinationRule', this.#name),
      () =>
        this.#create('DestinationRule', this.#name, this.#rule({ [one]: one }, `${this.#name}.${NAMESPACE}.svc.cluster.local`), CLIENTS),
      () => this.#delete('DestinationRule', this.#name, CLIENTS),
      () => this.#create('VirtualService', `${this.#name}-old`, this.#route({ [one]: 100 })),
      () => this.#delete('VirtualService', `${this.#name}-old`),
      () =>
        this.#patch('Deployment', `${this.#name}-${one}`, { template: { spec: { containers: [{ name: 'app', image: `app:${one}` }] } } }),
      () => this.#createDeployment(one, 1 + whole(random, 2)),
      () => this.#delete('Deployment', `${this.#name}-${one}`),
      () => this.#scale(one, pick(random, [0, 1, 2])),
      () => this.#scale(one, 0),
      () => this.#patch('Deployment', `${this.#name}-${one}`, { replicas: pick(random, [0, 1, 2]) }),
      () => this.#patch('Deployment', `${this.#name}-${one}`, { template: { metadata: { labels: { version: other } } } }),
      () => this.#patch('Service', this.#name, { selector: { app: this.#name, version: pick(random, [null, one]) } }),
      () => this.#patch('Service', this.#name, { selector: { app: pick(random, [this.#name, 'nobody']) } }),
      () => this.#delete('Service', this.#name),
      () => this.#create('Service', this.#name, { selector: { app: this.#name }, ports: [{ name: 'http', port: 80 }] })
    ]
    return pick(random, choices)()
  }

  #createDeployment(version: Version, replicas: number): ApiRequest {
    const labels = { app: this.#name, version }
    return this.#create('Deployment', `${this.#name}-${version}`, {
      replicas,
      selector: { matchLabels: { app: this.#name, unit: version } },
      template: { metadata: { labels: { ...labels, unit: version } }, spec: { containers: [{ name: 'app', image: 'example/app' }] } }
    })
  }

  #scale(version: Version, replicas: number): ApiRequest {
    const path = `${pathOf('Deployment', NAMESPACE, `${this.#name}-${version}`)}/scale`
    return { method: 'PATCH', path, body: { spec: { replicas } } }
  }

  #rule(subsets: Readonly<Record<string, string>>, host = this.#name): unknown {
    return { host, subsets: Object.entries(subsets).map(([name, version]) => ({ name, labels: { version } })) }
  }

  #route(weights: Readonly<Record<string, number>>): unknown {
    const route = Object.entries(weights).map(([subset, weight]) => ({ destination: { host: this.#name, subset }, weight }))
    return { hosts: [this.#name], http: [{ route }] }
  }

  #create(kind: Kind, name: string, spec: unknown, namespace = NAMESPACE): ApiRequest {
    return { method: 'POST', path: pathOf(kind, namespace), body: { apiVersion: versionOf(kind), kind, metadata: { name }, spec } }
  }

  #patch(kind: Kind, name: string, spec: unknown): ApiRequest {
    return { method: 'PATCH' satisfies Verb, path: pathOf(kind, NAMESPACE, name), body: { spec } }
  }

  #delete(kind: Kind, name: string, namespace = NAMESPACE): ApiRequest {
    return { method: 'DELETE', path: pathOf(kind, namespace, name) }
  }
}

type Kind = Parameters<typeof pathOf>[0]

function namespace(name: string): ApiRequest {
  return { method: 'POST', path: pathOf('Namespace', null), body: { metadata: { name } } }
}

function whole(random: Random, below: number): number {
  return Math.floor(random() * below)
}

function pick<T>(random: Random, values: readonly T[]): T {
  const value = values[whole(random, values.length)]
  if (value === undefined) throw new RangeError('nothing to pick from')
  return value
}
