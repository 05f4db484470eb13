import { gateway, guide, HOST, namespace, rule, service, virtualService } from '../manifests.ts'
import type { RuleExamples } from './examples.ts'

const ROUTED = [
  ...guide().filter(({ kind }) => kind !== 'VirtualService'),
  namespace('edge'),
  gateway(['*'], { selector: { istio: 'edge' } }, { namespace: 'edge' }),
  virtualService([rule([{ destination: { host: HOST } }])], { hosts: ['hello.example.com'], gateways: ['edge/gateway'] })
]

export const hiddenService: RuleExamples = {
  rule: 'hidden-service',
  finds: [
    {
      name: 'exportTo hides it from the namespace of the gateway that routes to it',
      given: ROUTED,
      apply: service({}, { annotations: { 'networking.istio.io/exportTo': '.' } }),
      severity: 'deny',
      says: 'Leave namespace edge in networking.istio.io/exportTo'
    },
    {
      name: 'it becomes another name of a host that the mesh does not know',
      given: ROUTED,
      apply: service({ type: 'ExternalName', externalName: 'hello.vendor.example', selector: undefined }),
      severity: 'deny',
      says: 'First create a ServiceEntry for hello.vendor.example'
    }
  ],
  safe: [
    {
      name: 'it is exported to all that route to it',
      given: ROUTED,
      apply: service({}, { annotations: { 'networking.istio.io/exportTo': 'default,edge' } })
    }
  ]
}
