/** What istiod's answers must show of a change, and which changes they cannot show. */
import t from 'tap'
import type { MeshObject } from '../../src/kinds/index.ts'
import { type Sight, sightsOf } from '../../src/proxies/expectation.ts'
import { parsed, worldOf } from '../changes.ts'
import {
  AT_GATEWAY,
  backend,
  backends,
  DEBUG,
  deployment,
  destinationRule,
  guide,
  guideByRoutes,
  httpRoute,
  type Manifest,
  rule,
  service,
  to,
  virtualService
} from '../manifests.ts'

const HOST = 'helloworld.default.svc.cluster.local'
const ALL = `outbound|3000||${HOST}`
const of = (subset: string) => `outbound|3000|${subset}|${HOST}`

function sights(before: Manifest | null, after: Manifest | null, world: readonly Manifest[] = guide()): Sight[] | null {
  const object = (manifest: Manifest | null): MeshObject | null => (manifest === null ? null : parsed(manifest))
  const [old, fresh] = [object(before), object(after)]
  const ref = fresh ?? old
  if (ref === null) throw new Error('nothing changes')
  return sightsOf({ ref, before: old, after: fresh, atMs: 0 }, worldOf(world))
}

t.test('subsets that come and go are clusters that come and go', async (t) => {
  t.strictSame(sights(destinationRule(['v1', 'v3']), destinationRule(['v1', 'v2'])), [
    { type: 'cluster', name: of('v2'), isThere: true },
    { type: 'cluster', name: of('v3'), isThere: false }
  ])
  t.strictSame(sights(null, destinationRule(['v1'])), [{ type: 'cluster', name: of('v1'), isThere: true }])
})

t.test('a Service is a cluster for each port', async (t) => {
  t.strictSame(sights(null, service()), [{ type: 'cluster', name: ALL, isThere: true }])
  const two = service({ ports: [{ port: 3000 }, { port: 3001 }] })
  t.strictSame(sights(service(), two), [{ type: 'cluster', name: `outbound|3001||${HOST}`, isThere: true }])
})

t.test('a Pod that is Ready is an endpoint of its Service and of the subsets that take it', async (t) => {
  const world = worldOf(guide())
  const [pod] = [...world.all('Pod')].filter(({ labels }) => labels['version'] === 'v2')
  if (pod === undefined) throw new Error('there is no Pod')
  t.strictSame(sightsOf({ ref: pod, before: null, after: pod, atMs: 0 }, world), [
    { type: 'endpoint', name: ALL, isThere: true },
    { type: 'endpoint', name: of('v2'), isThere: true }
  ])
})

t.test('what a VirtualService sends nothing to any longer is in no route of its hosts', async (t) => {
  const both = virtualService([rule([to('v1')], DEBUG), rule([to('v1', 50), to('v2', 50)])])
  const gone: Sight[] = [{ type: 'route', name: ALL, cluster: of('v1'), isThere: false }]
  t.strictSame(sights(both, virtualService([rule([to('v2')])])), gone)
  t.strictSame(sights(both, virtualService([rule([to('v1', 0), to('v2', 100)])])), gone)
  t.strictSame(sights(virtualService([rule([to('v1')])]), null), gone)
})

t.test('what it says at a Gateway too is in the same push', async (t) => {
  const bound = (subset: string) => virtualService([rule([to(subset)])], { gateways: ['mesh', 'gateway'] })
  t.strictSame(sights(bound('v1'), bound('v2')), [{ type: 'route', name: ALL, cluster: of('v1'), isThere: false }])
  const parentRefs = [{ group: '', kind: 'Service', name: 'helloworld', port: 3000 }, { name: 'web' }]
  const routed = (version: string) => httpRoute([backends([backend(version)])], { parentRefs })
  t.strictSame(sights(routed('v1'), routed('v2'), guideByRoutes()), [
    { type: 'route', name: ALL, cluster: 'outbound|3000||helloworld-v1.default.svc.cluster.local', isThere: false }
  ])
})

t.test('what a route of the Gateway API sends nothing to any longer is in no route of its parents', async (t) => {
  const world = guideByRoutes()
  const both = httpRoute([backends([backend('v1', 50), backend('v2', 50)])])
  const gone: Sight[] = [{ type: 'route', name: ALL, cluster: 'outbound|3000||helloworld-v1.default.svc.cluster.local', isThere: false }]
  t.strictSame(sights(both, httpRoute([backends([backend('v2')])]), world), gone)
  t.strictSame(sights(both, httpRoute([backends([backend('v1', 0), backend('v2', 100)])]), world), gone)
  t.strictSame(sights(httpRoute([backends([backend('v1')])]), null, world), gone)
})

t.test('without its route a Service is its own destination again', async (t) => {
  const own = httpRoute([backends([{ name: 'helloworld', port: 3000 }])])
  t.equal(sights(own, null, guideByRoutes()), null)
})

const UNTOLD: Record<string, [Manifest | null, Manifest | null, Manifest[]?]> = {
  'a subset of other labels': [destinationRule(['v1']), destinationRule([], { subsets: [{ name: 'v1', labels: { version: 'v9' } }] })],
  'a policy': [destinationRule(['v1']), destinationRule(['v1'], { trafficPolicy: { loadBalancer: { simple: 'RANDOM' } } })],
  'a rule of another namespace': [null, destinationRule(['v1'], {}, { namespace: 'clients' })],
  'a rule for its own namespace alone': [null, destinationRule(['v1'], { exportTo: ['.'] })],
  'a rule of a host that no Service has': [null, destinationRule(['v1'], { host: 'example.com' })],
  'another selector': [service(), service({ selector: { app: 'other' } })],
  'routes at a gateway': [
    virtualService([rule([to('v1')])], { gateways: ['gateway'] }),
    virtualService([rule([to('v2')])], { gateways: ['gateway'] })
  ],
  'routes at a gateway of an object of the mesh': [
    virtualService([rule([to('v1')], [{ gateways: ['gateway'] }]), rule([to('v2')])], { gateways: ['mesh', 'gateway'] }),
    virtualService([rule([to('v2')])], { gateways: ['mesh', 'gateway'] })
  ],
  'routes of clients with labels': [
    virtualService([rule([to('v1')], [{ sourceLabels: { app: 'client' } }]), rule([to('v2')])]),
    virtualService([rule([to('v2')])])
  ],
  'routes of connections': [
    virtualService([rule([to('v1')])], { tcp: [{ route: [to('v1')] }] }),
    virtualService([rule([to('v2')])], { tcp: [{ route: [to('v2')] }] })
  ],
  'routes of a host that another VirtualService has too': [
    virtualService([rule([to('v1')])]),
    virtualService([rule([to('v2')])]),
    [...guide(), virtualService([rule([to('v1')])], {}, { name: 'other' })]
  ],
  'a route of the Gateway API at a Gateway': [
    httpRoute([backends([backend('v1')])], AT_GATEWAY),
    httpRoute([backends([backend('v2')])], AT_GATEWAY),
    guideByRoutes()
  ],
  'a route of the Gateway API for its own clients alone': [
    httpRoute([backends([backend('v1')])], {}, { namespace: 'clients' }),
    httpRoute([backends([backend('v2')])], {}, { namespace: 'clients' }),
    guideByRoutes()
  ],
  'Pods that are given up': [deployment('v1'), deployment('v1', { replicas: 0 })],
  'anything where a Sidecar limits what is seen': [
    null,
    destinationRule(['v1']),
    [
      ...guide(),
      {
        apiVersion: 'networking.istio.io/v1',
        kind: 'Sidecar',
        metadata: { name: 'default', namespace: 'istio-system' },
        spec: { egress: [{ hosts: ['./*'] }] }
      }
    ]
  ]
}
for (const [name, [before, after, world]] of Object.entries(UNTOLD)) {
  t.test(`${name} cannot be told`, async (t) => t.equal(sights(before, after, world), null))
}
