import { guideWith, guideWithout, type Manifest, rule, service, virtualService } from '../manifests.ts'
import type { RuleExamples } from './examples.ts'

const entry: Manifest = {
  apiVersion: 'networking.istio.io/v1',
  kind: 'ServiceEntry',
  metadata: { name: 'vendor', namespace: 'default' },
  spec: {
    hosts: ['api.vendor.example'],
    location: 'MESH_EXTERNAL',
    resolution: 'DNS',
    ports: [{ number: 80, name: 'http', protocol: 'HTTP' }]
  }
}
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
      given: guideWith(entry, route),
      delete: entry,
      severity: 'warn',
      says: 'VirtualService default/vendor still sends to api.vendor.example'
    },
    { name: 'no route has the host of the ServiceEntry', given: guideWith(entry), delete: entry, severity: 'warn', says: 'past the mesh' }
  ],
  safe: [
    { name: 'nothing sends to it', given: guideWithout('VirtualService'), delete: service() },
    {
      name: 'another ServiceEntry has the host',
      given: guideWith(entry, { ...entry, metadata: { name: 'vendor-too', namespace: 'default' } }),
      delete: entry
    }
  ]
}
