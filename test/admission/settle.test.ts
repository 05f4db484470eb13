/** Holding writes behind what they rely on, with a clock that the test moves. */
import t from 'tap'
import { fixedTime } from '../../src/admission/fixed-time.ts'
import { createReviewer } from '../../src/admission/judge.ts'
import { RecentChanges } from '../../src/admission/recent-changes.ts'
import type { Facts } from '../../src/mesh/snapshot/state.ts'
import type { Change } from '../../src/review/change.ts'
import { DEFAULT_POLICY, type Policy } from '../../src/review/policy.ts'
import { Sandbox } from '../../src/sandbox/sandbox.ts'
import { parsed } from '../changes.ts'
import {
  backend,
  backends,
  deployment,
  destinationRule,
  guide,
  guideByRoutes,
  guideWith,
  httpRoute,
  type Manifest,
  referenceGrant,
  rule,
  service,
  to,
  versionService,
  virtualService
} from '../manifests.ts'

const SETTLE_MS = 1000
const NEVER = new AbortController().signal

/** A reviewer on a sandbox whose clock stands still but for holds, which move it on. */
function rig(manifests: readonly Manifest[] = guide(), onTimeout: 'warn' | 'deny' = 'warn', policy: Policy = DEFAULT_POLICY) {
  let now = 1_000_000
  const nowMs = () => now
  const holds: number[] = []
  /** What was admitted, and when. */
  const admissions: number[] = []
  const propagation = fixedTime({
    settleMs: () => SETTLE_MS,
    nowMs,
    sleep: async (ms) => {
      now += ms
    }
  })
  const recent = new RecentChanges(propagation, nowMs)
  const state = new Sandbox(undefined, { changed: (before, after) => recent.note(before, after) })
  for (const manifest of manifests) state.load(parsed(manifest))
  // What the API server holds; the watch may show an older state.
  let facts = state.facts
  let isLagging = false
  const reviewer = createReviewer({
    state: {
      snapshot: () => state.snapshot(),
      admitted: (write) => {
        admissions.push(now)
        if (!isLagging) state.admitted(write)
      },
      pending: () => state.pending(),
      health: () => state.health(),
      facts: late(() => facts)
    },
    policy: () => policy,
    nowMs,
    onNews: (shown, stored) => recent.note(shown, stored),
    settle: { propagation, recent },
    onTimeout: () => onTimeout,
    onHeld: (heldMs) => holds.push(heldMs)
  })
  const ask = (change: Change, remainingMs = 10_000, isBelieved = true) =>
    reviewer(change, NEVER, { isBelieved, remainingMs: () => remainingMs, held: () => undefined })
  const change = (manifest: Manifest, rest: Partial<Change> = {}): Change => {
    const after = parsed(manifest)
    const before = state.snapshot().find(after.kind, after.namespace, after.name) ?? null
    const author = { username: 'alice', groups: [], manager: 'kubectl' }
    return { operation: before === null ? 'CREATE' : 'UPDATE', ref: after, before, after, dryRun: false, author, ...rest }
  }
  return {
    holds,
    admissions,
    recent,
    state,
    pass: (ms: number) => {
      now += ms
    },
    /** From now on the watch tells of nothing. */
    lag: () => {
      isLagging = true
    },
    /** Something that another replica admitted, of which the watch has not told. */
    store: (...stored: readonly Manifest[]) => {
      const server = new Sandbox()
      for (const manifest of [...manifests, ...stored]) server.load(parsed(manifest))
      facts = server.facts
    },
    apply: (manifest: Manifest, remainingMs?: number) => ask(change(manifest), remainingMs),
    /** As somebody asks who is not known to be the API server. */
    applyAsStranger: (manifest: Manifest) => ask(change(manifest), 10_000, false),
    dryRun: (manifest: Manifest) => ask(change(manifest, { dryRun: true })),
    remove: (manifest: Manifest, username = 'alice', remainingMs?: number) =>
      ask(change(manifest, { operation: 'DELETE', after: null, author: { username, groups: [], manager: '' } }), remainingMs)
  }
}

function late(facts: () => Facts): Facts {
  return { read: (ref, signal) => facts().read(ref, signal), list: (query, signal) => facts().list(query, signal) }
}

const both = virtualService([rule([to('v1', 50), to('v2', 50)])])
const external = (host: string): Manifest => ({
  apiVersion: 'networking.istio.io/v1',
  kind: 'ServiceEntry',
  metadata: { name: host.replaceAll('.', '-'), namespace: 'default' },
  spec: { hosts: [host], ports: [{ number: 80, name: 'http', protocol: 'HTTP' }], resolution: 'DNS', location: 'MESH_EXTERNAL' }
})
const sent = (host: string) => virtualService([rule([{ destination: { host, port: { number: 80 } } }])])
const onlyV1 = guideWith(destinationRule(['v1']))

t.test('a route to a subset that was defined just now is held until that has settled', async (t) => {
  const { apply, holds, pass } = rig(onlyV1)
  await apply(destinationRule(['v1', 'v2']))
  pass(300)
  t.equal((await apply(both)).verdict, 'allow')
  t.same(holds, [700])
})

t.test('a write that is held is not told as admitted before it is', async (t) => {
  const { apply, admissions, holds } = rig(onlyV1)
  await apply(destinationRule(['v1', 'v2']))
  await apply(both)
  t.same(holds, [SETTLE_MS])
  t.equal((admissions[1] ?? 0) - (admissions[0] ?? 0), SETTLE_MS)
  t.equal(admissions.length, 2)
})

t.test('nothing is held behind a change that has settled', async (t) => {
  const { apply, holds, pass } = rig(onlyV1)
  await apply(destinationRule(['v1', 'v2']))
  pass(SETTLE_MS)
  t.equal((await apply(both)).verdict, 'allow')
  t.same(holds, [])
})

t.test('a weight step between destinations already carried is not held', async (t) => {
  const { apply, holds } = rig(guideWith(both))
  await apply(destinationRule(['v1', 'v2', 'v3']))
  t.equal((await apply(virtualService([rule([to('v1', 40), to('v2', 60)])]))).verdict, 'allow')
  t.same(holds, [])
})

t.test('a subset is not taken away before the route that left it has settled', async (t) => {
  const { apply, holds, pass } = rig(guideWith(both))
  await apply(virtualService([rule([to('v2')])]))
  pass(100)
  t.equal((await apply(destinationRule(['v2']))).verdict, 'allow')
  t.same(holds, [900])
})

t.test('nor is the Deployment behind it', async (t) => {
  const { apply, remove, holds } = rig(guideWith(both))
  await apply(virtualService([rule([to('v2')])]))
  t.not((await remove(deployment('v1'))).verdict, 'deny')
  t.same(holds, [SETTLE_MS])
})

t.test('a Service or ServiceEntry is not taken away before the route that left it has settled, whatever the watch shows', async (t) => {
  const worlds: [Manifest[], Manifest, Manifest][] = [
    [
      [...guideByRoutes(), httpRoute([backends([backend('v1', 50), backend('v2', 50)])])],
      httpRoute([backends([backend('v2')])]),
      versionService('v1')
    ],
    [
      [...guideWith(external('a.example.com'), external('b.example.com')), sent('a.example.com')],
      sent('b.example.com'),
      external('a.example.com')
    ]
  ]
  for (const [world, moved, left] of worlds) {
    const seen = rig(world)
    await seen.apply(moved)
    t.not((await seen.remove(left)).verdict, 'deny')
    t.same(seen.holds, [SETTLE_MS], `${left.kind}, and the watch has told`)
    const unseen = rig(world)
    unseen.store(moved)
    t.notMatch((await unseen.remove(left)).warnings.join(' '), /still sends/)
    t.same(unseen.holds, [SETTLE_MS], `${left.kind}, and another replica admitted it`)
  }
})

t.test('nor a grant before the route that needed it', async (t) => {
  const far = { namespace: 'far' }
  const pods = deployment('v1')
  const world = [
    ...guideByRoutes(),
    versionService('v1', {}, far),
    { ...pods, metadata: { ...pods.metadata, ...far } },
    referenceGrant('far', 'default')
  ]
  const { apply, remove, holds } = rig([...world, httpRoute([backends([backend('v1', 100, far)])])])
  await apply(httpRoute([backends([backend('v2')])]))
  t.equal((await remove(referenceGrant('far', 'default'))).verdict, 'allow')
  t.same(holds, [SETTLE_MS])
})

t.test('a write that this replica admitted is no change that the watch told before', async (t) => {
  const { recent, remove, pass, holds } = rig()
  const route = (resourceVersion: string, ...http: Parameters<typeof virtualService>[0]) => ({
    ...parsed(virtualService(http)),
    resourceVersion
  })
  const stored = route('8', rule([to('v1')]))
  recent.note(route('7', rule([to('v1', 50), to('v2', 50)])), stored)
  pass(2 * SETTLE_MS)
  recent.note(stored, route('8', rule([to('v2')])))
  await remove(deployment('v1'), 'system:serviceaccount:kube-system:generic-garbage-collector')
  t.same(holds, [SETTLE_MS])
})

t.test('what this replica admitted counts before the watch has told', async (t) => {
  const { apply, remove, lag, holds } = rig()
  lag()
  await apply(virtualService([rule([to('v2')])]))
  await remove(deployment('v1'), 'system:serviceaccount:kube-system:generic-garbage-collector')
  t.same(holds, [SETTLE_MS])
})

t.test('a route to what a ServiceEntry just brought is held until that has settled', async (t) => {
  const { apply, holds } = rig()
  await apply(external('a.example.com'))
  await apply(sent('a.example.com'))
  t.same(holds, [SETTLE_MS])
})

t.test('Pods that became Ready just now are settled first', async (t) => {
  const { apply, holds, pass, recent, state } = rig(guideWith({ ...deployment('v2'), status: { replicas: 1, readyReplicas: 0 } }))
  const [pod] = state.snapshot().lookup('podByWorkload', 'default/Deployment/helloworld-v2')
  if (pod === undefined) throw new Error('no Pod')
  recent.note(pod, { ...pod, ready: true })
  state.load({ ...pod, ready: true })
  pass(400)
  t.equal((await apply(both)).verdict, 'allow')
  t.same(holds, [600])
})

t.test('what a stranger asks is held like any other write, and holds none', async (t) => {
  const { apply, applyAsStranger, holds, pass, state } = rig(onlyV1)
  const stored = [...state.snapshot().all('DestinationRule')]
  t.equal((await applyAsStranger(destinationRule(['v1', 'v2']))).verdict, 'allow')
  t.same([...state.snapshot().all('DestinationRule')], stored, 'nothing is remembered as admitted')
  t.equal((await apply(both)).verdict, 'deny')
  await apply(destinationRule(['v1', 'v2']))
  pass(300)
  t.equal((await applyAsStranger(both)).verdict, 'allow')
  t.same(holds, [700])
})

t.test('a denial is given at once', async (t) => {
  const { apply, holds } = rig()
  await apply(destinationRule(['v1', 'v2', 'v3']))
  t.equal((await apply(virtualService([rule([to('v9')])]))).verdict, 'deny')
  t.same(holds, [])
})

t.test('a dry run is not held', async (t) => {
  const { apply, dryRun, holds } = rig(onlyV1)
  await apply(destinationRule(['v1', 'v2']))
  t.equal((await dryRun(both)).verdict, 'allow')
  t.same(holds, [])
})

t.test('nothing is held where hitless only observes', async (t) => {
  const { apply, holds, admissions } = rig(onlyV1, 'deny', { ...DEFAULT_POLICY, mode: 'observe' })
  await apply(destinationRule(['v1', 'v2']))
  t.equal((await apply(both)).verdict, 'allow')
  t.same(holds, [])
  t.equal(admissions.length, 2)
})

t.test('a deadline that comes first is answered with a warning, or a denial where that is asked for', async (t) => {
  const patient = rig(onlyV1)
  await patient.apply(destinationRule(['v1', 'v2']))
  const warned = await patient.apply(both, 1500)
  t.equal(warned.verdict, 'warn')
  t.match(warned.warnings, [/proxies may not know it yet/])
  t.same(patient.holds, [500])
  const strict = rig(onlyV1, 'deny')
  await strict.apply(destinationRule(['v1', 'v2']))
  t.match(await strict.apply(both, 1500), { verdict: 'deny', message: '[settle]' })
})

t.test('a label on a Service is no change to wait for', async (t) => {
  const { apply, holds } = rig()
  await apply(service({}, { labels: { team: 'blue' } }))
  await apply(both)
  t.same(holds, [])
})

t.test('what reads as newer than the watch has changed just now', async (t) => {
  const { apply, store, pass, holds } = rig(onlyV1)
  store(destinationRule(['v1', 'v2']))
  pass(5 * SETTLE_MS)
  t.equal((await apply(both)).verdict, 'allow')
  t.same(holds, [SETTLE_MS])
})

t.test('what the watch shows after a read is no other change', async (t) => {
  const { apply, recent, state, store, pass, holds } = rig(onlyV1)
  store(destinationRule(['v1', 'v2']))
  await apply(both)
  const [stored] = state.snapshot().all('DestinationRule')
  const read = { ...parsed(destinationRule(['v1', 'v2'])), resourceVersion: '99' }
  recent.note(stored ?? null, read)
  pass(2 * SETTLE_MS)
  recent.note(stored ?? null, { ...read })
  state.load(read)
  state.load(parsed(virtualService([rule([to('v1')])])))
  await apply(both)
  t.same(holds, [SETTLE_MS])
})

t.test('a route is not sent to a host whose Pods a Deployment was told to give up just now, until it shows which stay', async (t) => {
  for (const gone of [null, deployment('v2', { replicas: 0 }), deployment('v2', {}, { app: 'helloworld', version: 'v3' })]) {
    const { apply, remove, holds } = rig(guideWith(deployment('v3')))
    t.not((await (gone === null ? remove(deployment('v2')) : apply(gone))).verdict, 'deny')
    await apply(virtualService([rule([to(null)])]))
    t.same(holds, [SETTLE_MS])
  }
})

t.test('what Kubernetes deletes by itself waits for proxies that may still use it, and is never stopped', async (t) => {
  const onlyV2 = virtualService([rule([to('v2')])])
  for (const controller of ['generic-garbage-collector', 'namespace-controller']) {
    const username = `system:serviceaccount:kube-system:${controller}`
    for (const left of [deployment('v1'), destinationRule(['v1', 'v2']), service()]) {
      const { apply, remove, holds } = rig(guide(), 'deny')
      await apply(onlyV2)
      t.match(await remove(left, username), { verdict: 'allow', outcome: 'bypassed' })
      t.same(holds, [SETTLE_MS], `a ${left.kind}`)
      t.equal((await remove(left, username)).verdict, 'allow')
      t.same(holds, [SETTLE_MS], 'once')
    }
    const hurried = rig(guide(), 'deny')
    await hurried.apply(onlyV2)
    t.equal((await hurried.remove(deployment('v1'), username, 1500)).verdict, 'warn')
  }
})
