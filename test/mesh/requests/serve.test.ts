/** What concrete requests get; thousands more of them, with Istio's own answers, in test/transitions. */
import t from 'tap'
import { HitlessError } from '../../../src/errors.ts'
import { readManifestText } from '../../../src/manifests/manifests.ts'
import type { Request } from '../../../src/mesh/requests/request.ts'
import { serve } from '../../../src/mesh/requests/serve.ts'
import { candidatesTo, reach } from '../../../src/mesh/routing/listeners.ts'
import { gatewayAfter } from '../../../src/mesh/routing/proxies.ts'
import { scopeOf } from '../../../src/mesh/routing/scope.ts'
import type { Context } from '../../../src/mesh/routing/table.ts'
import { Sandbox } from '../../../src/sandbox/sandbox.ts'
import { reviews } from '../../reviews.ts'

const WORLD = `${reviews('{name: http, port: 80}, {name: grpc, port: 8080}', 1)}
apiVersion: v1
kind: Service
metadata: {name: vault, namespace: prod}
spec: {selector: {app: vault}, ports: [{name: tls, port: 443}]}
---
apiVersion: v1
kind: Service
metadata: {name: db, namespace: prod}
spec: {clusterIP: None, selector: {app: db}, ports: [{name: http, port: 80}]}
---
apiVersion: v1
kind: Service
metadata: {name: hidden, namespace: prod, annotations: {networking.istio.io/exportTo: .}}
spec: {selector: {app: reviews}, ports: [{name: http, port: 80}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: vault, namespace: prod}
spec: {replicas: 1, template: {metadata: {labels: {app: vault}}}}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: reviews, namespace: prod}
spec:
  hosts: [reviews]
  http:
  - match: [{uri: {prefix: /old}}]
    redirect: {uri: /new, redirectCode: 308}
  - match: [{method: {exact: POST}}]
    route:
    - {destination: {host: reviews, subset: v1}, weight: 75}
    - {destination: {host: reviews, subset: v2}, weight: 25}
  - match: [{uri: {prefix: /}, port: 80}]
    route: [{destination: {host: reviews, subset: v1}}]
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: edge, namespace: ingress}
spec: {replicas: 1, template: {metadata: {labels: {istio: edge}}}}
---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: edge, namespace: ingress}
spec:
  selector: {istio: edge}
  servers:
  - {port: {number: 80, name: http, protocol: HTTP}, hosts: ['*'], tls: {httpsRedirect: true}}
  - {port: {number: 8080, name: plain, protocol: HTTP}, hosts: ['*']}
  - {port: {number: 443, name: https, protocol: HTTPS}, hosts: [shop.example.com], tls: {mode: SIMPLE, credentialName: c}}
  - {port: {number: 8443, name: pass, protocol: TLS}, hosts: ['*.vault.example.com'], tls: {mode: PASSTHROUGH}}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: shop, namespace: prod}
spec:
  hosts: ['*.example.com']
  gateways: [ingress/edge]
  http: [{route: [{destination: {host: reviews, port: {number: 80}}}]}]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: vault, namespace: prod}
spec:
  hosts: [a.vault.example.com]
  gateways: [ingress/edge]
  tls: [{match: [{sniHosts: [a.vault.example.com]}], route: [{destination: {host: vault, port: {number: 443}}}]}]
`

function sandboxWith(more: string): Sandbox {
  const sandbox = new Sandbox()
  for (const manifest of readManifestText(`${WORLD}\n---\n${more}`, 'world.yaml')) {
    if (manifest instanceof HitlessError) throw manifest
    if (manifest.object !== null) sandbox.load(manifest.object)
  }
  return sandbox
}

const CLIENT: Context = { kind: 'mesh', namespace: 'web', labels: {} }
const EDGE: Context = { kind: 'gateway', namespace: 'ingress', labels: { istio: 'edge' } }

function http({ path = '/', method = 'GET', sni = null as string | null } = {}): Request {
  return { kind: 'http', path, method, headers: new Map(), query: new Map(), sni }
}

function answer(context: Context, host: string, port: number, request: Request, more = '') {
  const { status, unserved } = serve(sandboxWith(more).snapshot(), context, host, port, request)
  return [status, unserved]
}

const REVIEWS = 'reviews.prod.svc.cluster.local'

t.test('the first route whose condition is met answers, and why the others do not is told', async (t) => {
  const found = serve(sandboxWith('').snapshot(), CLIENT, REVIEWS, 80, http({ method: 'POST' }))
  t.same([found.status, found.unserved, found.cause], [503, 0.25, 'no-endpoints'])
  t.same(
    found.passed.map(({ unmet }) => [unmet.field, unmet.found]),
    [['uri', '/']]
  )
  t.same(
    found.destinations.map(({ subset, share, ready }) => [subset, share, ready]),
    [
      ['v1', 0.75, 1],
      ['v2', 0.25, 0]
    ]
  )
})

t.test('redirects are answers, and what no route takes gets 404', async (t) => {
  t.same(answer(CLIENT, REVIEWS, 80, http({ path: '/old/a' })), [308, 0])
  t.same(answer(CLIENT, REVIEWS, 8080, http()), [404, 1], 'the fallback stands on port 80 alone')
})

t.test('shorter names are the same service, to clients that know it', async (t) => {
  for (const host of ['reviews.prod', 'reviews.prod.svc', `${REVIEWS}.`, 'Reviews.Prod'])
    t.same(answer(CLIENT, host, 80, http()), [200, 0], host)
  t.same(answer({ ...CLIENT, namespace: 'prod' }, 'reviews', 80, http()), [200, 0])
  t.same(answer(CLIENT, 'hidden.prod', 80, http()), ['passthrough', null])
  t.same(answer({ ...CLIENT, namespace: 'prod' }, 'hidden', 80, http()), [200, 0])
})

t.test('hosts and ports that lead nowhere', async (t) => {
  t.same(answer(CLIENT, REVIEWS, 9999, http()), ['closed', 1])
  t.same(answer(CLIENT, 'gone.prod.svc.cluster.local', 80, http()), ['no-such-host', 1])
  t.same(answer(CLIENT, 'db.prod.svc.cluster.local', 80, http()), ['no-address', 1])
  t.same(answer(CLIENT, 'example.org', 80, http()), ['passthrough', null])
})

t.test('a Sidecar with REGISTRY_ONLY blocks what it does not know', async (t) => {
  const sidecar = (mode: string) => `
apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: {name: default, namespace: web}
spec: {egress: [{hosts: [./*]}], outboundTrafficPolicy: {mode: ${mode}}}`
  t.same(answer(CLIENT, REVIEWS, 80, http(), sidecar('REGISTRY_ONLY')), ['blocked', 1])
  t.same(answer(CLIENT, REVIEWS, 80, http(), sidecar('ALLOW_ANY')), ['passthrough', null])
})

t.test('bytes to a port for HTTP go past its routes', async (t) => {
  t.same(answer(CLIENT, REVIEWS, 80, { kind: 'tcp' }), ['passthrough', null])
  t.same(answer(CLIENT, 'vault.prod.svc.cluster.local', 443, { kind: 'tls', sni: 'any.example.com' }), [200, 0])
  t.same(answer(EDGE, 'shop.example.com', 8080, { kind: 'tcp' }), ['protocol', null])
})

t.test('a gateway: listeners, virtual hosts, redirects', async (t) => {
  t.same(answer(EDGE, 'shop.example.com', 9000, http()), ['no-listener', 1])
  t.same(answer(EDGE, 'shop.example.com', 80, http()), [301, 0])
  t.same(answer(EDGE, 'nobody.example.org', 80, http()), [301, null], 'nobody serves where it redirects to')
  t.same(answer(EDGE, 'shop.example.com', 8080, http()), [200, 0])
  t.same(answer(EDGE, 'nobody.example.org', 8080, http()), [404, 1])
  t.same(answer(EDGE, 'shop.example.com', 8080, http({ sni: 'shop.example.com' })), ['closed', 1])
})

t.test('a gateway: TLS, ended and passed through', async (t) => {
  t.same(answer(EDGE, 'shop.example.com', 443, http({ sni: 'shop.example.com' })), [200, 0])
  t.same(answer(EDGE, 'shop.example.com', 443, http()), ['closed', 1])
  t.same(answer(EDGE, 'other.example.com', 443, http({ sni: 'other.example.com' })), ['closed', 1])
  t.same(answer(EDGE, 'a.vault.example.com', 8443, { kind: 'tls', sni: 'a.vault.example.com' }), [200, 0])
  t.same(answer(EDGE, 'b.vault.example.com', 8443, { kind: 'tls', sni: 'b.vault.example.com' }), ['closed', 1])
})

t.test('the connections that meet something of a host', async (t) => {
  const scope = (context: Context) => scopeOf(sandboxWith('').snapshot(), context)
  const ways = (context: Context, host: string) =>
    candidatesTo(scope(context), host)
      .filter((connection) => {
        const reached = reach(scope(context), connection)
        return reached.by === 'chain' || (reached.by === 'virtual-host' && reached.table !== null)
      })
      .map(({ port, serverName, http: isHttp }) => [port, serverName, isHttp])
  t.same(ways(CLIENT, REVIEWS), [
    [80, null, true],
    [8080, null, true]
  ])
  t.same(ways(CLIENT, 'vault.prod.svc.cluster.local'), [[443, 'vault.prod.svc.cluster.local', false]])
  t.same(ways(EDGE, 'shop.example.com'), [
    [80, null, true],
    [8080, null, true],
    [443, 'shop.example.com', true]
  ])
  t.same(ways(EDGE, 'a.vault.example.com'), [
    [80, null, true],
    [8080, null, true],
    [8443, 'a.vault.example.com', false]
  ])
})

t.test('a gateway is the same while a Gateway selects its Pods, and gone with the last Ready one', async (t) => {
  const before = sandboxWith('').snapshot()
  const edge = (replicas: number, labels: string) => `
apiVersion: apps/v1
kind: Deployment
metadata: {name: edge, namespace: ingress}
spec: {replicas: ${replicas}, template: {metadata: {labels: ${labels}}}}`
  const after = (text: string) => gatewayAfter(before, sandboxWith(text).snapshot(), EDGE)
  t.same(after(edge(1, '{istio: edge, tier: a}'))?.labels, { istio: 'edge', tier: 'a' })
  t.equal(after(edge(1, '{istio: other}')), null)
  t.equal(after(edge(0, '{istio: edge}')), null)
  const imagined: Context = { ...EDGE, namespace: 'elsewhere' }
  t.equal(gatewayAfter(before, before, imagined), imagined)
})
