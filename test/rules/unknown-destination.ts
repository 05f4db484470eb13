import { namespace, rule, service, to, virtualService } from '../manifests.ts'
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
    }
  ],
  safe: [
    { name: 'the full name', apply: virtualService([rule([to('v1', undefined, { host: 'helloworld.default.svc.cluster.local' })])]) },
    { name: 'weight 0 to a host that does not exist', apply: virtualService([rule([to('v1', 1), to(null, 0, { host: 'nowhere' })])]) }
  ]
}
