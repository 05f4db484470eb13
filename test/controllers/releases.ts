/**
 * Releases by Argo Rollouts and Flagger: what stands first, and what is done then until the controller has come to its end. Everything is called `web`, and
 * requests go to port {@link PORT} of the Service.
 */
import assert from 'node:assert/strict'
import type { Manifest } from '../manifests.ts'
import { OF_OLDER_ROLLOUTS } from '../rig/release-controllers.ts'
import type { Place } from './place.ts'

type Fields = Readonly<Record<string, unknown>>

export const PORT = 3000
/** The port on which the containers of the proof listen. */
const CONTAINER_PORT = 8080
/** For how long a Pod that is to end goes on answering: longer than the proxies need to hear of it, on a busy machine too. */
const PRE_STOP_SECONDS = 3
const LABELS = { app: 'web' }
/** A class of requests of its own where a release gives it a route. */
export const BETA_HEADER = { 'x-beta': 'yes' }

export interface Release {
  readonly name: string
  readonly world: readonly Manifest[]
  /** What hands the world over to the controller, once it is served. */
  readonly canary?: Manifest
  /** Whether one of its writes is refused, rightly, and tried again; where absent, none is. */
  readonly refused?: 'always' | 'sometimes'
  /** Commits that nobody asks a webhook about, and that lose requests all the same (docs/tools.md). */
  readonly beyond?: RegExp
  /** The first version is in place. */
  isThere(place: Place): Promise<boolean>
  /** From a healthy state to its end; throws where that is not reached. */
  play(place: Place): Promise<void>
}

const container = (image: string) => ({
  name: 'web',
  image,
  ports: [{ name: 'http', containerPort: CONTAINER_PORT }],
  lifecycle: { preStop: { sleep: { seconds: PRE_STOP_SECONDS } } }
})
const template = (image: string) => ({ metadata: { labels: LABELS }, spec: { containers: [container(image)] } })
const image = (name: string) => ({ spec: { template: { spec: { containers: [container(name)] } } } })

const service = (name: string): Manifest => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name },
  spec: { selector: LABELS, ports: [{ name: 'http', port: PORT, targetPort: 'http' }] }
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
/** Old Pods leave while somebody still looks. */
const SOON = { scaleDownDelaySeconds: 5, abortScaleDownDelaySeconds: 5 }
const SUBSETS: Manifest = {
  apiVersion: 'networking.istio.io/v1',
  kind: 'DestinationRule',
  metadata: { name: 'web' },
  spec: { host: 'web', subsets: ['stable', 'canary'].map((name) => ({ name, labels: LABELS })) }
}
const ALL_STABLE = routes([{ name: 'primary', route: [destination({ subset: 'stable' }, 100), destination({ subset: 'canary' }, 0)] }])
const bySubsets = (steps: readonly Fields[], strategy: Fields = {}, managedRoutes: readonly Fields[] = []): Manifest[] => [
  service('web'),
  SUBSETS,
  ALL_STABLE,
  rollout({
    canary: {
      trafficRouting: {
        istio: {
          virtualService: { name: 'web', routes: ['primary'] },
          destinationRule: { name: 'web', canarySubsetName: 'canary', stableSubsetName: 'stable' }
        },
        ...(managedRoutes.length === 0 ? {} : { managedRoutes })
      },
      steps,
      ...strategy
    }
  })
]
const BETA = {
  setHeaderRoute: {
    name: 'beta',
    match: Object.entries(BETA_HEADER).map(([headerName, exact]) => ({ headerName, headerValue: { exact } }))
  }
}
const pause = (seconds?: number) => ({ pause: seconds === undefined ? {} : { duration: `${seconds}s` } })
const byServices = (steps: readonly Fields[], strategy: Fields = {}): Manifest[] => [
  service('web'),
  service('web-stable'),
  service('web-canary'),
  routes([{ name: 'primary', route: [destination({ host: 'web-stable' }, 100), destination({ host: 'web-canary' }, 0)] }]),
  rollout({
    canary: {
      stableService: 'web-stable',
      canaryService: 'web-canary',
      trafficRouting: { istio: { virtualService: { name: 'web', routes: ['primary'] } } },
      steps,
      ...strategy
    }
  })
]

async function isHealthy(place: Place): Promise<boolean> {
  const { metadata, status } = (await place.rollout()) ?? {}
  const isSeen = status?.observedGeneration === String(metadata?.generation)
  return isSeen && status?.phase === 'Healthy' && status.stableRS === status.currentPodHash
}

/** Healthy, all requests at the stable version, and nothing left of the one before. */
async function isThrough(place: Place): Promise<void> {
  await place.until('the release is through', () => isHealthy(place))
  await place.untilWeights(100, 0)
  await place.until('the old Pods are gone', async () => (await place.rollout())?.status?.replicas === 2)
}

async function releaseV2(place: Place): Promise<void> {
  await place.patch('Rollout', image('web:2'))
  await isThrough(place)
}

async function abort(place: Place): Promise<void> {
  await place.patch('Rollout', image('web:2'))
  await place.until('it has weight', async () => (await place.weights())[1] === 20)
  await place.patch('Rollout', { status: { abort: true } }, '/status')
  await place.until('it is aborted', async () => (await place.rollout())?.status?.phase === 'Degraded')
  assert.deepEqual(await place.weights(), [100, 0])
  await place.until('the canary is gone', async () => (await place.rollout())?.status?.replicas === 2)
  await place.patch('Rollout', image('web:1'))
  await place.until('the stable version is all there is', () => isHealthy(place))
}

const STEPS = [{ setWeight: 20 }, pause(1), { setWeight: 60 }, pause(1)]

const ARGO: readonly Release[] = [
  { name: 'argo-subsets', isThere: isHealthy, world: bySubsets(STEPS, SOON), play: releaseV2 },
  { name: 'argo-services', isThere: isHealthy, world: byServices(STEPS, SOON), play: releaseV2 },
  // The stable ReplicaSet shrinks as its weight does, and ends at 0 as soon as that does.
  {
    name: 'argo-dynamic-scale',
    isThere: isHealthy,
    world: bySubsets([{ setWeight: 50 }, pause(1), { setWeight: 100 }, pause(3)], { dynamicStableScale: true }),
    play: releaseV2
  },
  { name: 'argo-abort', isThere: isHealthy, world: bySubsets([{ setWeight: 20 }, pause()], SOON), play: abort },
  { name: 'argo-services-abort', isThere: isHealthy, world: byServices([{ setWeight: 20 }, pause()], SOON), play: abort },
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
      ...bySubsets([{ setWeight: 20 }, { analysis: { templates: [{ templateName: 'fails' }] } }, { setWeight: 60 }, pause()], SOON)
    ],
    play: async (place) => {
      await place.patch('Rollout', image('web:2'))
      await place.until('the analysis has aborted it', async () => (await place.rollout())?.status?.phase === 'Degraded')
      await place.until('the weight is back', async () => (await place.weights())[1] === 0)
      assert.equal((await place.rollout())?.status?.abort, true)
      await place.until('the canary is gone', async () => (await place.rollout())?.status?.replicas === 2)
    }
  },
  {
    name: 'argo-superseded',
    isThere: isHealthy,
    world: bySubsets([{ setWeight: 20 }, pause(3), { setWeight: 60 }, pause(1)], SOON),
    play: async (place) => {
      await place.patch('Rollout', image('web:2'))
      await place.until('v2 has weight', async () => ((await place.weights())[1] ?? 0) > 0)
      await place.patch('Rollout', image('web:3'))
      await isThrough(place)
      assert.equal((await place.rollout())?.spec.template.spec.containers[0]?.image, 'web:3')
    }
  },
  {
    name: 'argo-header-route',
    isThere: isHealthy,
    world: bySubsets([{ setCanaryScale: { replicas: 1 } }, BETA, pause(2), { setWeight: 50 }, pause(1)], SOON, [{ name: 'beta' }]),
    play: async (place) => {
      await place.patch('Rollout', image('web:2'))
      await place.until('the header has a route', async () => (await place.route())?.spec.http[0]?.name === 'beta')
      await place.until('the header has none any more', async () => (await place.route())?.spec.http[0]?.name === 'primary')
      await isThrough(place)
    }
  },
  {
    name: 'argo-header-first',
    // The header gets its route while the canary subset still is the stable one; then the subset would lead it to no Pod. That waits for somebody to change the order.
    refused: 'always',
    isThere: isHealthy,
    world: bySubsets([BETA, { setCanaryScale: { replicas: 1 } }, pause(1)], SOON, [{ name: 'beta' }]),
    play: async (place) => {
      await place.patch('Rollout', image('web:2'))
      await place.untilRefused(async () => (await place.route())?.spec.http[0]?.name === 'beta')
      for (const line of place.refusals())
        assert.match(line, new RegExp(`DestinationRule ${place.name}/web.*:argo-rollouts:argo-rollouts"`))
      const canary = { steps: [{ setCanaryScale: { replicas: 1 } }, BETA, pause(1)] }
      await place.patch('Rollout', { spec: { strategy: { canary } } })
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
    play: async (place) => {
      const hash = async () => (await place.service())?.spec.selector['rollouts-pod-template-hash']
      const before = await hash()
      await place.patch('Rollout', image('web:2'))
      await place.until('the release is through', () => isHealthy(place))
      assert.notEqual(await hash(), before)
      await place.until('the old Pods are gone', async () => (await place.rollout())?.status?.replicas === 2)
    }
  }
]

const byOlder = (world: readonly Manifest[]): Manifest[] =>
  world.map((object) => (object.kind === 'Rollout' ? { ...object, metadata: { ...object.metadata, labels: OF_OLDER_ROLLOUTS } } : object))

/** Argo Rollouts 1.8, whose order of writes is another. */
const OLDER_ARGO: readonly Release[] = [
  { name: 'older-argo-subsets', isThere: isHealthy, world: byOlder(bySubsets(STEPS, SOON)), play: releaseV2 },
  {
    // argo-rollouts#4564: it points the subset to the third version before it takes the weight away, and waits for somebody to do that.
    name: 'older-argo-superseded',
    refused: 'always',
    isThere: isHealthy,
    world: byOlder(bySubsets([{ setWeight: 20 }, pause(20)], SOON)),
    play: async (place) => {
      await place.patch('Rollout', image('web:2'))
      await place.untilWeights(80, 20)
      await place.patch('Rollout', image('web:3'))
      await place.untilRefused(async () => (await place.weights())[1] === 0)
      for (const line of place.refusals()) assert.match(line, new RegExp(`DestinationRule ${place.name}/`))
      await place.patch('VirtualService', { spec: ALL_STABLE['spec'] })
      await isThrough(place)
      assert.equal((await place.rollout())?.spec.template.spec.containers[0]?.image, 'web:3')
    }
  },
  {
    // argo-rollouts#4390, mended by #4560: while a stable Pod is not Ready it switches no subset, and scales down where that still points.
    name: 'older-argo-stable-unready',
    refused: 'always',
    isThere: isHealthy,
    world: byOlder(bySubsets([{ setWeight: 20 }, pause(20)], SOON)),
    play: async (place) => {
      const stable = (await place.rollout())?.status?.stableRS ?? ''
      await place.patch('Rollout', image('web:2'))
      await place.untilWeights(80, 20)
      const ready = await place.holdOne({ 'rollouts-pod-template-hash': stable })
      await place.patch('Rollout', image('web:3'))
      await place.untilRefused(async () => (await place.rollout())?.status?.replicas === 4)
      for (const line of place.refusals().slice(0, 1)) assert.match(line, new RegExp(`ReplicaSet ${place.name}/`))
      ready()
      await isThrough(place)
      assert.equal((await place.rollout())?.spec.template.spec.containers[0]?.image, 'web:3')
    }
  }
]

const deployment = (more: Fields = {}): Manifest => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'web' },
  spec: { replicas: 2, selector: { matchLabels: LABELS }, template: template('web:1'), ...more }
})
const canary = (analysis: Fields, more: Fields = {}): Manifest => ({
  apiVersion: 'flagger.app/v1beta1',
  kind: 'Canary',
  metadata: { name: 'web' },
  spec: {
    provider: 'istio',
    targetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web' },
    service: { port: PORT, targetPort: 'http' },
    // Flagger looks every 10 s at most.
    analysis: { interval: '10s', threshold: 1, ...analysis },
    ...more
  }
})
const BY_WEIGHT = { stepWeight: 40, maxWeight: 80 }
/** Nothing listens there, so what it is asked is never answered with yes. */
const NO = 'http://127.0.0.1:1/no'

const isInPhase = (phase: string) => async (place: Place) => (await place.canary())?.status?.phase === phase

async function promote(place: Place): Promise<void> {
  await place.patch('Deployment', image('web:2'))
  await place.until('it is promoted', () => isInPhase('Succeeded')(place))
  assert.deepEqual(await place.weights(), [100, 0])
}

const FLAGGER: readonly Release[] = [
  {
    name: 'flagger-weights',
    world: [service('web'), deployment()],
    canary: canary(BY_WEIGHT),
    isThere: isInPhase('Initialized'),
    play: promote
  },
  {
    name: 'flagger-rollback',
    world: [service('web'), deployment()],
    canary: canary({ ...BY_WEIGHT, webhooks: [{ name: 'no', type: 'rollout', url: NO }] }),
    isThere: isInPhase('Initialized'),
    play: async (place) => {
      await place.patch('Deployment', image('web:2'))
      await place.until('it is rolled back', () => isInPhase('Failed')(place))
      assert.deepEqual(await place.weights(), [100, 0])
    }
  },
  {
    name: 'flagger-blue-green',
    world: [service('web'), deployment()],
    canary: canary({ iterations: 2 }),
    isThere: isInPhase('Initialized'),
    play: promote
  },
  {
    name: 'flagger-skips-analysis',
    // It points the Service to the primary at once, whether a Pod of that is Ready or not.
    refused: 'sometimes',
    world: [service('web'), deployment()],
    canary: canary(BY_WEIGHT, { skipAnalysis: true }),
    isThere: isInPhase('Initialized'),
    play: promote
  },
  {
    // Up to 1.43 (fluxcd/flagger#1898): all requests go back to a primary that has the new template already, and the canary that serves them to 0.
    name: 'flagger-promotion-fails',
    refused: 'always',
    world: [service('web'), deployment({ strategy: { type: 'Recreate' } })],
    canary: canary({ stepWeight: 50, maxWeight: 100 }, { progressDeadlineSeconds: 15 }),
    isThere: isInPhase('Initialized'),
    play: async (place) => {
      await place.patch('Deployment', image('web:2'))
      await place.untilWeights(0, 100)
      const ready = place.hold({ app: 'web-primary' })
      await place.untilRefused(async () => (await place.weights())[0] === 100)
      ready()
      await place.until('it has ended', async () => (await isInPhase('Failed')(place)) || (await isInPhase('Succeeded')(place)))
      assert.deepEqual(await place.weights(), [100, 0])
    }
  },
  {
    name: 'flagger-reverts',
    refused: 'always',
    // Flagger can only revert to what was there before it.
    world: [service('web'), routes([{ route: [destination({})] }]), deployment()],
    canary: canary(BY_WEIGHT, { revertOnDeletion: true }),
    isThere: isInPhase('Initialized'),
    play: async (place) => {
      assert.deepEqual(await place.weights(), [100, 0])
      // Up to 1.44 its control loop knows nothing of the deletion, points the Service back to the primary, and the garbage collector takes the Pods of that.
      await place.patch('Canary', { spec: { suspend: true } })
      // Flagger looks whether the target is Ready, and goes on where it is not.
      const ready = place.hold(LABELS)
      await place.remove('Canary')
      await place.untilRefused(async () => (await place.weights()).length === 1)
      ready()
      await place.until('the Canary is gone', async () => (await place.canary()) === undefined)
      await place.until('the primary is collected', async () => !(await place.has('Deployment', 'web-primary')))
      assert.deepEqual(await place.weights(), [0], 'one destination, as before')
      assert.deepEqual((await place.service())?.spec.selector, LABELS)
    }
  },
  {
    name: 'flagger-deleted',
    world: [service('web'), deployment()],
    canary: canary(BY_WEIGHT),
    // Without revertOnDeletion all that Flagger made is collected, and the target stays at 0: nothing of that is held up.
    beyond: /./,
    isThere: isInPhase('Initialized'),
    play: async (place) => {
      await place.remove('Canary')
      for (const kind of ['Deployment', 'Service'] as const)
        await place.until('the primary is collected', async () => !(await place.has(kind, 'web-primary')))
      await place.until('the route is collected', async () => (await place.route()) === undefined)
      assert.ok(await place.has('Deployment', 'web'), 'what was there before is there still')
    }
  }
]

/** The slowest first: Flagger takes its time. */
export const RELEASES: readonly Release[] = [...FLAGGER, ...OLDER_ARGO, ...ARGO]
