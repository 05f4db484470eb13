import {
  AT_GATEWAY,
  backend,
  backends,
  gateway,
  guideAtGateway,
  guideWith,
  httpRoute,
  kubernetesGateway,
  mirrorTo,
  namespace,
  referenceGrant,
  rule,
  to,
  versionService,
  virtualService
} from '../manifests.ts'
import type { RuleExamples } from './examples.ts'

const elsewhere = (name: string) => versionService(name, {}, { namespace: 'apps' })
const GRANTED = [
  ...guideAtGateway(namespace('apps'), elsewhere('v1')),
  {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'helloworld-v1', namespace: 'apps' },
    spec: { replicas: 1, template: { metadata: { labels: { app: 'helloworld', version: 'v1' } } } }
  },
  referenceGrant('apps', 'default'),
  httpRoute([backends([backend('v1', 1, { namespace: 'apps' })])], AT_GATEWAY)
]

/** The Gateway takes routes of namespaces that say so. */
const open = (label: string) =>
  kubernetesGateway([
    {
      name: 'http',
      port: 80,
      protocol: 'HTTP',
      allowedRoutes: { namespaces: { from: 'Selector', selector: { matchLabels: { [label]: 'yes' } } } }
    }
  ])
const parted = [
  ...guideAtGateway(open('routes')).filter(({ kind, metadata }) => kind !== 'Namespace' || metadata['name'] !== 'default'),
  namespace('default', { labels: { routes: 'yes', team: 'one' } })
]

const grpcGrant = {
  ...referenceGrant('apps', 'default'),
  spec: { from: [{ group: 'gateway.networking.k8s.io', kind: 'GRPCRoute', namespace: 'default' }], to: [{ group: '', kind: 'Service' }] }
}
const mirroring = {
  ...httpRoute(
    [{ backendRefs: [backend('v1')], ...mirrorTo('helloworld-v1', { namespace: 'apps' }) }],
    { ...AT_GATEWAY, hostnames: ['grpc.example.com'] },
    { name: 'grpc' }
  ),
  kind: 'GRPCRoute'
}

/** Of the namespaces that istiod looks at, one serves a host at a Gateway of the other. */
const discovered = [
  ...guideWith(
    namespace('default', { labels: { mesh: 'yes' } }),
    virtualService([rule([to('v1')])], { hosts: ['shop.example'], gateways: ['ingress/gateway'] })
  ),
  namespace('ingress', { labels: { mesh: 'yes' } }),
  gateway(['*'], {}, { namespace: 'ingress' }),
  {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'istio', namespace: 'istio-system' },
    data: { mesh: '{"discoverySelectors":[{"matchLabels":{"mesh":"yes"}}]}' }
  }
]

export const grantInUse: RuleExamples = {
  rule: 'grant-in-use',
  finds: [
    {
      name: 'a namespace leaves what istiod looks at',
      given: discovered,
      apply: namespace('default'),
      severity: 'deny',
      says: 'would no longer have the labels that discoverySelectors of the mesh ask for'
    },
    {
      name: 'the grant of a backend is deleted',
      given: GRANTED,
      delete: referenceGrant('apps', 'default'),
      severity: 'deny',
      says: '100% of requests to hello.example.com through Gateway default/web would get 500'
    },
    {
      name: 'it is given to another namespace instead',
      given: GRANTED,
      apply: referenceGrant('apps', 'other'),
      severity: 'deny',
      says: 'sends to Service apps/helloworld-v1, which ReferenceGrant apps/routes would no longer let it'
    },
    {
      name: 'it is narrowed to another Service',
      given: GRANTED,
      apply: referenceGrant('apps', 'default', { group: '', kind: 'Service', name: 'helloworld-v2' }),
      severity: 'deny'
    },
    {
      name: 'it let a GRPCRoute mirror, of which Istio makes nothing without it',
      given: guideAtGateway(namespace('apps'), elsewhere('v1'), grpcGrant, mirroring),
      delete: grpcGrant,
      severity: 'deny',
      says: 'Istio makes nothing of GRPCRoute default/grpc, nor of its other rules: rules[0] mirrors to helloworld-v1'
    },
    {
      name: 'a namespace loses the label by which a listener takes its routes',
      given: parted,
      apply: namespace('default', { labels: { team: 'one' } }),
      severity: 'deny',
      says: 'Namespace default would no longer have the labels by which a listener takes its routes'
    }
  ],
  safe: [
    {
      name: 'a namespace that istiod looks at gets another label',
      given: discovered,
      apply: namespace('default', { labels: { mesh: 'yes', team: 'one' } })
    },
    {
      name: 'it is narrowed to what is sent to',
      given: GRANTED,
      apply: referenceGrant('apps', 'default', { group: '', kind: 'Service', name: 'helloworld-v1' })
    },
    {
      name: 'another grant stays',
      given: [...GRANTED, { ...referenceGrant('apps', 'default'), metadata: { name: 'other', namespace: 'apps' } }],
      delete: referenceGrant('apps', 'default')
    },
    {
      name: 'nothing is sent there',
      given: guideAtGateway(namespace('apps'), referenceGrant('apps', 'default')),
      delete: referenceGrant('apps', 'default')
    },
    { name: 'a label that no listener asks for', given: parted, apply: namespace('default', { labels: { routes: 'yes' } }) }
  ]
}
