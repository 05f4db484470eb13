/**
 * A minimum of 0: the real HorizontalPodAutoscaler (HPAScaleToZero) takes the last Pods of what a route sends to, and of what it does not, and KEDA's writes, played
 * as its operator makes them: a GET and a PUT of the scale, by its ServiceAccount, again and again.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { deployment, destinationRule, type Manifest, namespace, rule, service, to, virtualService } from '../manifests.ts'
import { startControlPlane } from '../rig/control-plane.ts'
import { startHitless } from '../rig/hitless-process.ts'

t.setTimeout(5 * 60_000)

const LATEST_MS = 3 * 60_000
const HPA = 'system:serviceaccount:kube-system:horizontal-pod-autoscaler'
const KEDA = 'system:serviceaccount:keda:keda-operator'
const DEPLOYMENTS = '/apis/apps/v1/namespaces/default/deployments'
const METRICS = 'external.metrics.k8s.io'

const plane = await startControlPlane({ apiServerFlags: ['--feature-gates=HPAScaleToZero=true'] })
t.teardown(() => plane.stop())

// A metric that is always 0. To the autoscaler, a kind of objects with a value is no different from an adapter of metrics.
const definition = {
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: `queue.${METRICS}`, annotations: { 'api-approved.kubernetes.io': 'unapproved, of a test' } },
  spec: {
    group: METRICS,
    names: { plural: 'queue', kind: 'ExternalMetricValue', listKind: 'ExternalMetricValueList' },
    scope: 'Namespaced',
    versions: [
      {
        name: 'v1beta1',
        served: true,
        storage: true,
        schema: { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } }
      }
    ]
  }
}
await apply([definition])
const { code, stderr } = await plane.kubectl(['wait', '--for=condition=Established', '--timeout=30s', `crd/queue.${METRICS}`])
if (code !== 0) throw new Error(stderr)
const empty = { metricName: 'queue', metricLabels: {}, timestamp: '2026-01-01T00:00:00Z', value: '0' }

await apply([
  { apiVersion: `${METRICS}/v1beta1`, kind: 'ExternalMetricValue', metadata: { name: 'length', namespace: 'default' }, ...empty },
  namespace('default', { labels: { 'istio-injection': 'enabled' } }),
  service(),
  deployment('v1'),
  deployment('v2'),
  destinationRule(['v1', 'v2'])
])
for (const version of ['v1', 'v2']) {
  const ready = await plane.kubectl(['rollout', 'status', `deployment/helloworld-${version}`, '--timeout=60s'])
  if (ready.code !== 0) throw new Error(ready.stderr)
}
await apply([virtualService([rule([to('v1', 100), to('v2', 0)])])])
const apiGroup = 'rbac.authorization.k8s.io'
await apply([
  namespace('keda'),
  { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'keda-operator', namespace: 'keda' } },
  {
    apiVersion: `${apiGroup}/v1`,
    kind: 'ClusterRoleBinding',
    metadata: { name: 'keda-operator' },
    roleRef: { apiGroup, kind: 'ClusterRole', name: 'cluster-admin' },
    subjects: [{ kind: 'ServiceAccount', name: 'keda-operator', namespace: 'keda' }]
  }
])
const hitless = await startHitless(plane, { flags: ['--settle', '0'] })
t.teardown(() => hitless.stop())

async function apply(objects: readonly (Manifest | typeof definition)[]): Promise<void> {
  const args = ['apply', '--server-side', '--force-conflicts', '-f', '-']
  const result = await plane.kubectl(args, { input: objects.map((each) => JSON.stringify(each)).join('\n---\n') })
  if (result.code !== 0) throw new Error(result.stderr)
}

interface Scale {
  readonly spec: { readonly replicas?: number }
}

async function replicas(name: string): Promise<number> {
  const { body } = await plane.api.request<Scale>('GET', `${DEPLOYMENTS}/${name}/scale`)
  return body.spec.replicas ?? 0
}

function denials(user: string): string[] {
  return hitless
    .log()
    .split('\n')
    .filter((line) => line.includes('"msg":"denied"') && line.includes(`"user":"${user}"`))
}

async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  const started = performance.now()
  while (!(await holds())) {
    if (performance.now() - started > LATEST_MS) {
      const { stdout } = await plane.kubectl(['get', 'hpa,deployments,events', '-o', 'wide'])
      throw new Error(`${what}: not in time\n${stdout}`)
    }
    await sleep(500)
  }
}

t.test('the real HorizontalPodAutoscaler ends what gets no requests, and is refused the rest, as often as it tries', async (t) => {
  const autoscaler = (name: string) => ({
    apiVersion: 'autoscaling/v2',
    kind: 'HorizontalPodAutoscaler',
    metadata: { name, namespace: 'default' },
    spec: {
      scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name },
      minReplicas: 0,
      maxReplicas: 3,
      metrics: [{ type: 'External', external: { metric: { name: 'queue' }, target: { type: 'Value', value: '5' } } }],
      behavior: { scaleDown: { stabilizationWindowSeconds: 0 } }
    }
  })
  await apply(['helloworld-v1', 'helloworld-v2'].map(autoscaler))
  await until('v2, which has no weight, is at 0', async () => (await replicas('helloworld-v2')) === 0)
  await until('v1 is refused twice', () => denials(HPA).length >= 2)
  t.match(denials(HPA).slice(0, 2), [/workload-in-use/, /workload-in-use/])
  t.equal(await replicas('helloworld-v1'), 2)
  const { stdout } = await plane.kubectl([
    'get',
    'events',
    '--field-selector',
    'reason=FailedRescale',
    '-o',
    'jsonpath={.items[*].message}'
  ])
  t.match(stdout, /HorizontalPodAutoscaler: set minReplicas: 1\./, 'its Event tells the way out')
  await apply([{ ...autoscaler('helloworld-v1'), spec: { ...autoscaler('helloworld-v1').spec, minReplicas: 1 } }])
  await until('with a minimum of 1 it comes to rest', async () => (await replicas('helloworld-v1')) === 1)
  await plane.kubectl(['delete', 'hpa', '--all'])
})

t.test("KEDA's operator is refused the last Pods of what gets requests, at every try, and told its minimum", async (t) => {
  const path = `${DEPLOYMENTS}/helloworld-v1/scale`
  const write = async () => {
    const { body } = await plane.api.request<Scale>('GET', path, { as: KEDA })
    return plane.api.request<{ message?: string }>('PUT', path, {
      body: { ...body, spec: { ...body.spec, replicas: 0 } },
      as: KEDA,
      userAgent: 'keda'
    })
  }
  for (const _ of [1, 2]) {
    const { status, body } = await write()
    t.equal(status, 403)
    t.match(body.message, /\[workload-in-use\].*KEDA: set minReplicaCount: 1 for its ScaledObject/)
  }
  t.equal(denials(KEDA).length, 2)
  await plane.kubectl(['label', 'namespace', 'default', 'hitless.io/mode=warn'])
  await until('the label counts', async () => (await write()).status === 200)
  t.equal(await replicas('helloworld-v1'), 0, 'where its owners want it')
})
