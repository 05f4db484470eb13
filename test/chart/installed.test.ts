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

t.test('the API server asks only about the writes that can open a gap', async (t) => {
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
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  const { port } = server.address() as AddressInfo
  for (const { name, rules, ...more } of webhooksOf(objects)) {
    const { matchConditions, matchPolicy, objectSelector, namespaceSelector } = more
    const url = `https://127.0.0.1:${port}/${name}`
    const selectors = { matchConditions, matchPolicy, objectSelector, namespaceSelector }
    await plane.registerWebhook({ name: `chart-${name.split('.')[0]}`, url, caBundle: plane.ca, rules, more: selectors })
  }

  const write = async (method: string, path: string, body?: unknown) => {
    calls.length = 0
    const contentType = method === 'PATCH' ? 'application/merge-patch+json' : 'application/json'
    const { status, body: answer } = await plane.api.request(method as 'PATCH', path, { body, contentType })
    t.ok(status < 300, `${method} ${path}: ${status} ${status < 300 ? '' : JSON.stringify(answer)}`)
    return [...calls]
  }
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
