import {
  AT_GATEWAY,
  backend,
  backends,
  guideAtGateway,
  guideByRoutes,
  httpRoute,
  namespace,
  rule,
  service,
  to,
  virtualService
} from '../manifests.ts'
import type { RuleExamples } from './examples.ts'

export const unknownDestination: RuleExamples = {
  rule: 'unknown-destination',
  finds: [
    {
      name: 'a host that does not exist',
      apply: virtualService([rule([to(null, undefined, { host: 'nowhere' })])]),
      severity: 'deny',
      says: 'nowhere.default.svc.cluster.local'
    },
    {
      name: 'a half-qualified host',
      apply: virtualService([rule([to(null, undefined, { host: 'helloworld.default' })])]),
      severity: 'deny',
      says: 'write the host in full'
    },
    {
      name: 'a port that the Service does not have',
      apply: virtualService([rule([to('v1', undefined, { port: { number: 8080 } })])]),
      severity: 'deny',
      says: 'port 8080'
    },
    {
      name: 'nothing was served before',
      given: [namespace('default'), service({ selector: { app: 'other' } })],
      apply: virtualService([rule([to(null, undefined, { host: 'nowhere' })])]),
      severity: 'warn'
    },
    {
      name: 'a route sends to the Service of a version that is not there yet',
      given: guideByRoutes(),
      apply: httpRoute([backends([backend('v1', 90), backend('v3', 10)])]),
      severity: 'deny',
      says: '10% of requests to helloworld.default.svc.cluster.local:3000 would get 500: HTTPRoute default/helloworld rules[0] sends 10% to host helloworld-v3'
    },
    {
      name: 'a route sends to a port that the Service does not have',
      given: guideAtGateway(),
      apply: httpRoute([backends([backend('v1', 1, { port: 80 })])], AT_GATEWAY),
      severity: 'deny',
      says: 'name a port of helloworld-v1.default.svc.cluster.local in backendRefs'
    },
    {
      name: 'a route sends to another namespace without leave',
      given: guideAtGateway(namespace('apps')),
      apply: httpRoute([backends([backend('v1', 1, { namespace: 'apps' })])], AT_GATEWAY),
      severity: 'deny',
      says: 'create a ReferenceGrant in namespace apps from HTTPRoute of namespace default to Service helloworld-v1'
    },
    {
      name: 'the last weight of a route becomes 0',
      given: guideAtGateway(),
      apply: httpRoute([backends([backend('v1', 0), backend('v2', 0)])], AT_GATEWAY),
      severity: 'deny',
      says: 'sends to no backend at all'
    },
    {
      name: 'a new route of a new host has no backend yet',
      given: guideAtGateway(),
      apply: httpRoute([backends([backend('v3')])], { ...AT_GATEWAY, hostnames: ['new.example.com'] }, { name: 'new' }),
      severity: 'warn'
    },
    {
      name: 'an ExternalName for a host that the mesh does not know, which no Service can have',
      given: guideAtGateway(service({ type: 'ExternalName', externalName: 'api.vendor.example' }, { name: 'vendor' })),
      apply: httpRoute([backends([{ name: 'vendor', port: 3000 }])], AT_GATEWAY),
      severity: 'deny',
      says: 'sends to host api.vendor.example, which does not exist. First create a Service or ServiceEntry of that host'
    },
    {
      name: 'a route of the mesh whose weights are all 0',
      given: guideByRoutes(),
      apply: httpRoute([backends([backend('v1', 0), backend('v2', 0)])]),
      severity: 'deny',
      says: '100% of requests to helloworld.default.svc.cluster.local:3000 would get 500: HTTPRoute default/helloworld rules[0] sends to no backend at all'
    },
    {
      name: 'one rule of it, beside another that is answered',
      given: guideByRoutes(),
      apply: httpRoute([backends([backend('v1')]), backends([], [{ path: { type: 'PathPrefix', value: '/v2' } }])]),
      severity: 'deny',
      says: 'rules[1] sends to no backend at all'
    }
  ],
  safe: [
    {
      name: 'weight 0 to a Service that is not there',
      given: guideByRoutes(),
      apply: httpRoute([backends([backend('v1', 1), backend('v3', 0)])])
    },
    { name: 'the full name', apply: virtualService([rule([to('v1', undefined, { host: 'helloworld.default.svc.cluster.local' })])]) },
    { name: 'weight 0 to a host that does not exist', apply: virtualService([rule([to('v1', 1), to(null, 0, { host: 'nowhere' })])]) }
  ]
}
