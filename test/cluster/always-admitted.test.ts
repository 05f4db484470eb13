/** What must never be refused, as the cluster's own controllers and ordinary clients send it; and beside it what is refused, so that the rules are seen to be on. */
import t from 'tap'
import { guide, namespace, rule, to, virtualService } from '../manifests.ts'
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

  async send(method: 'GET' | 'PUT' | 'PATCH' | 'DELETE', path: string, options: ApiRequest = {}): Promise<Answer> {
    const { status, body } = await plane.api.request<{ message?: string }>(method, path, options)
    return { status, text: body.message ?? '' }
  }

  patch(path: string, body: unknown, as?: string): Promise<Answer> {
    return this.send('PATCH', path, { body, contentType: MERGE, ...(as === undefined ? {} : { as }) })
  }

  async kubectl(...args: readonly string[]): Promise<string> {
    const { code, stdout, stderr } = await plane.kubectl([...args, '-n', this.name])
    if (code !== 0) throw new Error(`kubectl ${args.join(' ')}: ${stderr}`)
    return stdout
  }

  async start(): Promise<this> {
    const apply = (manifests: readonly object[]) => {
      const text = JSON.stringify({ apiVersion: 'v1', kind: 'List', items: manifests })
      const input = text.replaceAll('"namespace":"default"', `"namespace":"${this.name}"`).replaceAll('.default.svc.', `.${this.name}.svc.`)
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
