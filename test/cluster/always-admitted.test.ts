/**
 * What must never be refused, as the cluster's own controllers and ordinary clients send it - the ends of things, status, scaling between counts, and the
 * way back; and beside it what is refused, so that the rules are seen to be on.
 */
import t from 'tap'
import { deployment, destinationRule, guide, type Manifest, namespace, rule, service, to, virtualService } from '../manifests.ts'
import type { ApiRequest } from '../rig/api.ts'
import { startControlPlane } from '../rig/control-plane.ts'
import { startHitless } from '../rig/hitless-process.ts'

t.setTimeout(30 * 60_000)

const AUTOSCALER = 'system:serviceaccount:kube-system:horizontal-pod-autoscaler'
const MERGE = 'application/merge-patch+json'

const plane = await startControlPlane()
t.teardown(() => plane.stop())
const hitless = await startHitless(plane, { flags: ['--settle', '0'] })
t.teardown(() => hitless.stop())

interface Answer {
  readonly status: number
  readonly text: string
}

/** The guide's world in a namespace of the test's own. */
class World {
  readonly name: string

  constructor(name: string) {
    this.name = name
  }

  path(resource: string, name = ''): string {
    const groups: Readonly<Record<string, string>> = { services: '/api/v1', configmaps: '/api/v1', deployments: '/apis/apps/v1' }
    const collection = `${groups[resource] ?? '/apis/networking.istio.io/v1'}/namespaces/${this.name}/${resource}`
    return name === '' ? collection : `${collection}/${name}`
  }

  async send(method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE', path: string, options: ApiRequest = {}): Promise<Answer> {
    const { status, body } = await plane.api.request<{ message?: string }>(method, path, options)
    return { status, text: body.message ?? '' }
  }

  patch(path: string, body: unknown, as?: string): Promise<Answer> {
    return this.send('PATCH', path, { body, contentType: MERGE, ...(as === undefined ? {} : { as }) })
  }

  /** An object of the guide, in this namespace. */
  here<T>(manifest: T): T {
    const text = JSON.stringify(manifest)
    return JSON.parse(
      text.replaceAll('"namespace":"default"', `"namespace":"${this.name}"`).replaceAll('.default.svc.', `.${this.name}.svc.`)
    )
  }

  create(resource: string, manifest: Manifest): Promise<Answer> {
    return this.send('POST', this.path(resource), { body: this.here(manifest) })
  }

  spec(resource: string, { spec }: Manifest): Promise<Answer> {
    return this.patch(this.path(resource, 'helloworld'), this.here({ spec }))
  }

  async kubectl(...args: readonly string[]): Promise<string> {
    const { code, stdout, stderr } = await plane.kubectl([...args, '-n', this.name])
    if (code !== 0) throw new Error(`kubectl ${args.join(' ')}: ${stderr}`)
    return stdout
  }

  async start(): Promise<this> {
    const apply = (manifests: readonly object[]) => {
      const input = JSON.stringify(this.here({ apiVersion: 'v1', kind: 'List', items: manifests }))
      return plane.kubectl(['apply', '-f', '-'], { input })
    }
    const world = guide().filter(({ kind }) => kind !== 'Namespace')
    const applied = [
      await apply([namespace(this.name)]),
      await apply(world.filter(({ kind }) => kind !== 'VirtualService')),
      await plane.kubectl(['rollout', 'status', 'deployment', '-n', this.name, '--timeout=120s']),
      await apply(world.filter(({ kind }) => kind === 'VirtualService'))
    ]
    for (const { code, stderr } of applied) if (code !== 0) throw new Error(stderr)
    return this
  }
}

type Tap = Pick<typeof t, 'equal' | 'ok' | 'match'>

function admitted(t: Tap, { status, text }: Answer, what: string): void {
  t.ok(status < 300, `${what}: ${status} ${text}`)
}

function refused(t: Tap, { status, text }: Answer, ruleId: string, what: string): void {
  t.equal(status, 403, `${what}: ${text}`)
  t.match(text, `[${ruleId}]`, what)
}

async function must(answer: Promise<Answer>): Promise<void> {
  const { status, text } = await answer
  if (status >= 300) throw new Error(`${status} ${text}`)
}

const split = (v1: number, v2: number) => virtualService([rule([to('v1', v1), to('v2', v2)])])

t.test('the autoscaler scales through the subresource, by its own account', async (t) => {
  const world = await new World('autoscaled').start()
  const apiGroup = 'rbac.authorization.k8s.io'
  const { status } = await plane.api.request('POST', `/apis/${apiGroup}/v1/clusterrolebindings`, {
    body: {
      apiVersion: `${apiGroup}/v1`,
      kind: 'ClusterRoleBinding',
      metadata: { name: 'autoscaler' },
      roleRef: { apiGroup, kind: 'ClusterRole', name: 'cluster-admin' },
      subjects: [{ kind: 'User', name: AUTOSCALER, apiGroup }]
    }
  })
  t.equal(status, 201)
  const path = `${world.path('deployments', 'helloworld-v1')}/scale`
  // As the controller does: it reads the Scale and puts it back with another count, again where somebody wrote in between.
  const scale = async (replicas: number): Promise<Answer> => {
    const { body } = await plane.api.request<{ spec: object }>('GET', path)
    const answer = await world.send('PUT', path, { as: AUTOSCALER, userAgent: AUTOSCALER, body: { ...body, spec: { replicas } } })
    return answer.status === 409 ? scale(replicas) : answer
  }
  for (const replicas of [5, 3, 10, 1, 2]) admitted(t, await scale(replicas), `to ${replicas}`)
  refused(t, await scale(0), 'workload-in-use', 'to 0, while requests go there')
  admitted(
    t,
    await world.patch(`${world.path('deployments', 'helloworld-v2')}/scale`, { spec: { replicas: 0 } }, AUTOSCALER),
    'to 0, unused'
  )
  admitted(t, await world.patch(`${world.path('deployments', 'helloworld-v2')}/scale`, { spec: { replicas: 1 } }, AUTOSCALER), 'and back')
})

t.test('anything goes in a namespace that is terminating', async (t) => {
  const world = await new World('terminating').start()
  const held: readonly (readonly [string, string])[] = [
    ['virtualservices', 'helloworld'],
    ['destinationrules', 'helloworld'],
    ['services', 'helloworld'],
    ['deployments', 'helloworld-v1']
  ]
  const finalizers = ['example.com/hold']
  for (const [resource, name] of held)
    admitted(t, await world.patch(world.path(resource, name), { metadata: { finalizers } }), `${name} held`)
  await world.kubectl('delete', 'namespace', world.name, '--wait=false')
  await world.kubectl('wait', 'virtualservice/helloworld', '--for=jsonpath={.metadata.deletionTimestamp}', '--timeout=60s')
  const v3 = virtualService([rule([to('v3')])])['spec']
  admitted(t, await world.patch(world.path('destinationrules', 'helloworld'), { spec: { subsets: [] } }), 'no subset left')
  admitted(t, await world.patch(`${world.path('deployments', 'helloworld-v1')}/scale`, { spec: { replicas: 0 } }), 'no Pod left')
  admitted(t, await world.patch(world.path('services', 'helloworld'), { spec: { selector: { app: 'other' } } }), 'another selector')
  admitted(t, await world.patch(world.path('virtualservices', 'helloworld'), { spec: v3 }), 'a subset that nobody defines')
  for (const [resource, name] of held) {
    admitted(t, await world.patch(world.path(resource, name), { metadata: { finalizers: null } }), `${resource} ${name} let go`)
  }
  await plane.kubectl(['wait', '--for=delete', `namespace/${world.name}`, '--timeout=60s'])
  t.equal((await world.send('GET', `/api/v1/namespaces/${world.name}`)).status, 404, 'the namespace is gone')
})

t.test('a Deployment that nobody asks goes in the foreground: the garbage collector takes its finalizer', async (t) => {
  const world = await new World('foreground').start()
  await world.kubectl('delete', 'deployment', 'helloworld-v2', '--cascade=foreground', '--timeout=60s')
  t.equal((await world.send('GET', world.path('deployments', 'helloworld-v2'))).status, 404)
  const inUse = await plane.kubectl(['delete', 'deployment', 'helloworld-v1', '--cascade=foreground', '-n', world.name, '--timeout=60s'])
  t.not(inUse.code, 0)
  t.match(inUse.stderr, '[workload-in-use]')
})

t.test('a collection is deleted object by object, each told by what it was', async (t) => {
  const world = await new World('collection').start()
  const deleted = (resource: string) => world.send('DELETE', world.path(resource))
  const first = await deleted('destinationrules')
  refused(t, first, 'subset-in-use', 'the rule that a route needs')
  t.match(first.text, 'VirtualService collection/helloworld', 'though the request has no name')
  refused(t, await deleted('deployments'), 'workload-in-use', 'the Pods that a route needs')
  // A Service without a collection to delete: the API server has none.
  for (const resource of ['virtualservices', 'destinationrules']) admitted(t, await deleted(resource), resource)
  const left = await plane.api.request<{ items: object[] }>('GET', world.path('destinationrules'))
  t.equal(left.body.items.length, 0)
  admitted(t, await world.send('DELETE', world.path('services', 'helloworld')), 'the Service')
  admitted(t, await deleted('deployments'), 'deployments')
})

t.test('a namespace goes while its objects are written without a pause', async (t) => {
  const world = await new World('doomed').start()
  const deletion = world.kubectl('delete', 'namespace', 'doomed', '--timeout=120s')
  const refusals: Answer[] = []
  let writes = 0
  for (let weight = 1; ; weight = (weight % 98) + 1) {
    const answer = await world.spec('virtualservices', split(100 - weight, weight))
    if (answer.status === 404) break
    if (answer.status >= 300) refusals.push(answer)
    writes += 1
  }
  await deletion
  t.equal((await world.send('GET', '/api/v1/namespaces/doomed')).status, 404, 'the namespace is gone')
  t.same(refusals, [], 'no write beside the deletion was refused')
  t.ok(writes > 0, 'there were writes until then')
})

t.test('the garbage collector takes what a deleted owner leaves', async (t) => {
  const world = await new World('collected').start()
  const owner = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'owner', namespace: 'collected' } }
  await must(world.send('POST', world.path('configmaps'), { body: owner }))
  const uid = await world.kubectl('get', 'configmap', 'owner', '-o', 'jsonpath={.metadata.uid}')
  const metadata = { ownerReferences: [{ apiVersion: 'v1', kind: 'ConfigMap', name: 'owner', uid }] }
  const owned: [string, string][] = [
    ['destinationrules', 'helloworld'],
    ['deployments', 'helloworld-v1'],
    ['services', 'helloworld']
  ]
  for (const [resource, name] of owned) admitted(t, await world.patch(world.path(resource, name), { metadata }), `an owner for ${resource}`)
  refused(t, await world.send('DELETE', world.path('destinationrules', 'helloworld')), 'subset-in-use', 'a person who deletes it')
  admitted(t, await world.send('DELETE', world.path('configmaps', 'owner')), 'the owner')
  await world.kubectl(
    'wait',
    '--for=delete',
    'destinationrule/helloworld',
    'service/helloworld',
    'deployment/helloworld-v1',
    '--timeout=60s'
  )
  for (const [resource, name] of owned) t.equal((await world.send('GET', world.path(resource, name))).status, 404, `${resource} is gone`)
})

t.test('a finalizer of a terminating object can be removed', async (t) => {
  const world = await new World('finalized').start()
  await must(world.spec('virtualservices', virtualService([rule([to(null)])])))
  for (const [resource, name] of [
    ['destinationrules', 'helloworld'],
    ['deployments', 'helloworld-v2']
  ] as const) {
    await must(world.patch(world.path(resource, name), { metadata: { finalizers: ['example.com/hold'] } }))
    admitted(t, await world.send('DELETE', world.path(resource, name)), `${resource} deleted`)
    t.equal((await world.send('GET', world.path(resource, name))).status, 200, `${resource} is held`)
    admitted(t, await world.patch(world.path(resource, name), { metadata: { finalizers: null } }), `${resource} let go`)
    t.equal((await world.send('GET', world.path(resource, name))).status, 404, `${resource} is gone`)
  }
})

t.test('status is written, whatever it says', async (t) => {
  const world = await new World('status').start()
  const dead = { status: { readyReplicas: 0, availableReplicas: 0, unavailableReplicas: 2 } }
  admitted(t, await world.patch(`${world.path('deployments', 'helloworld-v1')}/status`, dead), 'a Deployment without Ready Pods')
  const conditions = [{ type: 'Reconciled', status: 'False' }]
  admitted(t, await world.patch(`${world.path('virtualservices', 'helloworld')}/status`, { status: { conditions } }), 'a VirtualService')
})

t.test('helm uninstall deletes in its own order', async (t) => {
  const world = await new World('uninstalled').start()
  for (const [resource, name] of [
    ['services', 'helloworld'],
    ['deployments', 'helloworld-v1'],
    ['deployments', 'helloworld-v2'],
    ['destinationrules', 'helloworld'],
    ['virtualservices', 'helloworld']
  ] as const) {
    admitted(t, await world.send('DELETE', world.path(resource, name)), `${resource} ${name} deleted`)
  }
})

t.test('the way back from a dead version is open', async (t) => {
  const ways: Record<string, (world: World) => Promise<Answer>> = {
    'VirtualService back to v1': (world) => world.spec('virtualservices', virtualService([rule([to('v1')])])),
    'DestinationRule without v2': (world) => world.spec('destinationrules', destinationRule(['v1'])),
    'Deployment v2 deleted': (world) => world.send('DELETE', world.path('deployments', 'helloworld-v2')),
    'Deployment v3 beside it': (world) => world.create('deployments', deployment('v3'))
  }
  for (const [index, [what, act]] of Object.entries(ways).entries()) {
    const world = await new World(`dead-${index}`).start()
    await must(world.spec('virtualservices', virtualService([rule([to('v2')])])))
    const release = plane.holdUnready({ namespace: world.name, labels: { version: 'v2' } })
    await world.kubectl('wait', 'deployment/helloworld-v2', '--for=condition=Available=false', '--timeout=60s')
    admitted(t, await act(world), what)
    release()
  }
})

t.test('a Service that nothing routes may be deleted and made again', async (t) => {
  const world = new World('plain')
  await must(world.send('POST', '/api/v1/namespaces', { body: namespace('plain') }))
  admitted(t, await world.create('services', service()), 'created')
  admitted(t, await world.send('DELETE', world.path('services', 'helloworld')), 'deleted')
  admitted(t, await world.create('services', service()), 'created again')
})
