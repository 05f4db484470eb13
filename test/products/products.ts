/** What strangers in a namespace of their own can write about a host of others: two lists that meet, each as long as an object may be. */
import { HOST, type Manifest } from '../manifests.ts'

type Fields = Record<string, unknown>

export const STRANGER = 'stranger'

const many = <T>(count: number, each: (at: number) => T): T[] => Array.from({ length: count }, (_, at) => each(at))
const object = (kind: string, name: string, spec: Fields, apiVersion = 'networking.istio.io/v1'): Manifest => ({
  apiVersion,
  kind,
  metadata: { name, namespace: STRANGER },
  spec
})
const toHost: Fields = { route: [{ destination: { host: HOST, subset: 'v1' } }] }
const prefixed = (count: number, start: string) => many(count, (at) => ({ uri: { prefix: `/${start}${at}` } }))
const vs = (name: string, spec: Fields) => object('VirtualService', name, { hosts: ['shop.com'], ...spec })
const gateway = (servers: Fields[], selector: Fields = { istio: 'ingressgateway' }) => object('Gateway', 'gateway', { selector, servers })
const server = (hosts: string[], port: Fields = { number: 80, name: 'http', protocol: 'HTTP' }) => ({ port, hosts })
const pod = (name: string, labels: Fields) => ({ ...object('Pod', name, {}, 'v1'), metadata: { name, namespace: STRANGER, labels } })
/** It has clients listen on port 80, where hosts of nobody's are served. */
const web = object('Service', 'web', { selector: { app: 'web' }, ports: [{ name: 'http', port: 80 }] }, 'v1')
const namespace: Manifest = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: STRANGER } }

const GATEWAY_API = 'gateway.networking.k8s.io/v1'
const listener = (name: string, more: Fields = {}) => ({ name, port: 80, protocol: 'HTTP', ...more })
const httpRoute = (name: string, spec: Fields) => object('HTTPRoute', name, { parentRefs: [{ name: 'api' }], ...spec }, GATEWAY_API)
const backend = (name = 'web') => [{ name, port: 80 }]
/** Of the host that is judged. */
const atHost = { kind: 'Service', group: '', name: 'helloworld', namespace: 'default' }

/** By what meets what. */
export const PRODUCTS: Readonly<Record<string, () => Manifest[]>> = {
  'matches of a root and of its delegate': () => [
    vs('root', { exportTo: ['.'], http: [{ match: prefixed(1000, 'a'), delegate: { name: 'delegate' } }] }),
    object('VirtualService', 'delegate', { http: many(1000, (at) => ({ ...toHost, match: [{ headers: { x: { exact: `${at}` } } }] })) })
  ],
  'rules of a root and of the one delegate of all': () => [
    vs('root', { http: many(2000, () => ({ delegate: { name: 'delegate' } })) }),
    object('VirtualService', 'delegate', { http: many(2000, () => toHost) })
  ],
  'a header of a megabyte in the root of many delegated rules': () => [
    vs('root', { http: [{ match: [{ headers: { x: { exact: 'x'.repeat(900_000) } } }], delegate: { name: 'delegate' } }] }),
    object('VirtualService', 'delegate', { http: many(2000, (at) => ({ ...toHost, match: [{ uri: { prefix: `/${at}` } }] })) })
  ],
  'headers of a root and matches of its delegate': () => [
    vs('root', {
      http: [{ match: [{ headers: Object.fromEntries(many(10_000, (at) => [`h${at}`, { exact: 'x' }])) }], delegate: { name: 'delegate' } }]
    }),
    object('VirtualService', 'delegate', { http: [{ ...toHost, match: prefixed(10_000, 'a') }] })
  ],
  'hosts of a route and of a gateway': () => [
    vs('shop', { hosts: many(8000, (at) => `s${at}.com`), gateways: ['gateway'], http: [toHost] }),
    gateway([server(many(8000, (at) => `g${at}.com`))])
  ],
  'hosts and gateways of a route': () => [
    vs('shop', { hosts: many(8000, (at) => `s${at}.com`), gateways: many(8000, (at) => `g${at}`), http: [toHost] })
  ],
  'routes and hosts of one route object': () => [
    vs('shop', {
      hosts: many(3000, (at) => `s${at}.com`),
      gateways: ['gateway'],
      http: many(3000, (at) => ({ ...toHost, match: [{ uri: { prefix: `/${at}` } }] }))
    }),
    gateway([server(['*'])])
  ],
  'servers of a gateway and hosts of a route': () => [
    vs('shop', { hosts: many(1000, (at) => `s${at}.com`), gateways: ['gateway'], http: [toHost] }),
    gateway(
      many(4000, (at) => ({
        ...server([`s${at % 1000}.com`], { number: 1000 + at, name: `https-${at}`, protocol: 'HTTPS' }),
        tls: { mode: 'SIMPLE' }
      }))
    )
  ],
  'server names and hosts at a passthrough gateway': () => [
    vs('shop', {
      hosts: many(2000, (at) => `s${at}.com`),
      gateways: ['gateway'],
      tls: many(2000, (at) => ({ ...toHost, match: [{ sniHosts: [`s${at}.com`] }] }))
    }),
    gateway([{ ...server(['*'], { number: 443, name: 'tls', protocol: 'TLS' }), tls: { mode: 'PASSTHROUGH' } }])
  ],
  'Sidecars and hosts that they import': () => [
    ...many(100, (at) =>
      object('Sidecar', `s${at}`, {
        workloadSelector: { labels: { app: `a${at}` } },
        egress: [{ hosts: many(2000, (host) => `other/h${host}.com`) }]
      })
    ),
    ...many(100, (at) => pod(`p${at}`, { app: `a${at}` })),
    vs('shop', { hosts: many(1000, (at) => `s${at}.com`), http: [toHost] })
  ],
  'listeners of a Sidecar and services': () => [
    object('Sidecar', 'all', {
      egress: many(8000, (at) => ({ port: { number: at + 1, name: `p${at}`, protocol: 'HTTP' }, hosts: ['*/*'] }))
    }),
    vs('shop', { http: many(2000, (at) => ({ ...toHost, match: [{ uri: { prefix: `/${at}` } }] })) })
  ],
  'labels of clients and Pods': () => [
    vs('shop', { http: many(3000, (at) => ({ ...toHost, match: [{ sourceLabels: { app: 'a', [`l${at % 3}`]: `${at}` } }] })) }),
    ...many(3000, (at) => pod(`p${at}`, { app: 'a', l0: `${at}`, l1: `${at}`, l2: `${at}` }))
  ],
  'regular expressions and paths': () => [
    vs('shop', {
      http: [
        ...many(50, (at) => ({ ...toHost, match: [{ uri: { regex: `/${'.{0,1000}'.repeat(100)}${at}` } }] })),
        ...many(300, (at) => ({ ...toHost, match: [{ uri: { exact: `/${'a'.repeat(1000)}${at}` } }] }))
      ]
    })
  ],
  'subsets and their labels': () => [
    object('DestinationRule', 'subsets', {
      host: HOST,
      exportTo: ['.'],
      subsets: many(5000, (at) => ({ name: `s${at}`, labels: Object.fromEntries(many(10, (label) => [`l${at}-${label}`, 'x'])) }))
    }),
    vs('shop', {
      http: many(3000, (at) => ({ route: [{ destination: { host: HOST, subset: `s${at}` } }], match: [{ uri: { prefix: `/${at}` } }] }))
    })
  ],
  'DestinationRules of one host and the namespaces that they are exported to': () =>
    many(1000, (at) =>
      object('DestinationRule', `d${at}`, { host: HOST, exportTo: ['.', ...many(1000, (name) => `n${name}`), `own${at}`], subsets: [] })
    ),
  'one DestinationRule exported to many and the hosts that it is over': () => [
    object('DestinationRule', 'wild', { host: '*.com', exportTo: many(30_000, (at) => `n${at}`) }),
    vs('shop', { http: [{ route: many(3000, (at) => ({ destination: { host: `s${at}.com` }, weight: 1 })) }] })
  ],
  'excluded headers with each other': () => [
    vs('shop', { http: [{ ...toHost, match: [{ withoutHeaders: Object.fromEntries(many(10_000, (at) => [`h${at}`, {}])) }] }] })
  ],
  'prefixes of one long path': () => [
    vs('shop', { http: many(1300, (at) => ({ ...toHost, match: [{ uri: { prefix: `/${'a'.repeat(at + 1)}` } }] })) })
  ],
  'the labels of one long name': () => [vs('shop', { hosts: [`${'a.'.repeat(200_000)}com`], http: [toHost] })],
  'destinations and the rules over them': () => [
    vs('shop', {
      http: [{ route: [{ destination: { host: HOST } }, ...many(5000, (at) => ({ destination: { host: `d${at}.com` }, weight: 1 }))] }],
      hosts: many(200, (at) => `s${at}.com`)
    }),
    ...many(50, (at) =>
      object('DestinationRule', `wild${at}`, {
        host: '*.com',
        subsets: many(500, (subset) => ({ name: `s${subset}`, labels: { a: 'b' } }))
      })
    )
  ],
  'route objects and their hosts': () =>
    many(300, (at) => vs(`vs${at}`, { hosts: many(300, (host) => `s${host}.x${at}.com`), http: [toHost] })),
  'route objects merged at one host of a gateway': () => [
    gateway([server(['*'])]),
    ...many(300, (at) =>
      vs(`vs${at}`, { gateways: ['gateway'], http: many(100, (path) => ({ ...toHost, match: [{ uri: { prefix: `/${at}-${path}` } }] })) })
    )
  ],
  'Pods and the subsets that they may be of': () => [
    object('Service', 'many', { selector: { app: 'a' }, ports: [{ name: 'http', port: 80 }] }, 'v1'),
    ...many(5000, (at) => pod(`p${at}`, { app: 'a' })),
    object('DestinationRule', 'many', { host: 'many', subsets: many(5000, (at) => ({ name: `s${at}`, labels: { version: `${at}` } })) }),
    vs('shop', {
      http: [
        {
          route: [
            { destination: { host: HOST }, weight: 1 },
            ...many(5000, (at) => ({ destination: { host: 'many', subset: `s${at}` }, weight: 1 }))
          ]
        }
      ]
    })
  ],
  'rules of an HTTPRoute and the host of others': () => [
    httpRoute('shop', {
      parentRefs: [atHost],
      rules: many(3000, (at) => ({ matches: [{ path: { type: 'PathPrefix', value: `/${at}` } }], backendRefs: backend() }))
    })
  ],
  'HTTPRoutes and the host of others': () =>
    many(1000, (at) =>
      httpRoute(`r${at}`, {
        parentRefs: [atHost],
        rules: many(16, (path) => ({ matches: [{ path: { type: 'PathPrefix', value: `/${at}-${path}` } }], backendRefs: backend() }))
      })
    ),
  'hostnames of an HTTPRoute and listeners of a Gateway': () => [
    ...apiGateway(many(1000, (at) => listener(`l${at}`, { hostname: `*.g${at}.com` }))),
    httpRoute('shop', { hostnames: many(1000, (at) => `s.g${at}.com`), rules: [{ backendRefs: backend() }] })
  ],
  'hostnames of HTTPRoutes and listeners of a Gateway': () => [
    ...apiGateway(many(64, (at) => listener(`l${at}`, { port: 1000 + at }))),
    ...many(300, (at) => httpRoute(`r${at}`, { hostnames: many(16, (host) => `h${host}.r${at}.com`), rules: [{ backendRefs: backend() }] }))
  ],
  'listeners that ListenerSets add with each other': () => [
    ...apiGateway([listener('http')], { allowedListeners: { namespaces: { from: 'All' } } }),
    ...many(300, (at) =>
      object(
        'ListenerSet',
        `s${at}`,
        { parentRef: { name: 'api' }, listeners: many(64, (of) => listener(`l${of}`, { hostname: `h${of}.s${at}.com` })) },
        GATEWAY_API
      )
    ),
    httpRoute('shop', { hostnames: ['s.com'], rules: [{ backendRefs: backend() }] })
  ],
  'parents of an HTTPRoute and its rules': () => [
    ...apiGateway(many(64, (at) => listener(`l${at}`, { port: 1000 + at }))),
    httpRoute('shop', {
      parentRefs: many(64, (at) => ({ name: 'api', sectionName: `l${at}` })),
      rules: many(1000, (at) => ({ matches: [{ path: { type: 'PathPrefix', value: `/${at}` } }], backendRefs: backend() }))
    })
  ],
  'HTTPRoutes merged at one host of a listener': () => [
    ...apiGateway([listener('http', { hostname: 's.com' })]),
    ...many(300, (at) =>
      httpRoute(`r${at}`, {
        rules: many(16, (path) => ({
          matches: many(8, (match) => ({ path: { type: 'PathPrefix', value: `/${at}-${path}-${match}` } })),
          backendRefs: backend()
        }))
      })
    )
  ],
  'backends of HTTPRoutes and ReferenceGrants': () => [
    ...apiGateway([listener('http')]),
    httpRoute('shop', {
      hostnames: ['s.com'],
      rules: many(200, (at) => ({ backendRefs: many(16, (of) => ({ name: `b${at}-${of}`, namespace: 'default', port: 80, weight: 1 })) }))
    }),
    ...many(1000, (at) =>
      object(
        'ReferenceGrant',
        `g${at}`,
        {
          from: many(16, (of) => ({ group: 'gateway.networking.k8s.io', kind: 'HTTPRoute', namespace: `n${of}` })),
          to: [{ group: '', kind: 'Service' }]
        },
        'gateway.networking.k8s.io/v1beta1'
      )
    )
  ]
}

/** A Gateway of the Gateway API, its class and its Pods, all of the strangers'. */
function apiGateway(listeners: Fields[], spec: Fields = {}): Manifest[] {
  const labels = { 'gateway.networking.k8s.io/gateway-name': 'api' }
  return [
    { apiVersion: GATEWAY_API, kind: 'GatewayClass', metadata: { name: 'istio' }, spec: { controllerName: 'istio.io/gateway-controller' } },
    object('Gateway', 'api', { gatewayClassName: 'istio', listeners, ...spec }, GATEWAY_API),
    object('Service', 'api-istio', { selector: labels, ports: [{ name: 'http', port: 80 }] }, 'v1'),
    pod('api', labels)
  ]
}

/** What stands in the namespace of the strangers, besides the namespace itself. */
export function strangersWrote(make: () => Manifest[]): Manifest[] {
  return [namespace, web, ...make()]
}
