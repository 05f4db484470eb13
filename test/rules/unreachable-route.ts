import { AT_GATEWAY, backend, backends, DEBUG, guideAtGateway, httpRoute, rule, to, virtualService } from '../manifests.ts'
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
    }
  ],
  safe: [
    {
      name: 'of the Gateway API the order in the object does not matter',
      given: guideAtGateway(),
      apply: httpRoute(
        [backends([backend('v1')]), backends([backend('v2')], [{ path: { type: 'PathPrefix', value: '/api' } }])],
        AT_GATEWAY
      )
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
