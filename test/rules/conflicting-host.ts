import { rule, to, virtualService } from '../manifests.ts'
import type { RuleExamples } from './examples.ts'

export const conflictingHost: RuleExamples = {
  rule: 'conflicting-host',
  finds: [
    {
      name: 'a second VirtualService for a mesh host',
      apply: virtualService([rule([to('v2')])], {}, { name: 'second' }),
      severity: 'warn',
      says: 'has no effect'
    }
  ],
  safe: [
    { name: 'the only one', apply: virtualService([rule([to('v2')])]) },
    { name: 'one for a gateway alone', apply: virtualService([rule([to('v2')])], { gateways: ['gateway'] }, { name: 'second' }) }
  ]
}
