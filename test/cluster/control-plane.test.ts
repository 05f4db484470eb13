import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import type { KubernetesObject } from '../rig/api.ts'
import { startControlPlane } from '../rig/control-plane.ts'

// A first run on a machine builds the binaries: some fifteen minutes.
t.setTimeout(30 * 60_000)

const plane = await startControlPlane()
t.teardown(() => plane.stop())

const list = (...objects: object[]) => JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects })
const namespace = (name: string) => ({ apiVersion: 'v1', kind: 'Namespace', metadata: { name } })
const helloworld = (ns: string, { name = 'helloworld-v1', version = 'v1', replicas = 2 } = {}) => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { namespace: ns, name },
  spec: {
    replicas,
    selector: { matchLabels: { app: 'helloworld', version } },
    template: {
      metadata: { labels: { app: 'helloworld', version } },
      // Namespace deletion waits for half of the grace period that its Pods were given.
      spec: { terminationGracePeriodSeconds: 0, containers: [{ name: 'helloworld', image: 'helloworld' }] }
    }
  }
})
const service = (ns: string) => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { namespace: ns, name: 'helloworld' },
  spec: { selector: { app: 'helloworld' }, ports: [{ name: 'http', port: 5000 }] }
})

async function kubectl(args: string, input?: string): Promise<string> {
  const { code, stdout, stderr } = await plane.kubectl(args.split(' '), input === undefined ? {} : { input })
  if (code !== 0) throw new Error(`kubectl ${args}: ${stderr}`)
  return stdout
}

/** Resolves when the EndpointSlices of a namespace have so many Ready endpoints; the test's own time-out ends a wait in vain. */
async function readyEndpoints(namespace: string, count: number): Promise<void> {
  const ready = '{.items[*].endpoints[?(@.conditions.ready==true)].addresses[0]}'
  while ((await kubectl(`get endpointslice -n ${namespace} -o jsonpath=${ready}`)).split(' ').filter(Boolean).length !== count) {
    await sleep(100)
  }
}

t.test('a Deployment that kubectl applied becomes Ready, and its Pods are endpoints', async (t) => {
  await kubectl('apply -f -', list(namespace('ready'), service('ready'), helloworld('ready')))
  await kubectl('rollout status deployment/helloworld-v1 -n ready --timeout=60s')
  await readyEndpoints('ready', 2)
  const addresses = await kubectl('get endpointslice -n ready -o jsonpath={.items[*].endpoints[*].addresses[0]}')
  t.equal(new Set(addresses.split(' ')).size, 2, 'two addresses')
})

t.test('held Pods stay unready until they are let go, and become unready when held again', async (t) => {
  const match = { namespace: 'held', labels: { version: 'v1' } }
  const release = plane.holdUnready(match)
  await kubectl('apply -f -', list(namespace('held'), helloworld('held'), helloworld('held', { name: 'helloworld-v2', version: 'v2' })))
  await kubectl('rollout status deployment/helloworld-v2 -n held --timeout=60s')
  await kubectl('wait pod -n held -l version=v1 --for=condition=Ready=false --timeout=60s')
  release()
  await kubectl('rollout status deployment/helloworld-v1 -n held --timeout=60s')
  plane.holdUnready(match)
  await kubectl('wait deployment/helloworld-v1 -n held --for=condition=Available=false --timeout=60s')
  t.equal(await kubectl('get deployment helloworld-v2 -n held -o jsonpath={.status.readyReplicas}'), '2', 'the other version is Ready')
})

t.test('a namespace goes away with everything in it', async (t) => {
  await kubectl('apply -f -', list(namespace('doomed'), service('doomed'), helloworld('doomed')))
  await kubectl('rollout status deployment/helloworld-v1 -n doomed --timeout=60s')
  await kubectl('delete namespace doomed --timeout=60s')
  t.equal((await plane.api.request('GET', '/api/v1/namespaces/doomed')).status, 404)
})

t.test('a VirtualService is stored, without the fields its schema does not know', async (t) => {
  const misplaced = JSON.stringify({
    apiVersion: 'networking.istio.io/v1',
    kind: 'VirtualService',
    metadata: { namespace: 'default', name: 'helloworld' },
    spec: { hosts: ['helloworld'], http: [{ route: [{ destination: { host: 'helloworld' }, subset: 'v1' }] }] }
  })
  const strict = await plane.kubectl(['apply', '-f', '-'], { input: misplaced })
  t.match(strict.stderr, /unknown field "spec.http\[0\].route\[0\].subset"/, 'refused with validation')

  await kubectl('apply --validate=false -f -', misplaced)
  const stored = JSON.parse(await kubectl('get virtualservice helloworld -o json'))
  t.strictSame(stored.spec.http, [{ route: [{ destination: { host: 'helloworld' } }] }], 'pruned without it')
})

t.test('a registered webhook is asked from the first write on, and not once it is unregistered', async (t) => {
  const reviewed: string[] = []
  const { cert, key } = plane.certificate
  const server = createServer({ cert, key }, async (request, response) => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk)
    const { request: review } = JSON.parse(Buffer.concat(chunks).toString())
    reviewed.push(`${review.operation} ${review.name}`)
    const answer = { uid: review.uid, allowed: false, status: { code: 403, message: 'not today' } }
    response.setHeader('content-type', 'application/json')
    response.end(JSON.stringify({ apiVersion: 'admission.k8s.io/v1', kind: 'AdmissionReview', response: answer }))
  })
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
  t.teardown(() => server.close())

  const { port } = server.address() as AddressInfo
  const unregister = await plane.registerWebhook({ url: `https://127.0.0.1:${port}/validate`, caBundle: plane.ca })
  const refused = await plane.kubectl(['apply', '-f', '-'], { input: JSON.stringify(service('default')) })
  t.equal(refused.code, 1)
  t.match(refused.stderr, /admission webhook "hitless.hitless.io" denied the request: not today/)
  t.strictSame(reviewed, ['CREATE helloworld'])

  await unregister()
  await kubectl('apply -f -', JSON.stringify(service('default')))
  t.strictSame(reviewed, ['CREATE helloworld'])
})

t.test('a ServiceAccount has the rights that RBAC gives it, and no others', async (t) => {
  await kubectl('create serviceaccount reader')
  const role = 'create clusterrolebinding reader --clusterrole=view --serviceaccount=default:reader'
  await kubectl(role)
  const kubeconfig = await plane.kubeconfigFor({ namespace: 'default', name: 'reader' })
  t.equal((await plane.kubectl(['auth', 'can-i', 'list', 'services'], { kubeconfig })).stdout, 'yes\n')
  t.equal((await plane.kubectl(['auth', 'can-i', 'delete', 'services'], { kubeconfig })).stdout, 'no\n')
})

t.test('what was written outlives a crash of the API server and of etcd', async (t) => {
  await kubectl('create configmap kept')
  for (const component of ['kube-apiserver', 'etcd'] as const) {
    await plane.restart(component)
    const { status, body } = await plane.api.request<KubernetesObject>('GET', '/api/v1/namespaces/default/configmaps/kept')
    t.equal(status, 200, component)
    t.equal(body.metadata.name, 'kept')
  }
  await kubectl('create deployment after-crash --image=x')
  await kubectl('rollout status deployment/after-crash --timeout=60s')
})
