import t from 'tap'
import type { Kind, ObjectOf } from '../../src/kinds/index.ts'
import { Sandbox } from '../../src/sandbox/sandbox.ts'
import { parsed } from '../changes.ts'
import { deployment, destinationRule, guide, type Manifest, namespace, rule, service, to, unready, virtualService } from '../manifests.ts'

const NEVER = new AbortController().signal

function sandboxOf(...manifests: Manifest[]): Sandbox {
  const sandbox = new Sandbox()
  for (const manifest of manifests) sandbox.load(parsed(manifest))
  return sandbox
}

/** What the reviewer tells of an admitted apply. */
function admit(sandbox: Sandbox, manifest: Manifest): void {
  const after = parsed(manifest)
  sandbox.admitted({ ref: after, before: stored(sandbox, after.kind, after.name) ?? null, after })
}

function admitDelete(sandbox: Sandbox, manifest: Manifest): void {
  const before = parsed(manifest)
  sandbox.admitted({ ref: before, before, after: null })
}

function stored<K extends Kind>(sandbox: Sandbox, kind: K, name: string): ObjectOf<K> | undefined {
  return sandbox.snapshot().find(kind, kind === 'Namespace' ? '' : 'default', name)
}

/** `v1 ready`, one for each Pod. */
function pods(sandbox: Sandbox): string[] {
  return [...sandbox.snapshot().all('Pod')].map(({ labels, ready }) => `${labels['version']} ${ready ? 'ready' : 'starting'}`).sort()
}

t.test('a loaded Deployment without status has all its Pods Ready', async (t) => {
  t.same(pods(sandboxOf(deployment('v1'))), ['v1 ready', 'v1 ready'])
})

t.test('a loaded Deployment with a status has as many Ready Pods as it says', async (t) => {
  t.same(pods(sandboxOf(unready(deployment('v1')))), ['v1 starting', 'v1 starting'])
  t.same(pods(sandboxOf({ ...deployment('v1'), status: { replicas: 2, readyReplicas: 1 } })), ['v1 ready', 'v1 starting'])
})

t.test('a Deployment loaded again, with another status, has the Pods of the new one', async (t) => {
  const sandbox = sandboxOf(deployment('v1'), unready(deployment('v1')))
  t.same(pods(sandbox), ['v1 starting', 'v1 starting'])
})

t.test('an admitted Deployment has no Ready Pod until it is made ready', async (t) => {
  const sandbox = sandboxOf(service())
  admit(sandbox, deployment('v2'))
  t.same(pods(sandbox), ['v2 starting', 'v2 starting'])
  t.equal(sandbox.ready('default', 'helloworld-v2'), true)
  t.same(pods(sandbox), ['v2 ready', 'v2 ready'])
})

t.test('ready says where there is no such Deployment', async (t) => {
  t.equal(sandboxOf(service()).ready('default', 'helloworld-v2'), false)
})

t.test('old Pods stay after a change of the template until the new ones are Ready', async (t) => {
  const sandbox = sandboxOf(deployment('v1'))
  admit(sandbox, deployment('v1', {}, { app: 'helloworld', version: 'v9' }))
  t.same(pods(sandbox), ['v1 ready', 'v1 ready'])
  sandbox.ready('default', 'helloworld-v1')
  t.same(pods(sandbox), ['v9 ready', 'v9 ready'])
})

const SCALES: readonly { from: number; to: number; gives: string[] }[] = [
  { from: 2, to: 0, gives: [] },
  { from: 2, to: 1, gives: ['v1 ready'] },
  { from: 2, to: 3, gives: ['v1 ready', 'v1 ready', 'v1 starting'] },
  { from: 0, to: 1, gives: ['v1 starting'] },
  { from: 12, to: 2, gives: ['v1 ready', 'v1 ready'] }
]
for (const { from, to: replicas, gives } of SCALES) {
  t.test(`scaled from ${from} to ${replicas} it has ${gives.join(', ') || 'no Pod'}`, async (t) => {
    const sandbox = sandboxOf(deployment('v1', { replicas: from }))
    admit(sandbox, deployment('v1', { replicas }))
    t.same(pods(sandbox), gives)
  })
}

t.test('scaling down and up again loses no Ready Pod', async (t) => {
  const sandbox = sandboxOf(deployment('v1', { replicas: 12 }))
  admit(sandbox, deployment('v1', { replicas: 3 }))
  admit(sandbox, deployment('v1', { replicas: 12 }))
  t.equal(pods(sandbox).filter((pod) => pod === 'v1 ready').length, 3)
  t.equal(pods(sandbox).length, 12)
})

t.test('a deleted Deployment takes its Pods along, and no others', async (t) => {
  const sandbox = sandboxOf(...guide())
  admitDelete(sandbox, deployment('v1'))
  t.same(pods(sandbox), ['v2 ready', 'v2 ready'])
})

t.test('a deleted Namespace takes along all that is in it, and nothing else', async (t) => {
  const other = service({}, { namespace: 'other' })
  const sandbox = sandboxOf(...guide(), other)
  admitDelete(sandbox, namespace('default'))
  const left = (['Service', 'VirtualService', 'DestinationRule', 'Deployment', 'Pod', 'Namespace'] as const).flatMap((kind) =>
    [...sandbox.snapshot().all(kind)].map((object) => `${object.kind} ${object.namespace}/${object.name}`)
  )
  t.same(left, ['Service other/helloworld', 'Namespace /other'])
})

t.test('the namespaces that objects name exist', async (t) => {
  const sandbox = sandboxOf(service({}, { namespace: 'prod' }))
  t.equal(stored(sandbox, 'Namespace', 'prod')?.deleting, false)
})

t.test('a Namespace of the manifests keeps its labels', async (t) => {
  const sandbox = sandboxOf(service(), namespace('default', { labels: { 'hitless.io/mode': 'warn' } }))
  t.same(stored(sandbox, 'Namespace', 'default')?.labels, { 'hitless.io/mode': 'warn' })
})

t.test('the order of the objects is the order of their creation', async (t) => {
  const one = virtualService([rule([to('v1')])], {}, { name: 'one' })
  const two = virtualService([rule([to('v1')])], {}, { name: 'two' })
  const sandbox = sandboxOf(one, two)
  const created = (name: string) => stored(sandbox, 'VirtualService', name)?.createdMs ?? 0
  t.ok(created('one') < created('two'))
})

t.test('what is written is younger than what was loaded with a creationTimestamp', async (t) => {
  const old = virtualService([rule([to('v1')])], {}, { name: 'old', creationTimestamp: '2024-05-01T00:00:00Z' })
  const sandbox = sandboxOf(old)
  admit(sandbox, virtualService([rule([to('v1')])], {}, { name: 'new' }))
  t.equal(stored(sandbox, 'VirtualService', 'old')?.createdMs, Date.parse('2024-05-01T00:00:00Z'))
  t.ok((stored(sandbox, 'VirtualService', 'new')?.createdMs ?? 0) > Date.parse('2024-05-01T00:00:00Z'))
})

t.test('an update keeps the age and changes the resourceVersion', async (t) => {
  const sandbox = sandboxOf(destinationRule(['v1']))
  const before = stored(sandbox, 'DestinationRule', 'helloworld')
  admit(sandbox, destinationRule(['v1', 'v2']))
  const after = stored(sandbox, 'DestinationRule', 'helloworld')
  t.equal(after?.createdMs, before?.createdMs)
  t.not(after?.resourceVersion, before?.resourceVersion)
  t.same(
    after?.subsets.map(({ name }) => name),
    ['v1', 'v2']
  )
})

t.test('its facts are what it holds', async (t) => {
  const { facts } = sandboxOf(...guide(), service({}, { namespace: 'other' }))
  const ref = { kind: 'Service', namespace: 'default', name: 'helloworld' } as const
  t.equal((await facts.read(ref, NEVER))?.name, 'helloworld')
  t.equal(await facts.read({ ...ref, name: 'absent' }, NEVER), null)
  t.equal((await facts.list({ kind: 'Service', namespace: null, selector: null }, NEVER)).length, 2)
  t.equal((await facts.list({ kind: 'Service', namespace: 'other', selector: null }, NEVER)).length, 1)
  t.equal((await facts.list({ kind: 'Pod', namespace: 'default', selector: { version: 'v2' } }, NEVER)).length, 2)
  t.equal((await facts.list({ kind: 'Pod', namespace: null, selector: { version: 'v2' } }, NEVER)).length, 2)
})

t.test('it is always fresh', async (t) => {
  t.equal(sandboxOf().health().fresh, true)
})

t.test('it tells of the Deployments whose Pods are starting, as a kubelet must know', async (t) => {
  const told: string[] = []
  const sandbox = new Sandbox(undefined, { started: ({ name }) => told.push(name) })
  sandbox.load(parsed(deployment('v1')))
  t.same(told, [])
  admit(sandbox, deployment('v1', { replicas: 1 }))
  t.same(told, [])
  admit(sandbox, deployment('v1', { replicas: 3 }))
  admit(sandbox, deployment('v2'))
  admit(sandbox, deployment('v2', {}, { app: 'helloworld', version: 'v3' }))
  t.same(told, ['helloworld-v1', 'helloworld-v2', 'helloworld-v2'])
})

t.test('an object changes without review, and goes', async (t) => {
  const sandbox = sandboxOf(...guide())
  sandbox.unload({ kind: 'Service', namespace: 'default', name: 'helloworld' })
  t.equal(stored(sandbox, 'Service', 'helloworld'), undefined)
})

const LABELS = { app: 'db', version: 'v2' }
const TEMPLATE = { template: { metadata: { labels: LABELS }, spec: { containers: [{ ports: [{ name: 'http' }] }] } } }
const APPS = { apiVersion: 'apps/v1', metadata: { name: 'db', namespace: 'default' } }
const ROLLOUT = { ...APPS, apiVersion: 'argoproj.io/v1alpha1', kind: 'Rollout' }

/** What makes Pods in a file, and how many Ready ones there are once it is loaded. */
const MAKERS: Readonly<Record<string, { manifests: readonly Manifest[]; ready: number }>> = {
  'a StatefulSet': { manifests: [{ ...APPS, kind: 'StatefulSet', spec: { replicas: 3, ...TEMPLATE } }], ready: 3 },
  'a DaemonSet, of which there is one on a node at least': { manifests: [{ ...APPS, kind: 'DaemonSet', spec: TEMPLATE }], ready: 1 },
  'a DaemonSet with a status': {
    manifests: [{ ...APPS, kind: 'DaemonSet', spec: TEMPLATE, status: { currentNumberScheduled: 4, numberReady: 2 } }],
    ready: 2
  },
  'a ReplicaSet': { manifests: [{ ...APPS, kind: 'ReplicaSet', spec: { replicas: 2, ...TEMPLATE } }], ready: 2 },
  'a ReplicaSet that is owned, and its Deployment': {
    manifests: [
      { ...APPS, kind: 'Deployment', spec: TEMPLATE },
      {
        ...APPS,
        kind: 'ReplicaSet',
        metadata: { ...APPS.metadata, ownerReferences: [{ kind: 'Deployment', name: 'db' }] },
        spec: TEMPLATE
      }
    ],
    ready: 1
  },
  'a Rollout': { manifests: [{ ...ROLLOUT, spec: { replicas: 2, ...TEMPLATE } }], ready: 2 },
  'a Rollout with the template of a Deployment at 0, whichever comes first': {
    manifests: [
      { ...ROLLOUT, spec: { replicas: 2, workloadRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'db' } } },
      { ...APPS, kind: 'Deployment', spec: { replicas: 0, ...TEMPLATE } }
    ],
    ready: 2
  },
  'a Deployment and a StatefulSet of one name': {
    manifests: [
      { ...APPS, kind: 'Deployment', spec: TEMPLATE },
      { ...APPS, kind: 'StatefulSet', spec: TEMPLATE }
    ],
    ready: 2
  },
  'a Pod named as a StatefulSet names its own, beside a Deployment': {
    manifests: [
      { ...APPS, kind: 'Deployment', spec: TEMPLATE },
      {
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: { name: 'db-0', namespace: 'default', labels: LABELS },
        spec: {},
        status: { conditions: [{ type: 'Ready', status: 'False' }] }
      }
    ],
    ready: 1
  },
  'a Deployment and its own Pods, as a cluster is dumped': {
    manifests: [
      { ...APPS, kind: 'Deployment', spec: { replicas: 2, ...TEMPLATE }, status: { replicas: 2, readyReplicas: 2 } },
      ...['a', 'b'].map((name) => ({
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: {
          name: `db-6d-${name}`,
          namespace: 'default',
          uid: name,
          labels: { ...LABELS, 'pod-template-hash': '6d' },
          ownerReferences: [{ kind: 'ReplicaSet', name: 'db-6d' }]
        },
        status: { phase: 'Running', conditions: [{ type: 'Ready', status: name === 'a' ? 'True' : 'False' }] }
      }))
    ],
    ready: 1
  }
}
for (const [what, { manifests, ready }] of Object.entries(MAKERS)) {
  t.test(`Pods are there, and Ready, for ${what}`, async (t) => {
    const sandbox = new Sandbox()
    for (const manifest of manifests) sandbox.load(parsed(manifest))
    const pods = [...sandbox.snapshot().all('Pod')]
    t.equal(pods.filter((pod) => pod.ready).length, ready)
    t.ok(pods.filter((pod) => pod.ready).every(({ labels }) => labels['app'] === 'db' && labels['version'] === 'v2'))
  })
}
