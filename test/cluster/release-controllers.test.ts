/**
 * Argo Rollouts and Flagger themselves release through hitless, each release in a namespace of its own, all at the same time. Every one comes to its end, and at no
 * commit of it a request loses its answer.
 */
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import type { Manifest } from '../manifests.ts'
import { startControlPlane } from '../rig/control-plane.ts'
import { startHitless } from '../rig/hitless-process.ts'
import { startReleaseControllers } from '../rig/release-controllers.ts'
import { Commits } from './commits.ts'

t.setTimeout(15 * 60_000)
t.jobs = 20

const LATEST_MS = 4 * 60_000

// What Flagger asks: metrics, of which it wants none here, and what its Canaries name.
const asked = createServer((request, response) => {
  response.statusCode = request.url?.startsWith('/no') === true ? 500 : 200
  response.end('{}')
})
await once(asked.listen(0, '127.0.0.1'), 'listening')
t.teardown(() => asked.close())
const url = `http://127.0.0.1:${(asked.address() as AddressInfo).port}`

// Pods that end by themselves, of the analysis that is to fail.
const plane = await startControlPlane({ containers: { start: async () => undefined, stop: async () => undefined, run: async () => 1 } })
t.teardown(() => plane.stop())
const commits = await Commits.follow(plane.api)
t.teardown(() => commits.end())
const controllers = await startReleaseControllers(plane, url)
t.teardown(() => controllers.stop())
const hitless = await startHitless(plane, { register: false })
t.teardown(() => hitless.stop())
await plane.registerWebhook({ url: `https://127.0.0.1:${hitless.port}/validate`, caBundle: hitless.ca, timeoutSeconds: 30 })

type Fields = Readonly<Record<string, unknown>>

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

/** A namespace with one release in it. */
class Place {
  readonly name: string

  constructor(name: string) {
    this.name = name
  }

  async create(world: readonly Manifest[]): Promise<void> {
    await this.#kubectl(['create', 'namespace', this.name])
    await this.#kubectl(['label', 'namespace', this.name, 'istio-injection=enabled'])
    await this.#kubectl(['apply', '-n', this.name, '-f', '-'], world.map((each) => JSON.stringify(each)).join('\n---\n'))
  }

  rollout = () => this.#get<SeenRollout>('rollouts.argoproj.io')
  canary = () => this.#get<SeenCanary>('canaries.flagger.app')
  route = () => this.#get<SeenRoute>('virtualservices.networking.istio.io')
  service = () => this.#get<SeenService>('services')

  async patch(kind: string, body: unknown, ...more: readonly string[]): Promise<void> {
    await this.#kubectl(['patch', kind, 'web', '-n', this.name, '--type=merge', '-p', JSON.stringify(body), ...more])
  }

  async remove(kind: string): Promise<void> {
    await this.#kubectl(['delete', kind, 'web', '-n', this.name, '--wait=false'])
  }

  async has(kind: string, name: string): Promise<boolean> {
    return (await plane.kubectl(['get', kind, name, '-n', this.name])).code === 0
  }

  async until(what: string, holds: () => Promise<boolean>): Promise<void> {
    const started = performance.now()
    while (!(await holds())) {
      await controllers.check()
      if (performance.now() - started > LATEST_MS) {
        const { stdout } = await plane.kubectl([
          'get',
          'rollouts,canaries,virtualservices,deployments,pods,events',
          '-n',
          this.name,
          '-o',
          'wide'
        ])
        throw new Error(`${this.name}: ${what}: not in time\n${stdout}`)
      }
      await sleep(500)
    }
  }

  /** What weight each destination of the route has, in order. */
  async weights(): Promise<number[]> {
    return (await this.route())?.spec.http[0]?.route.map(({ weight = 0 }) => weight) ?? []
  }

  async #kubectl(args: readonly string[], input?: string): Promise<void> {
    const { code, stderr } = await plane.kubectl(args, input === undefined ? {} : { input })
    if (code !== 0) throw new Error(`${this.name}: ${stderr}`)
  }

  untilWeights(...weights: readonly number[]): Promise<void> {
    return this.until(`the weights are ${weights.join('/')}`, async () => (await this.weights()).join() === weights.join())
  }

  /** Undefined where there is none called `web`. */
  async #get<T>(kind: string): Promise<T | undefined> {
    const { code, stdout } = await plane.kubectl(['get', kind, 'web', '-n', this.name, '-o', 'json'])
    return code === 0 ? (JSON.parse(stdout) as T) : undefined
  }
}

const LABELS = { app: 'web' }
const template = (image: string) => ({
  metadata: { labels: LABELS },
  spec: { containers: [{ name: 'web', image, ports: [{ name: 'http', containerPort: 80 }] }] }
})
const image = (name: string) => ({
  spec: { template: { spec: { containers: [{ name: 'web', image: name, ports: [{ name: 'http', containerPort: 80 }] }] } } }
})
const service = (name: string): Manifest => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name },
  spec: { selector: LABELS, ports: [{ name: 'http', port: 80, targetPort: 'http' }] }
})
const routes = (http: readonly Fields[]): Manifest => ({
  apiVersion: 'networking.istio.io/v1',
  kind: 'VirtualService',
  metadata: { name: 'web' },
  spec: { hosts: ['web'], http }
})
const destination = (fields: Fields, weight?: number) => ({
  destination: { host: 'web', ...fields },
  ...(weight === undefined ? {} : { weight })
})
const rollout = (strategy: Fields): Manifest => ({
  apiVersion: 'argoproj.io/v1alpha1',
  kind: 'Rollout',
  metadata: { name: 'web' },
  spec: { replicas: 2, selector: { matchLabels: LABELS }, template: template('web:1'), strategy }
})
const SUBSETS: Manifest = {
  apiVersion: 'networking.istio.io/v1',
  kind: 'DestinationRule',
  metadata: { name: 'web' },
  spec: { host: 'web', subsets: ['stable', 'canary'].map((name) => ({ name, labels: LABELS })) }
}
const bySubsets = (steps: readonly Fields[], more: Fields = {}): Manifest[] => [
  service('web'),
  SUBSETS,
  routes([{ name: 'primary', route: [destination({ subset: 'stable' }, 100), destination({ subset: 'canary' }, 0)] }]),
  rollout({
    canary: {
      trafficRouting: {
        istio: {
          virtualService: { name: 'web', routes: ['primary'] },
          destinationRule: { name: 'web', canarySubsetName: 'canary', stableSubsetName: 'stable' }
        },
        ...(more['managedRoutes'] === undefined ? {} : { managedRoutes: more['managedRoutes'] })
      },
      steps
    }
  })
]
const BETA = { setHeaderRoute: { name: 'beta', match: [{ headerName: 'x-beta', headerValue: { exact: 'yes' } }] } }
const pause = (seconds?: number) => ({ pause: seconds === undefined ? {} : { duration: `${seconds}s` } })

async function isHealthy(place: Place): Promise<boolean> {
  const { metadata, status } = (await place.rollout()) ?? {}
  const isSeen = status?.observedGeneration === String(metadata?.generation)
  return isSeen && status?.phase === 'Healthy' && status.stableRS === status.currentPodHash
}

const isInPhase = (phase: string) => async (place: Place) => (await place.canary())?.status?.phase === phase

/** The log of hitless, as far as it tells of refusals in a namespace. */
function refusalsIn(namespace: string): string[] {
  return hitless
    .log()
    .split('\n')
    .filter((line) => line.includes('"msg":"denied"') && line.includes(` ${namespace}/`))
}

interface Release {
  readonly name: string
  readonly world: readonly Manifest[]
  /** One of its writes is refused, rightly, and tried again. */
  readonly isRefused?: true
  /** Commits that nobody asks a webhook about, and that lose requests all the same (docs/tools.md). */
  readonly beyond?: RegExp
  /** The first version is in place. */
  readonly isThere: (place: Place) => Promise<boolean>
  /** From a healthy state to its end; throws where that is not reached. */
  readonly play: (place: Place, t: Tap) => Promise<void>
}

type Tap = Pick<typeof t, 'same' | 'equal' | 'match' | 'ok'>

const ARGO: readonly Release[] = [
  {
    name: 'argo-subsets',
    isThere: isHealthy,
    world: bySubsets([{ setWeight: 20 }, pause(1), { setWeight: 60 }, pause(1)]),
    play: async (place) => {
      await place.patch('rollouts.argoproj.io', image('web:2'))
      await place.until('the release is through', () => isHealthy(place))
      await place.untilWeights(100, 0)
    }
  },
  {
    name: 'argo-services',
    isThere: isHealthy,
    world: [
      service('web'),
      service('web-stable'),
      service('web-canary'),
      routes([{ name: 'primary', route: [destination({ host: 'web-stable' }, 100), destination({ host: 'web-canary' }, 0)] }]),
      rollout({
        canary: {
          stableService: 'web-stable',
          canaryService: 'web-canary',
          trafficRouting: { istio: { virtualService: { name: 'web', routes: ['primary'] } } },
          steps: [{ setWeight: 20 }, pause(1), { setWeight: 60 }, pause(1)]
        }
      })
    ],
    play: async (place) => {
      await place.patch('rollouts.argoproj.io', image('web:2'))
      await place.until('the release is through', () => isHealthy(place))
      await place.untilWeights(100, 0)
    }
  },
  {
    name: 'argo-abort',
    isThere: isHealthy,
    world: bySubsets([{ setWeight: 20 }, pause()]),
    play: async (place, t) => {
      await place.patch('rollouts.argoproj.io', image('web:2'))
      await place.until('it has weight', async () => (await place.weights())[1] === 20)
      await place.patch('rollouts.argoproj.io', { status: { abort: true } }, '--subresource=status')
      await place.until('it is aborted', async () => (await place.rollout())?.status?.phase === 'Degraded')
      t.same(await place.weights(), [100, 0])
      await place.patch('rollouts.argoproj.io', image('web:1'))
      await place.until('the stable version is all there is', () => isHealthy(place))
    }
  },
  {
    name: 'argo-analysis-fails',
    isThere: isHealthy,
    world: [
      {
        apiVersion: 'argoproj.io/v1alpha1',
        kind: 'AnalysisTemplate',
        metadata: { name: 'fails' },
        spec: {
          metrics: [
            {
              name: 'fails',
              provider: {
                job: {
                  spec: { backoffLimit: 0, template: { spec: { restartPolicy: 'Never', containers: [{ name: 'fails', image: 'fails' }] } } }
                }
              }
            }
          ]
        }
      },
      ...bySubsets([{ setWeight: 20 }, { analysis: { templates: [{ templateName: 'fails' }] } }, { setWeight: 60 }, pause()])
    ],
    play: async (place, t) => {
      await place.patch('rollouts.argoproj.io', image('web:2'))
      await place.until('the analysis has aborted it', async () => (await place.rollout())?.status?.phase === 'Degraded')
      await place.until('the weight is back', async () => (await place.weights())[1] === 0)
      t.match((await place.rollout())?.status, { abort: true })
    }
  },
  {
    name: 'argo-superseded',
    isThere: isHealthy,
    world: bySubsets([{ setWeight: 20 }, pause(3), { setWeight: 60 }, pause(1)]),
    play: async (place, t) => {
      await place.patch('rollouts.argoproj.io', image('web:2'))
      await place.until('v2 has weight', async () => ((await place.weights())[1] ?? 0) > 0)
      await place.patch('rollouts.argoproj.io', image('web:3'))
      await place.until('v3 is through', () => isHealthy(place))
      t.equal((await place.rollout())?.spec.template.spec.containers[0]?.image, 'web:3')
      await place.untilWeights(100, 0)
    }
  },
  {
    name: 'argo-header-route',
    isThere: isHealthy,
    world: bySubsets([{ setCanaryScale: { replicas: 1 } }, BETA, pause(2), { setWeight: 50 }, pause(1)], {
      managedRoutes: [{ name: 'beta' }]
    }),
    play: async (place) => {
      await place.patch('rollouts.argoproj.io', image('web:2'))
      await place.until('the header has a route', async () => (await place.route())?.spec.http[0]?.name === 'beta')
      await place.until('the release is through', () => isHealthy(place))
      await place.until('the header has none any more', async () => (await place.route())?.spec.http[0]?.name === 'primary')
      await place.untilWeights(100, 0)
    }
  },
  {
    name: 'argo-header-first',
    // The header gets its route while the canary subset still is the stable one; then the subset would lead it to no Pod. That waits for somebody to change the order.
    isRefused: true,
    isThere: isHealthy,
    world: bySubsets([BETA, { setCanaryScale: { replicas: 1 } }, pause(1)], { managedRoutes: [{ name: 'beta' }] }),
    play: async (place, t) => {
      await place.patch('rollouts.argoproj.io', image('web:2'))
      await place.until('it is refused', async () => refusalsIn(place.name).length > 0)
      t.match(refusalsIn(place.name)[0], '"user":"system:serviceaccount:argo-rollouts:argo-rollouts"')
      t.match(refusalsIn(place.name)[0], 'DestinationRule argo-header-first/web')
      const canary = { steps: [{ setCanaryScale: { replicas: 1 } }, BETA, pause(1)] }
      await place.patch('rollouts.argoproj.io', { spec: { strategy: { canary } } })
      await place.until('the release is through', () => isHealthy(place))
      await place.until('the header has none any more', async () => (await place.route())?.spec.http[0]?.name === 'primary')
    }
  },
  {
    name: 'argo-blue-green',
    isThere: isHealthy,
    world: [
      service('web'),
      service('web-preview'),
      routes([{ route: [destination({})] }]),
      rollout({ blueGreen: { activeService: 'web', previewService: 'web-preview', autoPromotionEnabled: true, scaleDownDelaySeconds: 5 } })
    ],
    play: async (place, t) => {
      const hash = async () => (await place.service())?.spec.selector['rollouts-pod-template-hash']
      const before = await hash()
      await place.patch('rollouts.argoproj.io', image('web:2'))
      await place.until('the release is through', () => isHealthy(place))
      t.ok((await hash()) !== before)
      await place.until('the old Pods are gone', async () => (await place.rollout())?.status?.replicas === 2)
    }
  }
]

const DEPLOYMENT: Manifest = {
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'web' },
  spec: { replicas: 2, selector: { matchLabels: LABELS }, template: template('web:1') }
}
const canary = (analysis: Fields, more: Fields = {}): Manifest => ({
  apiVersion: 'flagger.app/v1beta1',
  kind: 'Canary',
  metadata: { name: 'web' },
  spec: {
    provider: 'istio',
    targetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web' },
    service: { port: 80, targetPort: 'http' },
    // Flagger looks every 10 s at most.
    analysis: { interval: '10s', threshold: 1, ...analysis },
    ...more
  }
})
const BY_WEIGHT = { stepWeight: 40, maxWeight: 80 }

const FLAGGER: readonly Release[] = [
  {
    name: 'flagger-weights',
    world: [DEPLOYMENT, canary(BY_WEIGHT)],
    isThere: isInPhase('Initialized'),
    play: async (place, t) => {
      await place.patch('deployments.apps', image('web:2'))
      await place.until('the canary has weight', async () => (await place.weights())[1] === 40)
      await place.until('it is promoted', () => isInPhase('Succeeded')(place))
      t.same(await place.weights(), [100, 0])
    }
  },
  {
    name: 'flagger-rollback',
    world: [DEPLOYMENT, canary({ ...BY_WEIGHT, webhooks: [{ name: 'no', type: 'rollout', url: `${url}/no` }] })],
    isThere: isInPhase('Initialized'),
    play: async (place, t) => {
      await place.patch('deployments.apps', image('web:2'))
      await place.until('it is rolled back', () => isInPhase('Failed')(place))
      t.same(await place.weights(), [100, 0])
    }
  },
  {
    name: 'flagger-blue-green',
    world: [DEPLOYMENT, canary({ iterations: 2 })],
    isThere: isInPhase('Initialized'),
    play: async (place, t) => {
      await place.patch('deployments.apps', image('web:2'))
      await place.until('it is promoted', () => isInPhase('Succeeded')(place))
      t.same(await place.weights(), [100, 0])
    }
  },
  {
    name: 'flagger-skips-analysis',
    world: [DEPLOYMENT, canary(BY_WEIGHT, { skipAnalysis: true })],
    isThere: isInPhase('Initialized'),
    play: async (place, t) => {
      await place.patch('deployments.apps', image('web:2'))
      await place.until('it is promoted', () => isInPhase('Succeeded')(place))
      t.same(await place.weights(), [100, 0])
    }
  },
  {
    name: 'flagger-reverts',
    isRefused: true,
    // Its control loop may point the Service back to the primary, of which the garbage collector then takes the Pods.
    beyond: /Pod flagger-reverts\/web-primary-/,
    // Flagger can only revert to what was there before it.
    world: [service('web'), routes([{ route: [destination({})] }]), DEPLOYMENT, canary(BY_WEIGHT, { revertOnDeletion: true })],
    isThere: isInPhase('Initialized'),
    play: async (place, t) => {
      t.same(await place.weights(), [100, 0])
      // Flagger looks whether the target is Ready, and goes on where it is not.
      const ready = plane.holdUnready({ namespace: place.name, labels: LABELS })
      await place.remove('canaries.flagger.app')
      await place.until('the route to Pods that are not Ready is refused', async () => refusalsIn(place.name).length > 0)
      ready()
      await place.until('the Canary is gone', async () => (await place.canary()) === undefined)
      await place.until('the primary is collected', async () => !(await place.has('deployments.apps', 'web-primary')))
      t.same(await place.weights(), [0], 'one destination, as before')
    }
  }
]

const RELEASES = [...FLAGGER, ...ARGO]
// One after the other: all at once they are more than two cores make in time.
for (const { name, world } of RELEASES) await new Place(name).create(world)
await new Place('flagger-deleted').create([DEPLOYMENT, canary(BY_WEIGHT)])

t.test('a Canary deleted without revertOnDeletion is collected with all that Flagger made: nothing of that is held up', async (t) => {
  const place = new Place('flagger-deleted')
  await place.until('the first version is there', () => isInPhase('Initialized')(place))
  await place.remove('canaries.flagger.app')
  for (const kind of ['deployments.apps', 'services'])
    await place.until('the primary is collected', async () => !(await place.has(kind, 'web-primary')))
  await place.until('the route is collected', async () => (await place.route()) === undefined)
  t.ok(await place.has('deployments.apps', 'web'), 'what was there before is there still')
})

for (const { name, isThere, isRefused, beyond, play } of RELEASES) {
  t.test(name, async (t) => {
    const place = new Place(name)
    await place.until('the first version is there', () => isThere(place))
    const from = commits.revision
    await play(place, t)
    await sleep(1000)
    const gaps = commits.gapsAfter(from, name).filter(({ commit }) => beyond?.test(commit) !== true)
    t.same(gaps, [], 'no gap opened at any commit')
    if (isRefused === undefined) t.same(refusalsIn(name), [], 'and none of its writes was refused')
  })
}
