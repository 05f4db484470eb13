import {
  DEBUG,
  deployment,
  destinationRule,
  guideWith,
  guideWithout,
  type Manifest,
  namespace,
  rule,
  to,
  virtualService
} from '../manifests.ts'
import type { RuleExamples } from './examples.ts'

const speaks = (mode: string) => destinationRule(['v1', 'v2'], { trafficPolicy: { tls: { mode } } })
const takes = (mode: string, spec: Record<string, unknown> = {}): Manifest => ({
  apiVersion: 'security.istio.io/v1',
  kind: 'PeerAuthentication',
  metadata: { name: 'default', namespace: 'default' },
  spec: { mtls: { mode }, ...spec }
})
const v1Alone = { selector: { matchLabels: { app: 'helloworld', version: 'v1' } } }

/** Of the two subsets clients speak plain text to v2. */
const plainToV2 = destinationRule([], {
  subsets: [
    { name: 'v1', labels: { version: 'v1' } },
    { name: 'v2', labels: { version: 'v2' }, trafficPolicy: { tls: { mode: 'DISABLE' } } }
  ]
})
const split = (v1: number, v2: number) => virtualService([rule([to('v1', v1), to('v2', v2)])])

const meshWide: Manifest = {
  apiVersion: 'networking.istio.io/v1',
  kind: 'DestinationRule',
  metadata: { name: 'everywhere', namespace: 'istio-system' },
  spec: { host: '*.local', trafficPolicy: { tls: { mode: 'DISABLE' } } }
}
/** The guide's release, whose Pods ask for no sidecar. */
const outside = [
  ...guideWithout('Deployment'),
  ...['v1', 'v2'].map((version) => {
    const labels = { app: 'helloworld', version }
    const spec = { containers: [{ name: 'app', image: 'example/helloworld' }] }
    return deployment(version, {
      selector: { matchLabels: labels },
      template: { metadata: { labels: { ...labels, 'sidecar.istio.io/inject': 'false' } }, spec }
    })
  })
]

const legacy: Manifest = {
  ...deployment('legacy', {
    replicas: 1,
    selector: { matchLabels: { app: 'legacy' } },
    template: { metadata: { labels: { app: 'legacy', 'sidecar.istio.io/inject': 'false' } }, spec: { containers: [{ name: 'app' }] } }
  })
}

function running(name: string, hasSidecar: boolean): Manifest {
  const containers = [{ name: 'app' }, ...(hasSidecar ? [{ name: 'istio-proxy' }] : [])]
  const status = { phase: 'Running', conditions: [{ type: 'Ready', status: 'True' }] }
  return { apiVersion: 'v1', kind: 'Pod', metadata: { name, namespace: 'default', labels: { app: name } }, spec: { containers }, status }
}

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
    },
    {
      name: 'clients speak TLS without a certificate to Pods that take mTLS only',
      given: guideWith(takes('STRICT')),
      apply: speaks('SIMPLE'),
      severity: 'deny',
      says: 'TLS without a certificate of the mesh (tls mode SIMPLE)'
    },
    {
      name: 'clients are told to speak mTLS to Pods without a sidecar',
      given: outside,
      apply: speaks('ISTIO_MUTUAL'),
      severity: 'deny',
      says: 'its Pods have no sidecar that takes it. First restart the Pods with a sidecar'
    },
    {
      name: 'the namespace takes plain text only while a DestinationRule has clients speak mTLS',
      given: guideWith(speaks('ISTIO_MUTUAL')),
      apply: takes('DISABLE'),
      severity: 'deny',
      says: 'PeerAuthentication default/default takes plain text only (DISABLE). First take tls out of DestinationRule default/helloworld'
    },
    {
      name: 'requests move to a subset to which clients speak plain text, of Pods that take mTLS only',
      given: guideWith(takes('STRICT'), plainToV2),
      apply: split(70, 30),
      severity: 'deny',
      says: '30% of requests to helloworld.default.svc.cluster.local:3000 would get 503: VirtualService default/helloworld http[0] sends to subset "v2" of helloworld.default.svc.cluster.local, to which DestinationRule default/helloworld has clients speak plain text (tls mode DISABLE), and PeerAuthentication default/default takes mTLS only (STRICT). First set tls mode ISTIO_MUTUAL in DestinationRule default/helloworld'
    },
    {
      name: 'more of them move there',
      given: guideWith(takes('STRICT'), plainToV2, split(70, 30)),
      apply: split(50, 50),
      severity: 'deny',
      says: '50% of requests'
    },
    {
      name: 'requests move to a subset of the mesh to which clients speak TLS of their own',
      given: guideWith(
        destinationRule([], {
          subsets: [
            { name: 'v1', labels: { version: 'v1' } },
            { name: 'v2', labels: { version: 'v2' }, trafficPolicy: { tls: { mode: 'SIMPLE' } } }
          ]
        })
      ),
      apply: virtualService([rule([to('v2')])]),
      severity: 'warn',
      says: 'the sidecars of its Pods expect ISTIO_MUTUAL'
    },
    {
      name: 'mTLS only while a workload of an injected namespace asks for no sidecar',
      given: [...guideWith(namespace('default', { labels: { 'istio-injection': 'enabled' } })), legacy],
      apply: takes('STRICT'),
      severity: 'warn',
      says: 'which has no sidecar,'
    },
    {
      name: 'mTLS only while Pods beside those with a sidecar have none',
      given: guideWith(running('web', true), running('cron', false)),
      apply: takes('STRICT'),
      severity: 'warn',
      says: 'Pod default/cron, which has no sidecar, could call none'
    }
  ],
  safe: [
    { name: 'mTLS only where every Pod has a sidecar', given: guideWith(running('web', true)), apply: takes('STRICT') },
    {
      name: 'a rule for the whole mesh says plain text, and the nearer one of the namespace hides it',
      given: guideWith(meshWide, speaks('ISTIO_MUTUAL')),
      apply: takes('STRICT')
    },
    {
      name: 'plain text to Pods without a sidecar, whatever the namespace takes',
      given: [...outside, takes('STRICT')],
      apply: speaks('DISABLE')
    },
    { name: 'TLS of the own kind to Pods without a sidecar', given: outside, apply: speaks('SIMPLE') },
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
    { name: 'fewer requests go where they are refused', given: guideWith(takes('STRICT'), plainToV2, split(70, 30)), apply: split(90, 10) },
    {
      name: 'requests that are refused get a route of their own',
      given: guideWith(takes('STRICT'), plainToV2, virtualService([rule([to('v2')])])),
      apply: virtualService([rule([to('v2')], DEBUG), rule([to('v1')])])
    },
    {
      name: 'a subset to which clients speak plain text, with weight 0',
      given: guideWith(takes('STRICT'), plainToV2),
      apply: split(100, 0)
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
