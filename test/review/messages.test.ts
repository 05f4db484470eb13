/** Every message as users see it. Wording may improve, and then this table changes with it; the rule id in brackets never does. */
import t from 'tap'
import type { Change } from '../../src/review/change.ts'
import { decide } from '../../src/review/decide.ts'
import { DEFAULT_POLICY, type Policy } from '../../src/review/policy.ts'
import { apply, remove, worldOf } from '../changes.ts'
import {
  DEBUG,
  deployment,
  destinationRule,
  gateway,
  guide,
  guideWith,
  guideWithout,
  type Manifest,
  namespace,
  rule,
  service,
  to,
  unready,
  virtualService
} from '../manifests.ts'

interface Case {
  readonly given?: readonly Manifest[]
  readonly apply?: Manifest
  readonly delete?: Manifest
  readonly author?: Partial<Change['author']>
  readonly message?: string
  readonly warning?: string
}

const H = 'helloworld.default.svc.cluster.local'
const AGAIN = 'then apply this again.'

const CASES: readonly Case[] = [
  {
    apply: virtualService([rule([to('v1')], DEBUG)]),
    message: `hitless: 100% of requests to ${H} that match none of its routes would get 404: VirtualService default/helloworld has no fallback route that takes them. First add a last http route without match, to a destination that is live, ${AGAIN} [missing-fallback]`
  },
  {
    apply: virtualService([rule([to('v1', 50), to('v3', 50)])]),
    message: `hitless: 50% of requests to ${H}:3000 would get 503: VirtualService default/helloworld http[0] sends 50% to subset "v3", which no DestinationRule defines. First add subset "v3" to DestinationRule default/helloworld, ${AGAIN} [undefined-subset]`
  },
  {
    given: guideWith(unready(deployment('v2'))),
    apply: virtualService([rule([to('v1', 90), to('v2', 10)])]),
    message: `hitless: 10% of requests to ${H}:3000 would get 503: VirtualService default/helloworld http[0] sends 10% to subset "v2" of ${H}, which no Ready Pod backs. First wait until a Pod of subset "v2" of ${H} is Ready, ${AGAIN} [unready-destination]`
  },
  {
    apply: virtualService([rule([to(null, undefined, { host: 'helloworld.default' })])]),
    message: `hitless: 100% of requests to ${H}:3000 would get 503: VirtualService default/helloworld http[0] sends to host helloworld.default, which does not exist. First write the host in full, ${H}, ${AGAIN} [unknown-destination]`
  },
  {
    apply: destinationRule(['v2']),
    message: `hitless: 100% of requests to ${H}:3000 would get 503: VirtualService default/helloworld http[0] still sends to subset "v1" of ${H}, which this removes. First move the requests to another subset in VirtualService default/helloworld, ${AGAIN} [subset-in-use]`
  },
  {
    given: guideWithout('Deployment', 'helloworld-v2'),
    apply: deployment('v1', { replicas: 0 }),
    author: { username: 'system:serviceaccount:keda:keda-operator', manager: 'keda' },
    message: `hitless: 100% of requests to ${H}:3000 would get 503: VirtualService default/helloworld http[0] still sends to subset "v1" of ${H}, whose last Ready Pods this scales to 0. No other version can take them: to shut it down, first delete Service default/helloworld, or label namespace default hitless.io/mode=warn for the time being. [workload-in-use] KEDA: set minReplicaCount: 1 for its ScaledObject; 0 is safe only where something else answers meanwhile.`
  },
  {
    given: guideWithout('Deployment', 'helloworld-v2'),
    apply: deployment('v1', { replicas: 0 }),
    author: { username: 'system:serviceaccount:kube-system:horizontal-pod-autoscaler', manager: 'kube-controller-manager' },
    message: `hitless: 100% of requests to ${H}:3000 would get 503: VirtualService default/helloworld http[0] still sends to subset "v1" of ${H}, whose last Ready Pods this scales to 0. No other version can take them: to shut it down, first delete Service default/helloworld, or label namespace default hitless.io/mode=warn for the time being. [workload-in-use] HorizontalPodAutoscaler: set minReplicas: 1.`
  },
  {
    apply: destinationRule(['v2']),
    author: { manager: 'helm' },
    message: `hitless: 100% of requests to ${H}:3000 would get 503: VirtualService default/helloworld http[0] still sends to subset "v1" of ${H}, which this removes. First move the requests to another subset in VirtualService default/helloworld, ${AGAIN} [subset-in-use] Helm: run the upgrade again once that is done.`
  },
  {
    delete: deployment('v1'),
    author: { manager: 'argocd-controller' },
    message: `hitless: 100% of requests to ${H}:3000 would get 503: VirtualService default/helloworld http[0] still sends to subset "v1" of ${H}, whose last Ready Pods this deletes. First move the requests to another version in VirtualService default/helloworld, then do this again. [workload-in-use] Argo CD prunes before it applies: set sync option PruneLast=true.`
  },
  {
    given: guideWith(virtualService([rule([to('v1', 50), to('v2', 50)])])),
    apply: service({ selector: { app: 'helloworld', version: 'v1' } }),
    author: { manager: 'kustomize-controller' },
    message: `hitless: (1) 50% of requests to ${H}:3000 would get 503: VirtualService default/helloworld http[0] sends 50% to subset "v2" of ${H}, which the changed selector leaves without a Ready Pod. Leave version labels out of the selector, or first move the requests away in VirtualService default/helloworld. [selector-in-use] (2) the next version could get no requests: the selector of Service default/helloworld names "version: v1", so its Pods are of one version only. First take "version" out of the selector, or apply a generic Service beside it. [version-in-selector] Flux: make it two commits, or two Kustomizations with dependsOn.`
  },
  {
    apply: deployment('v3', {}, { app: 'helloworld' }),
    message:
      'hitless: no subset route of helloworld would reach these Pods: their labels lack "version", on which the subsets of Service default/helloworld select. First add label "version" to the Pod template. [unversioned-workload]'
  },
  {
    given: guideWithout('Deployment').filter(({ kind }) => kind !== 'VirtualService'),
    apply: virtualService([rule([to('v1')])]),
    warning: `[unready-destination] 100% of requests to ${H}:3000 would get 503: VirtualService default/helloworld http[0] sends to subset "v1" of ${H}, which no Ready Pod backs. First wait until a Pod of subset "v1" of ${H} is Ready, ${AGAIN}`
  },
  {
    apply: virtualService([{ route: [{ destination: { host: 'helloworld', port: { number: 3000 } }, subset: 'v1' }] }]),
    warning:
      '[misplaced-field] the API server drops spec.http[0].route[0].subset: traffic goes to every version. Move it into destination.subset.'
  },
  {
    apply: virtualService([rule([to('v1')]), rule([to('v2')], DEBUG)]),
    warning:
      '[unreachable-route] http[1] of VirtualService default/helloworld gets no request: http[0] takes them all. Move it before the wider rule, or delete it.'
  },
  {
    apply: virtualService([rule([to('v2')])], {}, { name: 'second' }),
    warning: `[conflicting-host] VirtualService default/second has no effect on ${H}: Istio uses VirtualService default/helloworld for it. Put its routes there instead.`
  },
  {
    delete: service(),
    warning: `[service-removed] VirtualService default/helloworld still sends to ${H}. Delete it too, or send elsewhere.`
  },
  {
    given: guideWith(
      gateway(),
      virtualService([rule([to('v1')])], { hosts: ['hello.example.com'], gateways: ['gateway'] }, { name: 'public' })
    ),
    delete: virtualService([], { hosts: ['hello.example.com'] }, { name: 'public' }),
    warning:
      '[missing-fallback] 100% of requests to hello.example.com through gateway default/ingressgateway would get 404: no VirtualService would serve this host any longer. First let another VirtualService serve it, or move its clients to another host; if this is meant, label namespace default hitless.io/mode=warn for the time being.'
  }
]

function decisionOn({ given = guide(), author = {}, ...write }: Case, policy: Policy = DEFAULT_POLICY) {
  const world = worldOf(given)
  const by = { username: 'alice', groups: [], manager: 'kubectl-client-side-apply', ...author }
  if (write.apply !== undefined) return decide(apply(world, write.apply, { author: by }), world, policy, 0)
  if (write.delete !== undefined) return decide(remove(world, write.delete, { author: by }), world, policy, 0)
  throw new Error('a case without a write')
}

t.test('messages', async (t) => {
  for (const each of CASES) {
    const { message, warnings } = decisionOn(each)
    if (each.message !== undefined) t.equal(message, each.message)
    else t.equal(warnings.join('\n').replaceAll('\n… ', ' '), each.warning)
    t.ok(Buffer.byteLength(message) <= 1024, 'a message of at most 1 KiB')
    for (const warning of warnings) t.ok([...warning].length <= 120, 'a warning of at most 120 characters')
    t.notMatch(message, /\p{Cc}/u, 'one line')
  }
})

t.test('a message that is too long keeps what to do and the rule', async (t) => {
  const long = 'x'.repeat(200)
  const subsets = Array.from({ length: 30 }, (_, at) => to(`${long}${at}`, 1))
  const { message } = decisionOn({ apply: virtualService([rule(subsets)]) })
  t.ok(Buffer.byteLength(message) <= 1024)
  t.match(message, /\[undefined-subset\]/)
  t.match(message, /First add subset/)
})

t.test('names of objects in other namespaces are shown only where policy allows, hosts always', async (t) => {
  const elsewhere = virtualService([rule([to('v1', undefined, { host: H })])], { hosts: [H] }, { namespace: 'other' })
  const given = [...guideWithout('VirtualService'), namespace('other'), elsewhere]
  const hidden = decisionOn({ given, apply: destinationRule(['v2']) })
  t.match(hidden.message, 'a VirtualService of another namespace http[0] still sends')
  t.match(hidden.message, H)
  t.notMatch(hidden.message, 'other/helloworld')
  const shown = decisionOn({ given, apply: destinationRule(['v2']) }, { ...DEFAULT_POLICY, showForeignNames: true })
  t.match(shown.message, 'VirtualService other/helloworld http[0]')
})

t.test('control characters cannot forge a line', async (t) => {
  const forged = virtualService([
    rule([to('v1')], [{ headers: { 'x\n\u001b[2Jhitless: all is well': { exact: '\u202egood' } } }]),
    rule([to('v9')])
  ])
  const { message } = decisionOn({ apply: forged })
  t.notMatch(message, /[\p{Cc}\p{Cf}]/u)
})

t.test('nor Pods of other namespaces that mTLS would shut out', async (t) => {
  const pod = (name: string, containers: string[]): Manifest => ({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: 'shop', labels: { app: name } },
    spec: { containers: containers.map((each) => ({ name: each })) },
    status: { phase: 'Running', conditions: [{ type: 'Ready', status: 'True' }] }
  })
  const world = worldOf([...guide(), pod('web', ['app', 'istio-proxy']), pod('cron', ['app'])])
  const strict: Manifest = {
    apiVersion: 'security.istio.io/v1',
    kind: 'PeerAuthentication',
    metadata: { name: 'default', namespace: 'default' },
    spec: { mtls: { mode: 'STRICT' } }
  }
  const [warning = ''] = decide(apply(world, strict), world, DEFAULT_POLICY, 0).warnings
  t.match(warning, 'a Pod of another namespace, which has no sidecar, could call none')
  t.notMatch(warning, 'cron')
})
