import { gateway, guide, type Manifest, rule, virtualService } from '../manifests.ts'
import type { RuleExamples } from './examples.ts'

/** Of a host outside the cluster. */
export const entry = (spec: Record<string, unknown> = {}): Manifest => ({
  apiVersion: 'networking.istio.io/v1',
  kind: 'ServiceEntry',
  metadata: { name: 'vendor', namespace: 'default' },
  spec: {
    hosts: ['api.vendor.example'],
    location: 'MESH_EXTERNAL',
    resolution: 'DNS',
    ports: [{ number: 80, name: 'http', protocol: 'HTTP' }],
    ...spec
  }
})
const machine: Manifest = {
  apiVersion: 'networking.istio.io/v1',
  kind: 'WorkloadEntry',
  metadata: { name: 'vm', namespace: 'default' },
  spec: { address: '10.0.0.1', labels: { app: 'vendor' } }
}
const routed = [
  ...guide(),
  gateway(),
  virtualService(
    [rule([{ destination: { host: 'api.vendor.example', port: { number: 80 } } }])],
    { hosts: ['vendor.example.com'], gateways: ['gateway'] },
    { name: 'vendor' }
  )
]
const selecting = entry({ location: 'MESH_INTERNAL', resolution: 'STATIC', workloadSelector: { labels: { app: 'vendor' } } })

export const entryInUse: RuleExamples = {
  rule: 'entry-in-use',
  finds: [
    {
      name: 'the ServiceEntry of a carried destination is deleted',
      given: [...routed, entry()],
      delete: entry(),
      severity: 'deny',
      says: 'which only ServiceEntry default/vendor makes known'
    },
    {
      name: 'its port gets another number',
      given: [...routed, entry()],
      apply: entry({ ports: [{ number: 8080, name: 'http', protocol: 'HTTP' }] }),
      severity: 'deny',
      says: 'which would no longer have port 80'
    },
    {
      name: 'the last machine behind it is deleted',
      given: [...routed, selecting, machine],
      delete: machine,
      severity: 'deny',
      says: 'whose last endpoint WorkloadEntry default/vm is'
    }
  ],
  safe: [
    {
      name: 'a port more',
      given: [...routed, entry()],
      apply: entry({
        ports: [
          { number: 80, name: 'http', protocol: 'HTTP' },
          { number: 443, name: 'tls', protocol: 'TLS' }
        ]
      })
    },
    { name: 'one that no route sends to is deleted', given: [...guide(), entry()], delete: entry() }
  ]
}
