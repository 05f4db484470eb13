import { guide, HOST, type Manifest, namespace, rule, service, virtualService } from '../manifests.ts'
import type { RuleExamples } from './examples.ts'

const sidecar = (...hosts: string[]): Manifest => ({
  apiVersion: 'networking.istio.io/v1',
  kind: 'Sidecar',
  metadata: { name: 'default', namespace: 'web' },
  spec: { egress: [{ hosts }] }
})
const FRONT = [
  ...guide(),
  namespace('web'),
  service({}, { name: 'front', namespace: 'web' }),
  virtualService([rule([{ destination: { host: HOST, subset: 'v1' } }])], { hosts: ['front'] }, { name: 'front', namespace: 'web' })
]
const strict: Manifest = {
  ...sidecar('./*', 'default/*'),
  spec: { egress: [{ hosts: ['./*', 'default/*'] }], outboundTrafficPolicy: { mode: 'REGISTRY_ONLY' } }
}

export const sidecarHides: RuleExamples = {
  rule: 'sidecar-hides',
  finds: [
    {
      name: 'a host that a route of its own namespace sends to is no longer imported',
      given: FRONT,
      apply: sidecar('./*'),
      severity: 'deny',
      says: 'would pass by all its routes and rules'
    },
    {
      name: 'where unknown hosts are refused, the app is no longer imported',
      given: [...FRONT, strict],
      apply: { ...strict, spec: { egress: [{ hosts: ['./*'] }], outboundTrafficPolicy: { mode: 'REGISTRY_ONLY' } } },
      severity: 'deny',
      says: 'spec.egress.hosts'
    }
  ],
  safe: [
    { name: 'everything that is reached is imported', given: FRONT, apply: sidecar('./*', 'default/*') },
    {
      name: 'where unknown hosts are let through, what becomes of them nobody knows',
      given: FRONT,
      apply: sidecar('./*', 'default/*', 'other/*')
    }
  ]
}
