import { destinationRule, guideWith, type Manifest, rule, to, virtualService } from '../manifests.ts'
import type { RuleExamples } from './examples.ts'

const speaks = (mode: string) => destinationRule(['v1', 'v2'], { trafficPolicy: { tls: { mode } } })
const takes = (mode: string, spec: Record<string, unknown> = {}): Manifest => ({
  apiVersion: 'security.istio.io/v1',
  kind: 'PeerAuthentication',
  metadata: { name: 'default', namespace: 'default' },
  spec: { mtls: { mode }, ...spec }
})
const v1Alone = { selector: { matchLabels: { app: 'helloworld', version: 'v1' } } }

export const tlsMismatch: RuleExamples = {
  rule: 'tls-mismatch',
  finds: [
    {
      name: 'clients are told to speak plain text to Pods that take mTLS only',
      given: guideWith(takes('STRICT')),
      apply: speaks('DISABLE'),
      severity: 'deny',
      says: 'First set mode PERMISSIVE in PeerAuthentication default/default'
    },
    {
      name: 'the namespace takes mTLS only while a DestinationRule has clients speak plain text',
      given: guideWith(speaks('DISABLE'), takes('PERMISSIVE')),
      apply: takes('STRICT'),
      severity: 'deny',
      says: 'First set tls mode ISTIO_MUTUAL in DestinationRule default/helloworld'
    },
    {
      name: 'of two versions the one that is routed to takes mTLS alone',
      given: guideWith(takes('STRICT', v1Alone)),
      apply: speaks('DISABLE'),
      severity: 'deny',
      says: 'First set mode PERMISSIVE in PeerAuthentication default/default'
    },
    {
      name: 'clients speak TLS of their own to Pods of the mesh',
      apply: speaks('SIMPLE'),
      severity: 'warn',
      says: 'expect ISTIO_MUTUAL'
    }
  ],
  safe: [
    { name: 'plain text to Pods that take both', given: guideWith(takes('PERMISSIVE')), apply: speaks('DISABLE') },
    { name: 'mTLS to Pods that take nothing else', given: guideWith(takes('STRICT')), apply: speaks('ISTIO_MUTUAL') },
    {
      name: 'the workload itself takes plain text',
      given: guideWith(takes('STRICT'), {
        ...takes('DISABLE', { selector: { matchLabels: { app: 'helloworld' } } }),
        metadata: { name: 'app', namespace: 'default' }
      }),
      apply: speaks('DISABLE')
    },
    {
      name: 'only some of the Pods behind the host take mTLS alone',
      given: guideWith(takes('STRICT', v1Alone), virtualService([rule([to(null)])])),
      apply: speaks('DISABLE')
    },
    {
      name: 'plain text to a host of which routes name a subset alone, that speaks mTLS',
      given: guideWith(takes('STRICT')),
      apply: destinationRule([], {
        trafficPolicy: { tls: { mode: 'DISABLE' } },
        subsets: [{ name: 'v1', labels: { version: 'v1' }, trafficPolicy: { tls: { mode: 'ISTIO_MUTUAL' } } }]
      })
    }
  ]
}
