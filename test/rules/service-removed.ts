import {
  AT_GATEWAY,
  backend,
  guideAtGateway,
  guideWith,
  guideWithout,
  httpRoute,
  mirrorTo,
  namespace,
  rule,
  service,
  versionService,
  virtualService
} from '../manifests.ts'
import { entry } from './entry-in-use.ts'
import type { RuleExamples } from './examples.ts'

const vendor = entry()
const twoPorts = entry({
  ports: [
    { number: 80, name: 'http', protocol: 'HTTP' },
    { number: 443, name: 'tls', protocol: 'TLS' }
  ]
})
const route = virtualService(
  [rule([{ destination: { host: 'api.vendor.example' } }])],
  { hosts: ['api.vendor.example'] },
  { name: 'vendor' }
)

export const serviceRemoved: RuleExamples = {
  rule: 'service-removed',
  finds: [
    { name: 'a VirtualService still sends to it', delete: service(), severity: 'warn', says: 'still sends to' },
    {
      name: 'a VirtualService still has the host of the ServiceEntry',
      given: guideWith(vendor, route),
      delete: vendor,
      severity: 'warn',
      says: 'VirtualService default/vendor still sends to api.vendor.example'
    },
    {
      name: 'no route has the host of the ServiceEntry',
      given: guideWith(vendor),
      delete: vendor,
      severity: 'warn',
      says: 'past the mesh'
    },
    {
      name: 'an update takes out a host that clients may call',
      given: guideWith(entry({ hosts: ['api.vendor.example', 'cdn.vendor.example'] })),
      apply: vendor,
      severity: 'warn',
      says: 'clients would call cdn.vendor.example past the mesh'
    },
    {
      name: 'an update takes out a port that clients may call',
      given: guideWith(twoPorts),
      apply: vendor,
      severity: 'warn',
      says: 'clients would call api.vendor.example:443 past the mesh'
    },
    {
      name: 'some clients see it no longer',
      given: guideWith(vendor, namespace('web')),
      apply: entry({ exportTo: ['.'] }),
      severity: 'warn',
      says: 'clients of namespace web would call api.vendor.example past the mesh'
    },
    {
      name: 'a GRPCRoute mirrors to it, of which Istio makes nothing without it',
      given: guideAtGateway({
        ...httpRoute([{ backendRefs: [backend('v1')], ...mirrorTo('helloworld-v2') }], AT_GATEWAY, { name: 'grpc' }),
        kind: 'GRPCRoute'
      }),
      delete: versionService('v2'),
      severity: 'warn',
      says: 'Istio makes nothing of GRPCRoute default/grpc any longer'
    }
  ],
  safe: [
    { name: 'nothing sends to it', given: guideWithout('VirtualService'), delete: service() },
    {
      name: 'another ServiceEntry has the host',
      given: guideWith(vendor, { ...vendor, metadata: { name: 'vendor-too', namespace: 'default' } }),
      delete: vendor
    },
    {
      name: 'some clients see it no longer, but another',
      given: guideWith(vendor, { ...vendor, metadata: { name: 'vendor-too', namespace: 'web' } }, namespace('web')),
      apply: entry({ exportTo: ['.'] })
    },
    {
      name: 'a wildcard of the ServiceEntry still has the host',
      given: guideWith(entry({ hosts: ['api.vendor.example', '*.vendor.example'], resolution: 'NONE' })),
      apply: entry({ hosts: ['*.vendor.example'], resolution: 'NONE' })
    },
    {
      name: 'another ServiceEntry has the port that an update takes out',
      given: guideWith(twoPorts, { ...twoPorts, metadata: { name: 'vendor-too', namespace: 'default' } }),
      apply: vendor
    }
  ]
}
