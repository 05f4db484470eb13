import { deployment, gateway, guide, guideAtGateway, HOST, kubernetesGateway, rule, service, virtualService } from '../manifests.ts'
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
      says: 'no listener of Gateway (gateway.networking.k8s.io) default/web would have this host any longer'
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
    }
  ],
  safe: [
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
    { name: 'one that serves nothing is deleted', given: [...guide(), gateway()], delete: gateway() }
  ]
}
