import { destinationRule, guide, guideWith, guideWithout, namespace, rule, service, to, virtualService } from '../manifests.ts'
import type { RuleExamples } from './examples.ts'

export const undefinedSubset: RuleExamples = {
  rule: 'undefined-subset',
  finds: [
    {
      name: 'half of the requests go to a subset that is not defined',
      apply: virtualService([rule([to('v1', 50), to('v3', 50)])]),
      severity: 'deny',
      says: 'sends 50% to subset "v3"'
    },
    {
      name: 'a lone destination carries everything, weight 0 or not',
      apply: virtualService([rule([to('v3', 0)])]),
      severity: 'deny',
      says: '100% of requests'
    },
    {
      name: 'a new VirtualService is wrong in any state',
      given: [namespace('default'), service()],
      apply: virtualService([rule([to('v1')])]),
      severity: 'deny'
    },
    {
      name: 'what a stranger hides from its own clients keeps nobody from writing',
      given: [...guide(), namespace('stranger'), destinationRule([], {}, { namespace: 'stranger' })],
      apply: virtualService([rule([to('v1', 50), to('v2', 50)])]),
      severity: 'warn'
    }
  ],
  safe: [
    {
      name: 'through a Gateway that is not known, a subset that its own namespace sees',
      apply: virtualService([rule([to('v1')])], { hosts: ['hello.example.com'], gateways: ['infra/public'] }, { name: 'public' })
    },
    { name: 'weight 0 among several carries nothing', apply: virtualService([rule([to('v1', 100), to('v3', 0)])]) },
    { name: 'a subset that is defined', apply: virtualService([rule([to('v1', 50), to('v2', 50)])]) },
    { name: 'no subset at all', given: guideWithout('DestinationRule'), apply: virtualService([rule([to(null)])]) },
    {
      name: 'a subset that was undefined before stays so',
      given: guideWith(destinationRule(['v1']), virtualService([rule([to('v2')])])),
      apply: virtualService([{ ...rule([to('v2')]), timeout: '5s', name: 'renamed' }])
    }
  ]
}
