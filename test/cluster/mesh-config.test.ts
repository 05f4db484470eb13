/** What the mesh says of itself, followed on a real API server by a client that may read nothing but that. */
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { LiveCluster } from '../../src/cluster/live-cluster.ts'
import type { ClusterEvent } from '../../src/cluster/observe.ts'
import { startControlPlane } from '../rig/control-plane.ts'

t.setTimeout(300_000)

const plane = await startControlPlane({ controllers: false })
t.teardown(() => plane.stop())
const { api } = plane
const CORE = '/api/v1/namespaces'
const RBAC = `/apis/rbac.authorization.k8s.io/v1/namespaces/istio-system`
const apiGroup = 'rbac.authorization.k8s.io'

async function must(method: 'POST' | 'PUT' | 'DELETE', path: string, body?: object): Promise<void> {
  const { status, body: answer } = await api.request(method, path, body === undefined ? {} : { body })
  if (status >= 300) throw new Error(`${method} ${path}: ${status} ${JSON.stringify(answer)}`)
}

const configMap = (mesh: string, name = 'istio') => ({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name }, data: { mesh } })
const MAPS = `${CORE}/istio-system/configmaps`

await must('POST', CORE, { metadata: { name: 'istio-system' } })
// As the chart has it (charts/hitless/templates/mesh-config.yaml).
await must('POST', `${RBAC}/roles`, {
  metadata: { name: 'mesh-config' },
  rules: [{ apiGroups: [''], resources: ['configmaps'], resourceNames: ['istio'], verbs: ['get', 'list', 'watch'] }]
})
await must('POST', `${RBAC}/rolebindings`, {
  metadata: { name: 'mesh-config' },
  roleRef: { apiGroup, kind: 'Role', name: 'mesh-config' },
  subjects: [{ kind: 'ServiceAccount', name: 'reader', namespace: 'default' }]
})
await must('POST', `${CORE}/default/serviceaccounts`, { metadata: { name: 'reader' } })
const kubeconfig = await plane.kubeconfigFor({ namespace: 'default', name: 'reader' })

t.test('its ConfigMap is followed by its name, and a state that cannot be read leaves what it said before', async (t) => {
  await must('POST', MAPS, configMap('rootNamespace: elsewhere', 'other'))
  const events: ClusterEvent[] = []
  const stop = new AbortController()
  const cluster = new LiveCluster({ source: { kubeconfig, context: null }, kinds: ['MeshConfig'], observe: (event) => events.push(event) })
  await cluster.start(stop.signal)
  const policy = () => cluster.snapshot().settings.outboundTrafficPolicy
  const until = async (wanted: string | undefined) => {
    while (policy() !== wanted) await sleep(20)
  }
  t.equal(policy(), undefined, 'the default, where there is none')
  t.equal(cluster.snapshot().settings.rootNamespace, 'istio-system')
  await must('POST', MAPS, configMap('outboundTrafficPolicy: { mode: REGISTRY_ONLY }'))
  await until('REGISTRY_ONLY')
  await must('PUT', `${MAPS}/istio`, configMap('outboundTrafficPolicy: { mode: SOMETIMES }'))
  while (!events.some(({ type }) => type === 'skipped')) await sleep(20)
  t.equal(policy(), 'REGISTRY_ONLY', 'as it was')
  t.strictSame(cluster.health().reasons, [])
  await must('PUT', `${MAPS}/istio`, configMap('outboundTrafficPolicy: { mode: ALLOW_ANY }'))
  await until('ALLOW_ANY')
  await must('DELETE', `${MAPS}/istio`)
  await until(undefined)
  t.notOk(events.some(({ type }) => type === 'interrupted'))
  stop.abort()
  await cluster.ended()
})
