/** What is read before an answer: what the verdict newly rests on, each once, however many Pods there are (docs/architecture.md). */
import t from 'tap'
import { createReviewer } from '../../src/admission/judge.ts'
import { formatRef } from '../../src/kinds/index.ts'
import type { State } from '../../src/mesh/snapshot/state.ts'
import { DEFAULT_POLICY } from '../../src/review/policy.ts'
import { Sandbox } from '../../src/sandbox/sandbox.ts'
import { apply, parsed, worldOf } from '../changes.ts'
import {
  deployment,
  destinationRule,
  gatewayClass,
  guideAtGateway,
  guideWith,
  guideWithout,
  kubernetesGateway,
  type Manifest,
  rule,
  service,
  to,
  unready,
  virtualService
} from '../manifests.ts'

const WORLD = guideWith(deployment('v1', { replicas: 9 }), deployment('v2', { replicas: 9 }))
const split = (v1: number, v2: number) => virtualService([rule([to('v1', v1), to('v2', v2)])])

/**
 * Judges a write onto a world; gives the verdict, and what was read from the cluster for it. What is stored may be later than what is shown, and the watch may
 * show more while a kind is listed.
 */
async function readsFor(
  world: readonly Manifest[],
  written: Manifest,
  stored = world,
  shownMeanwhile: Readonly<Record<string, Manifest>> = {}
) {
  const [sandbox, api] = [world, stored].map((manifests) => {
    const loaded = new Sandbox()
    for (const manifest of manifests) loaded.load(parsed(manifest))
    return loaded
  }) as [Sandbox, Sandbox]
  const reads: string[] = []
  const state: State = {
    snapshot: () => sandbox.snapshot(),
    admitted: () => undefined,
    pending: () => [],
    health: () => sandbox.health(),
    facts: {
      // As read from a cluster: the same object, but another one to the cache.
      read: async (ref, signal) => {
        reads.push(formatRef(ref))
        const found = await api.facts.read(ref, signal)
        return found === null ? null : { ...found }
      },
      list: async (query, signal) => {
        reads.push(`${query.kind} list`)
        const found = await api.facts.list(query, signal)
        const later = shownMeanwhile[query.kind]
        if (later !== undefined) sandbox.load(parsed(later))
        return found
      }
    }
  }
  const review = createReviewer({ state, policy: () => DEFAULT_POLICY, nowMs: () => 0 })
  const { verdict } = await review(apply(worldOf(world), written), new AbortController().signal)
  return { verdict, reads: reads.sort() }
}

t.test('a weight step between destinations already carried reads nothing', async (t) => {
  t.strictSame(await readsFor(guideWith(...WORLD, split(50, 50)), split(40, 60)), { verdict: 'allow', reads: [] })
})

t.test('a denial by what clients speak and Pods take is confirmed by reads of both', async (t) => {
  const takes = (mode: string): Manifest => ({
    apiVersion: 'security.istio.io/v1',
    kind: 'PeerAuthentication',
    metadata: { name: 'default', namespace: 'default' },
    spec: { mtls: { mode } }
  })
  const spoken = (mode: string) =>
    destinationRule(['v1'], {
      subsets: ['v1', 'v2'].map((name) => ({
        name,
        labels: { version: name },
        ...(name === 'v2' ? { trafficPolicy: { tls: { mode } } } : {})
      }))
    })
  const world = guideWith(takes('STRICT'), spoken('DISABLE'))
  const { verdict, reads } = await readsFor(world, split(90, 10))
  t.equal(verdict, 'deny')
  for (const ref of ['PeerAuthentication default/default', 'DestinationRule default/helloworld']) t.ok(reads.includes(ref), ref)
  for (const later of [takes('PERMISSIVE'), spoken('ISTIO_MUTUAL')])
    t.equal((await readsFor(world, split(90, 10), guideWith(...world, later))).verdict, 'allow', `${later.kind} was mended a moment ago`)
  t.equal((await readsFor(guideWith(takes('STRICT')), spoken('DISABLE'), guideWith(takes('PERMISSIVE')))).verdict, 'allow')
})

t.test('a weight step onto what seems to fail already reads whether it does', async (t) => {
  const world = guideWith(unready(deployment('v1')), unready(deployment('v2')), split(90, 10))
  const { verdict, reads } = await readsFor(world, split(50, 50))
  t.equal(verdict, 'warn')
  t.ok(reads.includes('Pod list'))
})

t.test('a weight step on a host whose Service seems to be gone reads whether it is', async (t) => {
  const world = [...guideWithout('Service'), split(90, 10)]
  const { reads } = await readsFor(world, split(50, 50))
  t.strictSame(reads, ['Service default/helloworld'])
})

t.test('first weight on a subset reads its rule, its Service and one of its Pods', async (t) => {
  const { verdict, reads } = await readsFor(WORLD, split(90, 10))
  t.equal(verdict, 'allow')
  t.equal(reads.length, 3)
  t.match(reads, ['DestinationRule default/helloworld', /^Pod default\/helloworld-v2\.deployment\./, 'Service default/helloworld'])
})

t.test('a subset that is removed has all routes listed, and reads Pods of what is carried', async (t) => {
  const { verdict, reads } = await readsFor(WORLD, destinationRule(['v1']))
  t.equal(verdict, 'allow')
  t.match(reads, [
    'GRPCRoute list',
    'HTTPRoute list',
    /^Pod default\/helloworld-v1\.deployment\./,
    /^Pod default\/helloworld-v1\.deployment\./,
    'Service default/helloworld',
    'TCPRoute list',
    'TLSRoute list',
    'VirtualService list'
  ])
})

t.test('a listener or class that is taken away has all routes listed: there may be one that the watch has yet to show', async (t) => {
  const stored = guideAtGateway(gatewayClass('public')).map((manifest) =>
    manifest.kind === 'Gateway'
      ? kubernetesGateway(undefined, { gatewayClassName: 'public', addresses: [{ type: 'Hostname', value: 'web-istio' }] })
      : manifest
  )
  const shown = stored.filter(({ kind }) => kind !== 'HTTPRoute')
  const closed = kubernetesGateway([{ name: 'http', port: 80, protocol: 'HTTP', hostname: 'other.example.com' }], {
    gatewayClassName: 'public',
    addresses: [{ type: 'Hostname', value: 'web-istio' }]
  })
  t.equal((await readsFor(shown, closed)).verdict, 'allow')
  const late = await readsFor(shown, closed, stored)
  t.equal(late.verdict, 'deny')
  t.ok(late.reads.includes('HTTPRoute list'))
  const others = gatewayClass('public', 'example.com/controller')
  const lateGateway = shown.filter(({ kind }) => kind !== 'Gateway')
  t.equal((await readsFor(lateGateway, others)).verdict, 'allow')
  t.equal((await readsFor(lateGateway, others, stored)).verdict, 'deny', 'and the Gateways of the class')
})

/** Clients listen on port 80, where hosts of nobody's are served. */
const WEB = service({ ports: [{ name: 'http', port: 80 }] }, { name: 'web' })

/** Hosts of their own in the mesh that all send to the guide's subset v2. */
const users = (count: number) =>
  Array.from({ length: count }, (_, at) => virtualService([rule([to('v2')])], { hosts: [`shop${at}.example.com`] }, { name: `shop${at}` }))

t.test('a denial for a thousand hosts is confirmed by a few of them', async (t) => {
  const world = [...guideWith(...WORLD), WEB, ...users(1000)]
  const { verdict, reads } = await readsFor(world, destinationRule(['v1']))
  t.equal(verdict, 'deny')
  t.ok(reads.length < 40, `${reads.length} reads`)
})

t.test('and where those have moved away, by the others', async (t) => {
  const shown = [...guideWith(...WORLD), WEB, ...users(12)]
  const moved = (count: number) => users(count).map((each) => ({ ...each, spec: { ...Object(each['spec']), http: [rule([to('v1')])] } }))
  const storedBut = (count: number) => [...shown, ...moved(count)]
  t.equal((await readsFor(shown, destinationRule(['v1']), storedBut(11))).verdict, 'deny')
  t.equal((await readsFor(shown, destinationRule(['v1']), storedBut(12))).verdict, 'allow')
})

t.test('a rule that is gone is so whatever older state of it the watch comes to show', async (t) => {
  const shown = guideWithout('VirtualService')
  const stored = shown.filter(({ kind }) => kind !== 'DestinationRule')
  const older = destinationRule(['v1', 'v2', 'v3'])
  const { verdict, reads } = await readsFor(shown, virtualService([rule([to('v1')])]), stored, { DestinationRule: older })
  t.equal(verdict, 'deny')
  t.ok(reads.filter((read) => read === 'DestinationRule default/helloworld').length > 1, 'it is read by its name once more')
})
