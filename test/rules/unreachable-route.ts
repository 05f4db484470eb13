import { DEBUG, rule, to, virtualService } from '../manifests.ts'
import type { RuleExamples } from './examples.ts'

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
    }
  ],
  safe: [
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
