import {
  AT_GATEWAY,
  backend,
  backends,
  deployment,
  gateway,
  gatewayClass,
  guide,
  guideAtGateway,
  HOST,
  httpRoute,
  kubernetesGateway,
  listenerSet,
  type Manifest,
  rule,
  service,
  virtualService
} from '../manifests.ts'
import type { RuleExamples } from './examples.ts'

const server = (hosts: string[], port = 80) => ({ port: { number: port, name: `http-${port}`, protocol: 'HTTP' }, hosts })
/** The Service before the Pods of the gateway, and those of two revisions of it. */
const entrance = (spec: Record<string, unknown> = {}, metadata: Record<string, unknown> = {}) =>
  service(
    { selector: { istio: 'ingressgateway' }, ports: [{ name: 'http2', port: 80, targetPort: 8080 }], ...spec },
    { name: 'ingress', ...metadata }
  )
const proxies = (revision: string) => {
  const labels = { istio: 'ingressgateway', revision }
  return { ...deployment(revision, {}, labels), metadata: { name: `ingress-${revision}`, namespace: 'default' } }
}
const SERVED = [
  ...guide().filter(({ kind }) => kind !== 'VirtualService'),
  gateway(['*'], { servers: [server(['*.example.com'])] }),
  virtualService([rule([{ destination: { host: HOST } }])], { hosts: ['hello.example.com'], gateways: ['gateway'] })
]

const ENTERED = [...SERVED, entrance({ selector: { istio: 'ingressgateway', revision: 'old' } }), proxies('old'), proxies('new')]

const LISTENER = { name: 'http', port: 80, protocol: 'HTTP' }
/** The guide's world at a Gateway of a class of its own, or with another of its objects in the Gateway's place. */
const ofClass = (className = 'public') =>
  guideAtGateway(gatewayClass('public')).map((manifest) =>
    manifest.kind === 'Gateway' ? kubernetesGateway([LISTENER], { gatewayClassName: className }) : named(manifest, className)
  )
const named = (manifest: Manifest, className: string): Manifest =>
  manifest.metadata['name'] === 'web-istio' ? { ...manifest, metadata: { ...manifest.metadata, name: `web-${className}` } } : manifest
/** The route names a listener, or a ListenerSet, in place of all listeners of the Gateway. */
const boundTo = (parent: Record<string, unknown>, ...rest: Manifest[]) =>
  guideAtGateway(httpRoute([backends([backend('v1')])], { ...AT_GATEWAY, parentRefs: [parent] }, { name: 'bound' }), ...rest).filter(
    ({ kind, metadata }) => kind !== 'HTTPRoute' || metadata['name'] === 'bound'
  )
const CLOSED = { allowedRoutes: { namespaces: { from: 'Selector', selector: { matchLabels: { team: 'other' } } } } }
const withSets = kubernetesGateway([LISTENER], { allowedListeners: { namespaces: { from: 'Same' } } })
const ADDED = boundTo({ kind: 'ListenerSet', name: 'own' }, listenerSet([{ ...LISTENER, name: 'alt', port: 8080 }]))
  .filter(({ kind }) => kind !== 'Gateway')
  .concat(withSets)

/** A Gateway that names the Service before its Pods itself. */
const MANUAL = [
  ...guideAtGateway().map((manifest) =>
    manifest.kind === 'Gateway' ? kubernetesGateway([LISTENER], { addresses: [{ type: 'Hostname', value: 'ingress' }] }) : manifest
  ),
  entrance(),
  proxies('old')
]

export const gatewayInUse: RuleExamples = {
  rule: 'gateway-in-use',
  finds: [
    {
      name: 'a served host is no longer listed',
      given: SERVED,
      apply: gateway(['*'], { servers: [server(['other.example.com'])] }),
      severity: 'deny',
      says: 'no server of Gateway default/gateway would have this host any longer'
    },
    {
      name: 'the port moves',
      given: SERVED,
      apply: gateway(['*'], { servers: [server(['*.example.com'], 8080)] }),
      severity: 'deny',
      says: 'would have port 80 any longer'
    },
    {
      name: 'the server passes TLS through',
      given: SERVED,
      apply: gateway(['*'], {
        servers: [{ port: { number: 80, name: 'tls', protocol: 'TLS' }, tls: { mode: 'PASSTHROUGH' }, hosts: ['*.example.com'] }]
      }),
      severity: 'deny',
      says: 'would take TLS that it passes through on port 80'
    },
    {
      name: 'the host is left to another namespace',
      given: SERVED,
      apply: gateway(['*'], { servers: [server(['elsewhere/*.example.com'])] }),
      severity: 'deny',
      says: 'from routes of namespace elsewhere alone'
    },
    {
      name: 'its Service loses the port',
      given: ENTERED,
      apply: entrance({ selector: { istio: 'ingressgateway', revision: 'old' }, ports: [{ name: 'https', port: 443, targetPort: 8443 }] }),
      severity: 'deny',
      says: 'no Service would lead to its port 80 any longer'
    },
    {
      name: 'its Service takes no Pods any longer',
      given: ENTERED,
      apply: entrance({ selector: { istio: 'egressgateway' } }),
      severity: 'deny',
      says: 'requests to hello.example.com'
    },
    { name: 'its Service is deleted', given: ENTERED, delete: entrance(), severity: 'warn', says: 'no Service would lead' },
    { name: 'it is deleted', given: SERVED, delete: gateway(), severity: 'deny', says: 'this deletes Gateway default/gateway' },
    {
      name: 'a listener of the Gateway API takes another host',
      given: guideAtGateway(),
      apply: kubernetesGateway([{ name: 'http', port: 80, protocol: 'HTTP', hostname: 'other.example.com' }]),
      severity: 'deny',
      says: 'listener "http" of Gateway (gateway.networking.k8s.io) default/web is for other.example.com, and none of the hostnames of HTTPRoute default/helloworld is'
    },
    {
      name: 'a listener of the Gateway API has another port',
      given: guideAtGateway(),
      apply: kubernetesGateway([{ name: 'http', port: 8080, protocol: 'HTTP' }]),
      severity: 'deny',
      says: 'would have port 80 any longer'
    },
    {
      name: 'a Gateway of the Gateway API is deleted',
      given: guideAtGateway(),
      delete: kubernetesGateway(),
      severity: 'deny',
      says: 'this deletes Gateway (gateway.networking.k8s.io) default/web'
    },
    {
      name: 'a listener no longer takes routes of the namespace',
      given: guideAtGateway(),
      apply: kubernetesGateway([{ ...LISTENER, ...CLOSED }]),
      severity: 'deny',
      says: 'takes no routes of namespace default. Leave namespace default in allowedRoutes.namespaces of the listener'
    },
    {
      name: 'a listener no longer takes routes of the kind',
      given: guideAtGateway(),
      apply: kubernetesGateway([{ ...LISTENER, allowedRoutes: { kinds: [{ kind: 'GRPCRoute' }] } }]),
      severity: 'deny',
      says: 'takes no HTTPRoute'
    },
    {
      name: 'a listener that a route names is renamed',
      given: boundTo({ name: 'web', sectionName: 'http' }),
      apply: kubernetesGateway([{ ...LISTENER, name: 'public' }]),
      severity: 'deny',
      says: 'has no listener "http", which HTTPRoute default/bound names; it has public. Leave the listener its name, or first take sectionName out of HTTPRoute default/bound'
    },
    {
      name: 'a narrower listener takes the host, and not the route',
      given: guideAtGateway(),
      apply: kubernetesGateway([LISTENER, { ...LISTENER, name: 'narrow', hostname: 'hello.example.com', ...CLOSED }]),
      severity: 'deny',
      says: 'leaves hello.example.com to a narrower listener beside it'
    },
    {
      name: 'a Gateway of the Gateway API goes to a class of others',
      given: [...guideAtGateway(), gatewayClass('other', 'example.com/controller')],
      apply: kubernetesGateway([LISTENER], { gatewayClassName: 'other' }),
      severity: 'deny',
      says: "GatewayClass other, which Gateway (gateway.networking.k8s.io) default/web names, is not Istio's"
    },
    {
      name: 'it is to be served by the Pods behind another Service',
      given: guideAtGateway(),
      apply: kubernetesGateway([LISTENER], { addresses: [{ type: 'Hostname', value: 'other' }] }),
      severity: 'deny',
      says: 'would no longer be served by the Pods behind Service default/web-istio'
    },
    {
      name: 'what is deployed for it gets another name',
      given: guideAtGateway(),
      apply: {
        ...kubernetesGateway(),
        metadata: { ...kubernetesGateway().metadata, annotations: { 'gateway.istio.io/name-override': 'public' } }
      },
      severity: 'deny',
      says: 'would no longer be served by the Pods behind Service default/web-istio'
    },
    {
      name: 'it no longer takes ListenerSets',
      given: ADDED,
      apply: kubernetesGateway([LISTENER]),
      severity: 'deny',
      says: 'takes no ListenerSets of namespace default'
    },
    {
      name: 'its class is deleted',
      given: ofClass(),
      delete: gatewayClass('public'),
      severity: 'deny',
      says: 'this takes away GatewayClass public, by which Istio serves the Gateway'
    },
    {
      name: 'its class is left to another revision of Istio',
      given: ofClass(),
      apply: gatewayClass('public', undefined, { 'istio.io/rev': 'canary' }),
      severity: 'deny',
      says: 'this takes away GatewayClass public'
    },
    {
      name: 'the Service of a manual Gateway leads to another port of its Pods',
      given: MANUAL,
      apply: entrance({ ports: [{ name: 'http2', port: 80, targetPort: 9090 }] }),
      severity: 'deny',
      says: 'Service default/ingress would no longer lead to that port of the Pods behind it'
    },
    {
      name: 'the Service of a manual Gateway selects other Pods',
      given: MANUAL,
      apply: entrance({ selector: { istio: 'egressgateway' } }),
      severity: 'deny',
      says: 'Service default/ingress would no longer lead to that port of the Pods behind it'
    },
    {
      name: 'the Service of a manual Gateway is deleted',
      given: MANUAL,
      delete: entrance(),
      severity: 'warn',
      says: 'find nothing listening'
    }
  ],
  safe: [
    {
      name: 'the Service of a manual Gateway leads there by a port more',
      given: MANUAL,
      apply: entrance({
        ports: [
          { name: 'http2', port: 80, targetPort: 8080 },
          { name: 'alt', port: 8080, targetPort: 8080 }
        ]
      })
    },
    {
      name: 'a listener more',
      given: guideAtGateway(),
      apply: kubernetesGateway([
        { name: 'http', port: 80, protocol: 'HTTP' },
        { name: 'other', port: 8080, protocol: 'HTTP' }
      ])
    },
    {
      name: 'a listener is narrowed to what is served',
      given: guideAtGateway(),
      apply: kubernetesGateway([{ name: 'http', port: 80, protocol: 'HTTP', hostname: '*.example.com' }])
    },
    { name: 'hosts are narrowed to what is served', given: SERVED, apply: gateway(['*'], { servers: [server(['hello.example.com'])] }) },
    {
      name: 'a server more',
      given: SERVED,
      apply: gateway(['*'], { servers: [server(['*.example.com']), server(['*.example.com'], 8080)] })
    },
    {
      name: 'its Service leads to another revision of the gateway',
      given: ENTERED,
      apply: entrance({ selector: { istio: 'ingressgateway', revision: 'new' } })
    },
    {
      name: 'another Service leads there still',
      given: [...ENTERED, entrance({ ports: [{ name: 'internal', port: 8000, targetPort: 80 }] }, { name: 'internal' })],
      apply: entrance({ selector: { istio: 'egressgateway' } })
    },
    { name: 'one that serves nothing is deleted', given: [...guide(), gateway()], delete: gateway() },
    {
      name: 'a listener that no route names is renamed',
      given: guideAtGateway(),
      apply: kubernetesGateway([{ ...LISTENER, name: 'public' }])
    },
    { name: 'a listener of a ListenerSet more', given: ADDED, apply: listenerSet([LISTENER, { ...LISTENER, name: 'alt', port: 8080 }]) },
    { name: 'a class is deleted that no Gateway has', given: ofClass('istio'), delete: gatewayClass('public') },
    {
      name: "the class of Istio's own name, which needs no object",
      given: guideAtGateway(gatewayClass('istio')),
      delete: gatewayClass('istio')
    },
    {
      name: 'a class of others',
      given: [...guideAtGateway(), gatewayClass('other', 'example.com/controller')],
      delete: gatewayClass('other', 'example.com/controller')
    }
  ]
}
