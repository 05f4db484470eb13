/** What must never be refused, on a real API server with its controllers: the ends of things, status, scaling between counts, and the way back. */
import t from 'tap'
import { deployment, destinationRule, guide, type Manifest, namespace, rule, service, to, virtualService } from '../manifests.ts'
import { startControlPlane } from '../rig/control-plane.ts'
import { startHitless } from '../rig/hitless-process.ts'

t.setTimeout(30 * 60_000)

const plane = await startControlPlane()
t.teardown(() => plane.stop())
const hitless = await startHitless(plane, { flags: ['--settle', '0'] })
t.teardown(() => hitless.stop())

interface Answer {
  readonly status: number
  readonly text: string
}

type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'

const MERGE = 'application/merge-patch+json'

async function send(method: Method, path: string, body?: unknown): Promise<Answer> {
  const options = body === undefined ? {} : { body, ...(method === 'PATCH' ? { contentType: MERGE } : {}) }
  const { status, body: answer } = await plane.api.request<{ message?: string }>(method, path, options)
  return { status, text: answer.message ?? '' }
}

async function kubectl(args: string): Promise<string> {
  const { code, stdout, stderr } = await plane.kubectl(args.split(' '))
  if (code !== 0) throw new Error(`kubectl ${args}: ${stderr}`)
  return stdout
}

const COLLECTIONS: Readonly<Record<string, (namespace: string) => string>> = {
  Service: (name) => `/api/v1/namespaces/${name}/services`,
  Deployment: (name) => `/apis/apps/v1/namespaces/${name}/deployments`,
  DestinationRule: (name) => `/apis/networking.istio.io/v1/namespaces/${name}/destinationrules`,
  VirtualService: (name) => `/apis/networking.istio.io/v1/namespaces/${name}/virtualservices`
}

/** The guide's world in a namespace of the test's own. */
class World {
  readonly name: string

  constructor(name: string) {
    this.name = name
  }

  path(kind: string, name = 'helloworld'): string {
    return `${COLLECTIONS[kind]?.(this.name)}/${name}`
  }

  create(manifest: Manifest): Promise<Answer> {
    const text = JSON.stringify(manifest)
      .replaceAll('"namespace":"default"', `"namespace":"${this.name}"`)
      .replaceAll('.default.svc.', `.${this.name}.svc.`)
    return send('POST', COLLECTIONS[manifest.kind]?.(this.name) ?? '', JSON.parse(text))
  }

  spec(kind: string, { spec }: Manifest): Promise<Answer> {
    const text = JSON.stringify({ spec }).replaceAll('.default.svc.', `.${this.name}.svc.`)
    return send('PATCH', this.path(kind), JSON.parse(text))
  }

  async start(): Promise<this> {
    await must(send('POST', '/api/v1/namespaces', namespace(this.name)))
    const world = guide().filter(({ kind }) => kind !== 'Namespace')
    for (const manifest of world.filter(({ kind }) => kind !== 'VirtualService')) await must(this.create(manifest))
    await this.rolledOut('v1')
    await this.rolledOut('v2')
    for (const manifest of world.filter(({ kind }) => kind === 'VirtualService')) await must(this.create(manifest))
    return this
  }

  async rolledOut(version: string): Promise<void> {
    await kubectl(`rollout status deployment/helloworld-${version} -n ${this.name} --timeout=120s`)
  }
}

async function must(answer: Promise<Answer>): Promise<void> {
  const { status, text } = await answer
  if (status >= 300) throw new Error(`${status} ${text}`)
}

function admitted(t: Tap, { status, text }: Answer, what: string): void {
  t.ok(status < 300, `${what}: ${status} ${text}`)
}

function refused(t: Tap, { status, text }: Answer, ruleId: string, what: string): void {
  t.equal(status, 403, `${what}: ${text}`)
  t.match(text, `[${ruleId}]`)
}

type Tap = Pick<typeof t, 'equal' | 'ok' | 'match'>

const split = (v1: number, v2: number) => virtualService([rule([to('v1', v1), to('v2', v2)])])

t.test('a namespace goes while its objects are written without a pause', async (t) => {
  const world = await new World('doomed').start()
  const deletion = kubectl('delete namespace doomed --timeout=120s')
  const refusals: Answer[] = []
  let writes = 0
  for (let weight = 1; ; weight = (weight % 98) + 1) {
    const answer = await world.spec('VirtualService', split(100 - weight, weight))
    if (answer.status === 404) break
    if (answer.status >= 300) refusals.push(answer)
    writes += 1
  }
  await deletion
  t.equal((await send('GET', '/api/v1/namespaces/doomed')).status, 404, 'the namespace is gone')
  t.same(refusals, [], 'no write beside the deletion was refused')
  t.ok(writes > 0, 'there were writes until then')
})

t.test('the garbage collector takes what a deleted owner leaves', async (t) => {
  const world = await new World('collected').start()
  const owner = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'owner', namespace: 'collected' } }
  await must(send('POST', '/api/v1/namespaces/collected/configmaps', owner))
  const uid = await kubectl('get configmap owner -n collected -o jsonpath={.metadata.uid}')
  const metadata = { ownerReferences: [{ apiVersion: 'v1', kind: 'ConfigMap', name: 'owner', uid }] }
  const owned: [string, string][] = [
    ['DestinationRule', 'helloworld'],
    ['Deployment', 'helloworld-v1'],
    ['Service', 'helloworld']
  ]
  for (const [kind, name] of owned) admitted(t, await send('PATCH', world.path(kind, name), { metadata }), `an owner for ${kind}`)
  refused(t, await send('DELETE', world.path('DestinationRule')), 'subset-in-use', 'a person who deletes it')
  admitted(t, await send('DELETE', '/api/v1/namespaces/collected/configmaps/owner'), 'the owner')
  await kubectl('wait --for=delete destinationrule/helloworld service/helloworld deployment/helloworld-v1 -n collected --timeout=60s')
  for (const [kind, name] of owned) t.equal((await send('GET', world.path(kind, name))).status, 404, `${kind} is gone`)
})

t.test('a finalizer of a terminating object can be removed', async (t) => {
  const world = await new World('finalized').start()
  await must(world.spec('VirtualService', virtualService([rule([to(null)])])))
  for (const [kind, name] of [
    ['DestinationRule', 'helloworld'],
    ['Deployment', 'helloworld-v2']
  ] as const) {
    await must(send('PATCH', world.path(kind, name), { metadata: { finalizers: ['example.com/hold'] } }))
    admitted(t, await send('DELETE', world.path(kind, name)), `${kind} deleted`)
    t.equal((await send('GET', world.path(kind, name))).status, 200, `${kind} is held`)
    admitted(t, await send('PATCH', world.path(kind, name), { metadata: { finalizers: null } }), `${kind} let go`)
    t.equal((await send('GET', world.path(kind, name))).status, 404, `${kind} is gone`)
  }
})

t.test('status is written, whatever it says', async (t) => {
  const world = await new World('status').start()
  const dead = { status: { readyReplicas: 0, availableReplicas: 0, unavailableReplicas: 2 } }
  admitted(t, await send('PATCH', `${world.path('Deployment', 'helloworld-v1')}/status`, dead), 'a Deployment without Ready Pods')
  const conditions = [{ type: 'Reconciled', status: 'False' }]
  admitted(t, await send('PATCH', `${world.path('VirtualService')}/status`, { status: { conditions } }), 'a VirtualService')
})

t.test('a scale between counts above 0 is admitted, as a HorizontalPodAutoscaler makes it', async (t) => {
  const world = await new World('scaled').start()
  const scale = (replicas: number) => send('PATCH', `${world.path('Deployment', 'helloworld-v1')}/scale`, { spec: { replicas } })
  for (const replicas of [5, 3, 1, 2]) admitted(t, await scale(replicas), `to ${replicas}`)
  refused(t, await scale(0), 'workload-in-use', 'to 0')
})

t.test('helm uninstall deletes in its own order', async (t) => {
  const world = await new World('uninstalled').start()
  for (const [kind, name] of [
    ['Service', 'helloworld'],
    ['Deployment', 'helloworld-v1'],
    ['Deployment', 'helloworld-v2'],
    ['DestinationRule', 'helloworld'],
    ['VirtualService', 'helloworld']
  ] as const) {
    admitted(t, await send('DELETE', world.path(kind, name)), `${kind} ${name} deleted`)
  }
})

t.test('the way back from a dead version is open', async (t) => {
  const ways: Record<string, (world: World) => Promise<Answer>> = {
    'VirtualService back to v1': (world) => world.spec('VirtualService', virtualService([rule([to('v1')])])),
    'DestinationRule without v2': (world) => world.spec('DestinationRule', destinationRule(['v1'])),
    'Deployment v2 deleted': (world) => send('DELETE', world.path('Deployment', 'helloworld-v2')),
    'Deployment v3 beside it': (world) => world.create(deployment('v3'))
  }
  for (const [index, [what, act]] of Object.entries(ways).entries()) {
    const world = await new World(`dead-${index}`).start()
    await must(world.spec('VirtualService', virtualService([rule([to('v2')])])))
    const release = plane.holdUnready({ namespace: world.name, labels: { version: 'v2' } })
    await kubectl(`wait deployment/helloworld-v2 -n ${world.name} --for=condition=Available=false --timeout=60s`)
    admitted(t, await act(world), what)
    release()
  }
})

t.test('a Service that nothing routes may be deleted and made again', async (t) => {
  await must(send('POST', '/api/v1/namespaces', namespace('plain')))
  const world = new World('plain')
  admitted(t, await world.create(service()), 'created')
  admitted(t, await send('DELETE', world.path('Service')), 'deleted')
  admitted(t, await world.create(service()), 'created again')
})
