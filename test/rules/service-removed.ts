import { guideWith, guideWithout, rule, service, virtualService } from '../manifests.ts'
import { entry } from './entry-in-use.ts'
import type { RuleExamples } from './examples.ts'

const vendor = entry()
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
    { name: 'no route has the host of the ServiceEntry', given: guideWith(vendor), delete: vendor, severity: 'warn', says: 'past the mesh' }
  ],
  safe: [
    { name: 'nothing sends to it', given: guideWithout('VirtualService'), delete: service() },
    {
      name: 'another ServiceEntry has the host',
      given: guideWith(vendor, { ...vendor, metadata: { name: 'vendor-too', namespace: 'default' } }),
      delete: vendor
    }
  ]
}
