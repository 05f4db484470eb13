import { destinationRule, rule, to, virtualService } from '../manifests.ts'
import type { RuleExamples } from './examples.ts'

export const halfQualifiedHost: RuleExamples = {
  rule: 'half-qualified-host',
  finds: [
    {
      name: 'a VirtualService host',
      apply: virtualService([rule([to('v1')])], { hosts: ['helloworld.default'] }, { name: 'half' }),
      severity: 'warn',
      says: 'taken literally'
    },
    {
      name: 'the host of a DestinationRule',
      apply: destinationRule(['v1'], { host: 'helloworld.default.svc' }, { name: 'half' }),
      severity: 'warn'
    }
  ],
  safe: [
    {
      name: 'every spelling of one Service, as Knative writes them',
      apply: virtualService(
        [rule([to('v1')])],
        { hosts: ['helloworld.default', 'helloworld.default.svc', 'helloworld.default.svc.cluster.local'] },
        { name: 'all-names' }
      )
    },
    { name: 'the full name', apply: destinationRule(['v1', 'v2']) },
    { name: 'a host outside', apply: virtualService([rule([to('v1')])], { hosts: ['www.example.com'] }, { name: 'outside' }) }
  ]
}
