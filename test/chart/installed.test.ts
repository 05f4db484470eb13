import { once } from 'node:events'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import t from 'tap'
import { PROBE_LABEL } from '../../src/admission/probe.ts'
import { startControlPlane } from '../rig/control-plane.ts'
import type { WebhookRule } from '../rig/webhook.ts'
import { type Rendered, rendered } from './helm.ts'

// Go builds what no other run has.
t.setTimeout(1_800_000)

interface Webhook {
  readonly name: string
  readonly rules: readonly WebhookRule[]
  readonly matchConditions: unknown
  readonly matchPolicy: string
  readonly objectSelector: unknown
  readonly namespaceSelector: unknown
}

type Tap = Pick<typeof t, 'ok' | 'teardown'>

const labelled = { metadata: { labels: { team: 'blue' } } }
const hidden = { metadata: { annotations: { 'networking.istio.io/exportTo': '.' } } }
const template = (fields: unknown) => ({ spec: { template: fields } })
const DEPLOYMENT = {
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'web' },
  spec: {
    selector: { matchLabels: { app: 'web' } },
    template: { metadata: { labels: { app: 'web' } }, spec: { containers: [{ name: 'web', image: 'web:1' }] } }
  }
}
const SERVICE = { apiVersion: 'v1', kind: 'Service', metadata: { name: 'web' }, spec: { selector: { app: 'web' }, ports: [{ port: 80 }] } }
const ROUTE = {
  apiVersion: 'networking.istio.io/v1beta1',
  kind: 'VirtualService',
  metadata: { name: 'web' },
  spec: { hosts: ['web'], http: [{ route: [{ destination: { host: 'web' } }] }] }
}

const ENTRY = {
  apiVersion: 'networking.istio.io/v1',
  kind: 'WorkloadEntry',
  metadata: { name: 'vm' },
  spec: { address: '10.0.0.1' }
}

const named = (name: string, labels = {}) => ({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, labels } })
const PROBE = named('hitless-probe', { [PROBE_LABEL]: '1' })
const configMaps = (namespace: string) => `/api/v1/namespaces/${namespace}/configmaps`

const plane = await startControlPlane({ controllers: false })
t.teardown(() => plane.stop())
const objects = await rendered()
const OPTIONS = [
  'autoscaling.enabled=true',
  'dashboard.enabled=true',
  'networkPolicy.apiServer={10.0.0.1/32}',
  'networkPolicy.reviewsFrom={10.0.0.0/24}',
  'webhook.clientCa.secret=clients',
  'priorityClassName=system-cluster-critical'
]

t.test('the API server takes every object of the chart, and adds no field to the webhooks', async (t) => {
  for (const name of ['hitless-system', 'istio-system'])
    await plane.api.request('POST', '/api/v1/namespaces', { body: { metadata: { name } } })
  // The webhook configuration is only tried: nothing here answers behind its Service.
  for (const object of objects) {
    const dryRun = object.kind === 'ValidatingWebhookConfiguration' ? ['--dry-run=server'] : []
    const input = JSON.stringify(object)
    const applied = await plane.kubectl(['apply', '--server-side', '--validate=strict', ...dryRun, '-o', 'json', '-f', '-'], { input })
    t.equal(applied.code, 0, `${object.kind} ${object.metadata.name} ${applied.stderr}`)
    if (dryRun.length > 0) {
      const { webhooks } = JSON.parse(applied.stdout) as { webhooks: Record<string, unknown>[] }
      t.strictSame(webhooks, withoutEmpty(webhooksOf(objects)))
    }
  }
})

t.test('the API server takes the objects of every option', async (t) => {
  for (const object of await rendered('--set', OPTIONS.join())) {
    const input = JSON.stringify(object)
    const { code, stderr } = await plane.kubectl(['apply', '--server-side', '--validate=strict', '--dry-run=server', '-f', '-'], { input })
    t.equal(code, 0, `${object.kind} ${object.metadata.name} ${stderr}`)
  }
})

/** Registers the webhooks, each at a path of its own; the function makes a write and gives the names of those that were asked. */
async function asking(t: Tap, objects: readonly Rendered[]) {
  const calls: string[] = []
  const server = createServer(plane.certificate, async (request, response) => {
    let text = ''
    for await (const chunk of request) text += chunk
    const review = JSON.parse(text) as { request: { uid: string } }
    calls.push(new URL(request.url ?? '', 'https://webhook').pathname.slice(1))
    response.setHeader('Content-Type', 'application/json')
    response.end(
      JSON.stringify({ apiVersion: 'admission.k8s.io/v1', kind: 'AdmissionReview', response: { uid: review.request.uid, allowed: true } })
    )
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const { port } = server.address() as AddressInfo
  const registered: (() => Promise<void>)[] = []
  for (const { name, rules, ...more } of webhooksOf(objects)) {
    const { matchConditions, matchPolicy, objectSelector, namespaceSelector } = more
    const url = `https://127.0.0.1:${port}/${name}`
    const selectors = { matchConditions, matchPolicy, objectSelector, namespaceSelector }
    const registration = { name: `chart-${name.replace('.hitless.io', '')}`, url, caBundle: plane.ca, rules, more: selectors }
    registered.push(await plane.registerWebhook(registration))
  }
  t.teardown(async () => {
    for (const unregister of registered) await unregister()
    server.closeAllConnections()
    server.close()
  })
  return async (method: string, path: string, body?: unknown) => {
    calls.length = 0
    const contentType = method === 'PATCH' ? 'application/merge-patch+json' : 'application/json'
    const { status, body: answer } = await plane.api.request(method as 'PATCH', path, { body, contentType })
    t.ok(status < 300, `${method} ${path}: ${status} ${status < 300 ? '' : JSON.stringify(answer)}`)
    // It asks again where its own cache was behind the write before.
    return [...new Set(calls)]
  }
}

t.test('the API server asks only about the writes that can open a gap', async (t) => {
  const write = await asking(t, objects)
  const apps = (namespace: string) => `/apis/apps/v1/namespaces/${namespace}/deployments`
  const services = '/api/v1/namespaces/default/services'
  const entries = '/apis/networking.istio.io/v1/namespaces/default/workloadentries'
  const routes = '/apis/networking.istio.io/v1beta1/namespaces/default/virtualservices'
  const steps: readonly { what: string; method: string; path: string; body?: unknown; asks: readonly string[] }[] = [
    { what: 'a new Deployment', method: 'POST', path: apps('default'), body: DEPLOYMENT, asks: ['workloads.hitless.io'] },
    { what: 'a label of the Deployment', method: 'PATCH', path: `${apps('default')}/web`, body: labelled, asks: [] },
    {
      what: 'a new image',
      method: 'PATCH',
      path: `${apps('default')}/web`,
      body: template({ spec: { containers: [{ name: 'web', image: 'web:2' }] } }),
      asks: []
    },
    {
      what: 'a new port',
      method: 'PATCH',
      path: `${apps('default')}/web`,
      body: template({ spec: { containers: [{ name: 'web', image: 'web:2', ports: [{ name: 'http', containerPort: 80 }] }] } }),
      asks: ['workloads.hitless.io']
    },
    { what: 'two replicas', method: 'PATCH', path: `${apps('default')}/web`, body: { spec: { replicas: 2 } }, asks: [] },
    {
      what: 'two replicas to one by scale',
      method: 'PATCH',
      path: `${apps('default')}/web/scale`,
      body: { spec: { replicas: 1 } },
      asks: []
    },
    {
      what: 'scale to 0',
      method: 'PATCH',
      path: `${apps('default')}/web/scale`,
      body: { spec: { replicas: 0 } },
      asks: ['scale.hitless.io']
    },
    { what: 'scale from 0', method: 'PATCH', path: `${apps('default')}/web/scale`, body: { spec: { replicas: 1 } }, asks: [] },
    {
      what: 'replicas 0',
      method: 'PATCH',
      path: `${apps('default')}/web`,
      body: { spec: { replicas: 0 } },
      asks: ['workloads.hitless.io']
    },
    {
      what: 'another label of the Pods',
      method: 'PATCH',
      path: `${apps('default')}/web`,
      body: template({ metadata: { labels: { version: 'v2' } } }),
      asks: ['workloads.hitless.io']
    },
    { what: 'the Deployment deleted', method: 'DELETE', path: `${apps('default')}/web`, asks: ['workloads.hitless.io'] },
    { what: 'a Deployment in kube-system', method: 'POST', path: apps('kube-system'), body: DEPLOYMENT, asks: [] },
    { what: "a Deployment in the release's namespace", method: 'POST', path: apps('hitless-system'), body: DEPLOYMENT, asks: [] },
    { what: 'a new Service', method: 'POST', path: services, body: SERVICE, asks: ['services.hitless.io'] },
    { what: 'a label of the Service', method: 'PATCH', path: `${services}/web`, body: labelled, asks: [] },
    { what: 'who sees the Service', method: 'PATCH', path: `${services}/web`, body: hidden, asks: ['services.hitless.io'] },
    {
      what: 'its selector',
      method: 'PATCH',
      path: `${services}/web`,
      body: { spec: { selector: { app: 'other' } } },
      asks: ['services.hitless.io']
    },
    { what: 'the Service deleted', method: 'DELETE', path: `${services}/web`, asks: ['services.hitless.io'] },
    { what: 'a ConfigMap', method: 'POST', path: configMaps('default'), body: PROBE, asks: [] },
    { what: "a ConfigMap in the release's namespace", method: 'POST', path: configMaps('hitless-system'), body: named('plain'), asks: [] },
    {
      what: 'the dry run of hitless itself',
      method: 'POST',
      path: `${configMaps('hitless-system')}?dryRun=All`,
      body: PROBE,
      asks: ['probe.hitless.io']
    },
    { what: 'a VirtualService of an older version', method: 'POST', path: routes, body: ROUTE, asks: ['routes.hitless.io'] },
    { what: 'a new WorkloadEntry', method: 'POST', path: entries, body: ENTRY, asks: ['entries.hitless.io'] },
    { what: 'an annotation of it', method: 'PATCH', path: `${entries}/vm`, body: { metadata: { annotations: { seen: '1' } } }, asks: [] },
    { what: 'its labels', method: 'PATCH', path: `${entries}/vm`, body: labelled, asks: ['entries.hitless.io'] },
    { what: 'its address', method: 'PATCH', path: `${entries}/vm`, body: { spec: { address: '10.0.0.2' } }, asks: ['entries.hitless.io'] },
    { what: 'the WorkloadEntry deleted', method: 'DELETE', path: `${entries}/vm`, asks: ['entries.hitless.io'] }
  ]
  for (const { what, method, path, body, asks } of steps) t.strictSame(await write(method, path, body), asks, what)
})

/** What Argo Rollouts installs, as far as the API server acts on it. */
const ROLLOUTS = {
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: 'rollouts.argoproj.io' },
  spec: {
    group: 'argoproj.io',
    names: { kind: 'Rollout', plural: 'rollouts', singular: 'rollout', listKind: 'RolloutList' },
    scope: 'Namespaced',
    versions: [
      {
        name: 'v1alpha1',
        served: true,
        storage: true,
        schema: { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } },
        subresources: { scale: { specReplicasPath: '.spec.replicas', statusReplicasPath: '.status.replicas' } }
      }
    ]
  }
}

const WORKLOADS: readonly { readonly kind: string; readonly group: string; readonly more?: object; readonly counted: boolean }[] = [
  { kind: 'Deployment', group: 'apps/v1', counted: true },
  { kind: 'StatefulSet', group: 'apps/v1', more: { serviceName: 'web' }, counted: true },
  { kind: 'DaemonSet', group: 'apps/v1', counted: false },
  { kind: 'ReplicaSet', group: 'apps/v1', counted: true },
  { kind: 'Rollout', group: 'argoproj.io/v1alpha1', more: { strategy: { canary: {} } }, counted: true }
]

t.test('of every kind of workload it asks about what can take Pods away, and not about a new image', async (t) => {
  const { code, stderr } = await plane.kubectl(['apply', '--server-side', '-f', '-'], { input: JSON.stringify(ROLLOUTS) })
  t.equal(code, 0, stderr)
  await plane.kubectl(['wait', '--for=condition=Established', '--timeout=30s', 'crd/rollouts.argoproj.io'])
  const write = await asking(t, objects)
  const containers = (image: string, port?: string) => [
    { name: 'web', image, ...(port === undefined ? {} : { ports: [{ name: port, containerPort: 80 }] }) }
  ]
  for (const { kind, group, more = {}, counted } of WORKLOADS) {
    const all = `/apis/${group}/namespaces/default/${kind.toLowerCase()}s`
    const one = `${all}/all-${kind.toLowerCase()}`
    const labels = { app: kind }
    const spec = {
      ...more,
      selector: { matchLabels: labels },
      template: { metadata: { labels }, spec: { containers: containers('web:1') } }
    }
    const body = { apiVersion: group, kind, metadata: { name: `all-${kind.toLowerCase()}` }, spec }
    const workload = ['workloads.hitless.io']
    const steps: readonly (readonly [what: string, asks: readonly string[], ...Parameters<typeof write>])[] = [
      ['created', workload, 'POST', all, body],
      ['another image', [], 'PATCH', one, template({ spec: { containers: containers('web:2') } })],
      ['an annotation of its own', [], 'PATCH', one, { metadata: { annotations: { seen: '1' } } }],
      ['a named port', workload, 'PATCH', one, template({ spec: { containers: containers('web:2', 'http') } })],
      ['a label of its Pods', workload, 'PATCH', one, template({ metadata: { labels: { version: 'v2' } } })],
      [
        'the label and another image',
        workload,
        'PATCH',
        one,
        template({ metadata: { labels: { version: null } }, spec: { containers: containers('web:3', 'http') } })
      ],
      ...(counted
        ? ([
            ['more replicas', [], 'PATCH', one, { spec: { replicas: 3 } }],
            ['fewer replicas', [], 'PATCH', `${one}/scale`, { spec: { replicas: 2 } }],
            ['no replicas', workload, 'PATCH', one, { spec: { replicas: 0 } }],
            ['replicas again', [], 'PATCH', `${one}/scale`, { spec: { replicas: 1 } }],
            ['no replicas by scale', ['scale.hitless.io'], 'PATCH', `${one}/scale`, { spec: { replicas: 0 } }]
          ] as const)
        : []),
      ...(kind === 'Deployment'
        ? ([
            ['that it is recreated', [], 'PATCH', one, { spec: { strategy: { type: 'Recreate', rollingUpdate: null } } }],
            ['another image, recreated', workload, 'PATCH', one, template({ spec: { containers: containers('web:4', 'http') } })]
          ] as const)
        : []),
      // Of the others the API server refuses that.
      ...(kind === 'Rollout'
        ? ([['its selector', workload, 'PATCH', one, { spec: { selector: { matchLabels: { app: 'other' } } } }]] as const)
        : []),
      ['deleted', workload, 'DELETE', one]
    ]
    for (const [what, asks, ...request] of steps) t.strictSame(await write(...request), asks, `${kind}: ${what}`)
  }
})

t.test('about the ReplicaSet of a Deployment it asks nothing, and about that of a Rollout whether its Pods may leave', async (t) => {
  const write = await asking(t, objects)
  const all = '/apis/apps/v1/namespaces/default/replicasets'
  const uid = '705ab4f5-6393-11e8-b7cc-42010a800002'
  const owners = { Deployment: 'apps/v1', Rollout: 'argoproj.io/v1alpha1' }
  const asked: Record<string, string[][]> = {}
  for (const [kind, apiVersion] of Object.entries(owners)) {
    const name = `of-a-${kind.toLowerCase()}`
    const metadata = { name, ownerReferences: [{ apiVersion, kind, name: 'web', uid, controller: true }] }
    asked[kind] = [
      await write('POST', all, { ...DEPLOYMENT, kind: 'ReplicaSet', metadata }),
      await write('PATCH', `${all}/${name}`, { spec: { replicas: 2 } }),
      await write('PATCH', `${all}/${name}`, { spec: { replicas: 0 } }),
      await write('DELETE', `${all}/${name}`)
    ]
  }
  const workload = ['workloads.hitless.io']
  t.strictSame(asked, { Deployment: [[], [], [], []], Rollout: [[], [], workload, workload] })
})

t.test('where only labelled things are protected, it asks about these alone, and about each once', async (t) => {
  const namespaces = '/api/v1/namespaces'
  for (const [name, labels] of [
    ['shop', { 'hitless.io/protect': 'true' }],
    ['blog', {}]
  ] as const)
    await plane.api.request('POST', namespaces, { body: { metadata: { name, labels } } })
  const write = await asking(t, await rendered('--set', 'webhook.protect=labelled'))
  const services = (namespace: string) => `${namespaces}/${namespace}/services`
  const named = (name: string, labels = {}) => ({ ...SERVICE, metadata: { name, labels } })
  const label = (value: string | null) => ({ metadata: { labels: { 'hitless.io/protect': value } }, spec: { selector: { app: value } } })
  const protectedOne = { 'hitless.io/protect': 'true' }
  const steps: readonly (readonly [what: string, asks: readonly string[], ...Parameters<typeof write>])[] = [
    ['in a namespace with the label', ['services.hitless.io'], 'POST', services('shop'), named('web')],
    ['with the label there too', ['services.hitless.io'], 'POST', services('shop'), named('api', protectedOne)],
    ['elsewhere', [], 'POST', services('blog'), named('web')],
    ['elsewhere, with the label', ['labelled.services.hitless.io'], 'POST', services('blog'), named('api', protectedOne)],
    ['the label taken away', ['labelled.services.hitless.io'], 'PATCH', `${services('blog')}/api`, label(null)],
    ['another value of it', [], 'PATCH', `${services('blog')}/api`, label('false')],
    ['the label given', ['labelled.services.hitless.io'], 'PATCH', `${services('blog')}/api`, label('true')],
    ['deleted with it', ['labelled.services.hitless.io'], 'DELETE', `${services('blog')}/api`]
  ]
  for (const [what, asks, ...request] of steps) t.strictSame(await write(...request), asks, what)
})

function webhooksOf(objects: readonly Rendered[]): Webhook[] {
  const found = objects.find(({ kind }) => kind === 'ValidatingWebhookConfiguration')
  return (found as unknown as { webhooks: Webhook[] }).webhooks
}

/** The API server leaves out a list without items. */
function withoutEmpty(webhooks: readonly Webhook[]): unknown[] {
  return webhooks.map(({ matchConditions, ...rest }) =>
    Array.isArray(matchConditions) && matchConditions.length === 0 ? rest : { ...rest, matchConditions }
  )
}
