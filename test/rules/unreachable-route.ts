import {
  AT_GATEWAY,
  backend,
  backends,
  DEBUG,
  guideAtGateway,
  guideByRoutes,
  httpRoute,
  kubernetesGateway,
  type Manifest,
  mirrorTo,
  rule,
  to,
  virtualService
} from '../manifests.ts'
import type { RuleExamples } from './examples.ts'

const API = [{ path: { type: 'PathPrefix', value: '/api' } }]

/** A route that is new, for the Gateway `web` with this listener. */
const parted = (listener: Record<string, unknown>, spec: Record<string, unknown> = {}, metadata: Record<string, unknown> = {}) => ({
  given: [...guideByRoutes(), kubernetesGateway([{ name: 'http', port: 80, protocol: 'HTTP', ...listener }])],
  apply: httpRoute([backends([backend('v1')])], { ...AT_GATEWAY, ...spec }, { name: 'shop', ...metadata })
})

const TLS_ROUTE: Manifest = {
  apiVersion: 'gateway.networking.k8s.io/v1',
  kind: 'TLSRoute',
  metadata: { name: 'shop', namespace: 'default' },
  spec: {
    parentRefs: [{ name: 'web' }],
    hostnames: ['shop.example.com'],
    rules: [{ backendRefs: [{ name: 'helloworld-v1', port: 3000 }] }]
  }
}

const EXTENSION = { filters: [{ type: 'ExtensionRef', extensionRef: { group: 'example.com', kind: 'Limit', name: 'x' } }] }
/** What takes a whole route with it (5.2 of what Istio makes of the Gateway API). */
const REFUSED: readonly { name: string; rule: Record<string, unknown>; says: string; kind?: string }[] = [
  { name: 'with a filter of others', rule: { ...backends([backend('v1')]), ...EXTENSION }, says: ' has a filter of type ExtensionRef' },
  {
    name: 'with such a filter at a backend',
    rule: backends([backend('v1', 1, mirrorTo('helloworld-v2'))]),
    says: '.backendRefs[0] has a filter of type RequestMirror'
  },
  {
    name: 'with a control character in a header',
    rule: {
      ...backends([backend('v1')]),
      filters: [{ type: 'RequestHeaderModifier', requestHeaderModifier: { set: [{ name: 'x', value: 'a\u0001' }] } }]
    },
    says: ' gives a header a value with a control character'
  },
  {
    name: 'that names a Service in full',
    rule: backends([{ name: 'helloworld-v1.default.svc.cluster.local', port: 3000 }]),
    says: '.backendRefs[0] names helloworld-v1.default.svc.cluster.local, and no Service has a dot in its name'
  },
  {
    name: 'that names a Hostname in a namespace',
    rule: backends([{ group: 'networking.istio.io', kind: 'Hostname', name: 'helloworld', namespace: 'default', port: 3000 }]),
    says: '.backendRefs[0] names Hostname helloworld with a namespace, or without a port'
  },
  {
    name: 'of gRPC that mirrors to nobody',
    rule: { backendRefs: [backend('v1')], ...mirrorTo('helloworld-v9') },
    says: ' mirrors to helloworld-v9',
    kind: 'GRPCRoute'
  }
]

export const unreachableRoute: RuleExamples = {
  rule: 'unreachable-route',
  finds: [
    {
      name: 'a route behind the fallback',
      apply: virtualService([rule([to('v1')]), rule([to('v2')], DEBUG)]),
      severity: 'warn',
      says: 'http[1]'
    },
    {
      name: 'a prefix below an earlier one',
      apply: virtualService([
        rule([to('v1')], [{ uri: { prefix: '/a' } }]),
        rule([to('v2')], [{ uri: { prefix: '/a/b' } }]),
        rule([to('v1')])
      ]),
      severity: 'warn'
    },
    {
      name: 'a regular expression beside the prefix "/" of the Gateway API',
      given: guideAtGateway(),
      apply: httpRoute(
        [backends([backend('v1')]), backends([backend('v2')], [{ path: { type: 'RegularExpression', value: '/api/.*' } }])],
        AT_GATEWAY
      ),
      severity: 'warn',
      says: 'rules[1] of HTTPRoute default/helloworld gets no request'
    },
    {
      name: 'a younger route with a match that an older one has',
      given: guideAtGateway(httpRoute([backends([backend('v1')], API)], AT_GATEWAY, { name: 'older' })),
      apply: httpRoute([backends([backend('v2')], API)], AT_GATEWAY, { name: 'younger' }),
      severity: 'warn',
      says: 'rules[0] of HTTPRoute default/younger gets no request'
    },
    {
      name: 'a new route that names a listener that is not there',
      ...parted({}, { parentRefs: [{ name: 'web', sectionName: 'https' }] }),
      severity: 'warn',
      says: 'HTTPRoute default/shop gets no request there: Gateway (gateway.networking.k8s.io) default/web has no listener "https", which HTTPRoute default/shop names; it has http'
    },
    {
      name: 'hostnames of which the listener has none',
      ...parted({ hostname: '*.shop.example.com' }),
      severity: 'warn',
      says: 'listener "http" of Gateway (gateway.networking.k8s.io) default/web is for *.shop.example.com, and none of the hostnames of HTTPRoute default/shop is. Write a hostname that the listener covers'
    },
    {
      name: 'a namespace that the listener does not admit',
      ...parted({}, { parentRefs: [{ name: 'web', namespace: 'default' }] }, { namespace: 'team' }),
      severity: 'warn',
      says: 'takes no routes of namespace team. First let allowedRoutes.namespaces of the listener take namespace team'
    },
    {
      name: 'a kind that the listener does not admit',
      ...parted({ allowedRoutes: { kinds: [{ kind: 'GRPCRoute' }] } }),
      severity: 'warn',
      says: 'takes no HTTPRoute. Name a listener whose protocol and allowedRoutes.kinds take a HTTPRoute'
    },
    {
      name: 'a kind that the protocol of the listener cannot serve',
      ...parted({}),
      apply: TLS_ROUTE,
      severity: 'warn',
      says: 'listener "http" of Gateway (gateway.networking.k8s.io) default/web takes no TLSRoute'
    },
    {
      name: 'a hostname that belongs to a narrower listener',
      given: [
        ...guideByRoutes(),
        kubernetesGateway([
          { name: 'wide', port: 80, protocol: 'HTTP', hostname: '*.example.com' },
          { name: 'hello', port: 80, protocol: 'HTTP', hostname: 'hello.example.com' }
        ])
      ],
      apply: httpRoute(
        [backends([backend('v1')])],
        { ...AT_GATEWAY, parentRefs: [{ name: 'web', sectionName: 'wide' }] },
        { name: 'shop' }
      ),
      severity: 'warn',
      says: 'listener "wide" of Gateway (gateway.networking.k8s.io) default/web leaves hello.example.com to a narrower listener beside it'
    },
    {
      name: 'a listener that does not serve',
      ...parted({ name: 'https', port: 443, protocol: 'HTTPS', tls: { certificateRefs: [{ name: 'web', namespace: 'elsewhere' }] } }),
      severity: 'warn',
      says: 'listener "https" of Gateway (gateway.networking.k8s.io) default/web serves nothing: another listener has its port, or it has no certificate'
    },
    ...REFUSED.map(({ name, rule: refused, says, kind = 'HTTPRoute' }) => ({
      name: `Istio makes nothing of a route ${name}`,
      given: guideAtGateway(),
      apply: {
        ...httpRoute([backends([backend('v1')]), refused], { ...AT_GATEWAY, hostnames: ['new.example.com'] }, { name: 'new' }),
        kind
      },
      severity: 'warn' as const,
      says: `Istio makes nothing of ${kind} default/new, nor of its other rules: rules[1]${says}`
    }))
  ],
  safe: [
    { name: 'a route that the listener takes', ...parted({}, { parentRefs: [{ name: 'web', sectionName: 'http', port: 80 }] }) },
    { name: 'a route to a Gateway that is not there yet', given: guideByRoutes(), apply: parted({}).apply },
    {
      name: 'a Gateway that is not of Istio',
      given: [...guideByRoutes(), kubernetesGateway([{ name: 'http', port: 80, protocol: 'HTTP' }], { gatewayClassName: 'other' })],
      apply: parted({}, { parentRefs: [{ name: 'web', sectionName: 'https' }] }).apply
    },
    {
      name: 'a younger route with a longer path',
      given: guideAtGateway(),
      apply: httpRoute([backends([backend('v2')], API)], AT_GATEWAY, { name: 'younger' })
    },
    {
      name: 'of the Gateway API the order in the object does not matter',
      given: guideAtGateway(),
      apply: httpRoute([backends([backend('v1')]), backends([backend('v2')], API)], AT_GATEWAY)
    },
    {
      name: 'the narrow one first',
      apply: virtualService([
        rule([to('v2')], [{ uri: { prefix: '/a/b' } }]),
        rule([to('v1')], [{ uri: { prefix: '/a' } }]),
        rule([to('v1')])
      ])
    },
    {
      name: 'the earlier one is for other clients',
      apply: virtualService([rule([to('v1')], [{ sourceLabels: { app: 'web' } }]), rule([to('v2')], DEBUG), rule([to('v1')])])
    }
  ]
}
