import {
  deployment,
  destinationRule,
  guideWith,
  guideWithout,
  namespace,
  rule,
  service,
  to,
  unready,
  virtualService
} from '../manifests.ts'
import type { RuleExamples } from './examples.ts'

const starting = guideWith(unready(deployment('v2')))

export const unreadyDestination: RuleExamples = {
  rule: 'unready-destination',
  finds: [
    {
      name: 'weight before any Pod of v2 is Ready',
      given: starting,
      apply: virtualService([rule([to('v1', 90), to('v2', 10)])]),
      severity: 'deny',
      says: '10% of requests'
    },
    {
      name: 'a header route to Pods that are not Ready',
      given: starting,
      apply: virtualService([rule([to('v2')], [{ headers: { beta: { exact: 'yes' } } }]), rule([to('v1')])]),
      severity: 'deny',
      says: 'with header "beta" = "yes"'
    },
    {
      name: 'a first install may route to Pods that are starting',
      given: guideWithout('Deployment').filter(({ kind }) => kind !== 'VirtualService'),
      apply: virtualService([rule([to('v1')])]),
      severity: 'warn'
    },
    {
      name: 'nothing counts as served through a Gateway that is not known',
      given: starting,
      apply: virtualService([rule([to('v2')])], { hosts: ['hello.example.com'], gateways: ['gateway'] }, { name: 'public' }),
      severity: 'warn'
    },
    {
      name: 'a TCP route to Pods that are starting, where nothing was answered before',
      given: [namespace('default'), service({ ports: [{ name: 'tcp', port: 3000 }] }), unready(deployment('v1')), destinationRule(['v1'])],
      apply: virtualService([], { http: [], tcp: [rule([to('v1')])] }),
      severity: 'warn',
      says: 'of connections'
    }
  ],
  safe: [
    { name: 'weight 0 to Pods that are not Ready', given: starting, apply: virtualService([rule([to('v1', 100), to('v2', 0)])]) },
    { name: 'Ready Pods', apply: virtualService([rule([to('v2')])]) }
  ]
}
