// Runs in a network of its own, where the addresses of Pods are local: install.test.ts starts it.
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import type { KubernetesObject } from '../cluster/api.ts'
import { startControlPlane } from '../cluster/control-plane.ts'
import { destinationRule, rule, service, to, virtualService } from '../manifests.ts'
import { CHART, helm } from './helm.ts'
import { chartPods } from './pods.ts'
import { startWriter } from './writer.ts'

t.setTimeout(10 * 60_000)

const NAMESPACE = 'hitless-system'
const NAME = 'hitless-hitless-system'
const CONFIGURATIONS = '/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations'
const ROUTES = '/apis/networking.istio.io/v1/namespaces/default/virtualservices'
const VALUES = ['--set', 'config.server.drainSeconds=3,config.settle.milliseconds=0']

interface Configuration extends KubernetesObject {
  readonly webhooks: readonly {
    readonly name: string
    readonly failurePolicy: string
    readonly clientConfig: { readonly caBundle?: string }
  }[]
}

interface Pods {
  readonly items: readonly (KubernetesObject & {
    readonly metadata: { readonly uid: string }
    readonly status: { readonly conditions?: readonly { readonly type: string; readonly status: string }[] }
  })[]
}

const pods = chartPods()
const plane = await startControlPlane({
  containers: pods,
  // It picks a Pod behind the Service by itself, where there is no kube-proxy to do so; and it finds no default route to tell its address by.
  apiServerFlags: ['--enable-aggregator-routing=true', '--advertise-address=10.244.255.254']
})
pods.attach(plane)
t.teardown(async () => {
  await pods.close()
  await plane.stop()
})

const release = (...args: readonly string[]) => helm(...args, '--namespace', NAMESPACE, '--kubeconfig', plane.kubeconfig)
const apply = (...manifests: readonly object[]) =>
  plane.kubectl(['apply', '-n', 'default', '-f', '-'], { input: manifests.map((each) => JSON.stringify(each)).join('\n---\n') })
/** Half of the requests to a subset that nobody defined. */
const toNobody = virtualService([rule([to('v1', 50), to('v2', 50)])])

async function configuration(): Promise<Configuration | null> {
  const { status, body } = await plane.api.request<Configuration>('GET', `${CONFIGURATIONS}/${NAME}`)
  return status === 200 ? body : null
}

async function policies(): Promise<Record<string, string>> {
  return Object.fromEntries((await configuration())?.webhooks.map(({ name, failurePolicy }) => [name.split('.')[0], failurePolicy]) ?? [])
}

async function until(what: string, holds: () => Promise<boolean>, ms = 60_000): Promise<number> {
  const started = performance.now()
  while (!(await holds())) {
    if (performance.now() - started > ms) throw new Error(`${what}: not within ${ms} ms\n${pods.log().slice(-4000)}`)
    await sleep(50)
  }
  return Math.round(performance.now() - started)
}

const failsClosed = () => until('routes fail closed', async () => (await policies())['routes'] === 'Fail')
const bundle = async () => Buffer.from((await configuration())?.webhooks[0]?.clientConfig.caBundle ?? '', 'base64').toString('utf8')
const running = async () =>
  (await plane.api.request<Pods>('GET', `/api/v1/namespaces/${NAMESPACE}/pods?labelSelector=app.kubernetes.io/name=hitless`)).body.items
const ready = async () =>
  (await running()).filter(
    ({ metadata, status }) =>
      metadata.deletionTimestamp === undefined && status.conditions?.some(({ type, status: is }) => type === 'Ready' && is === 'True')
  ).length

t.same((await apply(service({ selector: null }), destinationRule(['v1']), virtualService([rule([to('v1')])]))).code, 0)
const writer = startWriter(plane.api, `${ROUTES}/helloworld`)
t.teardown(() => writer.stop())

t.test('from nothing to the first refused write', async (t) => {
  const started = performance.now()
  const { code, stdout, stderr } = await release('install', 'hitless', CHART, '--create-namespace', '--wait', '--timeout', '3m', ...VALUES)
  t.equal(code, 0, stderr)
  t.equal(await ready(), 3)
  t.comment(`installed and Ready after ${Math.round(performance.now() - started)} ms`)
  await failsClosed()
  t.same(await policies(), { routes: 'Fail', services: 'Ignore', deployments: 'Ignore', scale: 'Ignore', probe: 'Fail' })
  const refused = await apply(toNobody)
  t.equal(refused.code, 1)
  t.match(refused.stderr, /denied the request: hitless: 50% of requests .*\[undefined-subset\]/)
  const ms = Math.round(performance.now() - started)
  t.ok(ms < 120_000)
  t.comment(`first refused write after ${ms} ms`)
  const { made, failures } = writer.take()
  t.same(failures, [], `${made} writes, and none failed while hitless was not there yet`)

  const [, denial = ''] = /<<'END'\n([\s\S]*?)\n\s*END/.exec(stdout) ?? []
  t.match((await plane.kubectl(['create', '--dry-run=server', '-f', '-'], { input: denial })).stderr, '[missing-fallback]')
})

t.test('helm test sees a refusal arrive', async (t) => {
  const { code, stdout, stderr } = await release('test', 'hitless', '--timeout', '60s')
  t.equal(code, 0, stdout + stderr)
  t.match(pods.log(), 'hitless refused a write that it must refuse')
})

t.test('an upgrade replaces the Pods, and no write fails or goes unjudged', async (t) => {
  writer.take()
  const before = (await running()).map(({ metadata }) => metadata.name)
  const { code, stderr } = await release(
    'upgrade',
    'hitless',
    CHART,
    '--wait',
    '--timeout',
    '3m',
    ...VALUES,
    '--set',
    'config.rules.workload-name=off'
  )
  t.equal(code, 0, stderr)
  t.equal((await policies())['routes'], 'Fail')
  await until('the old Pods are gone', async () => (await running()).every(({ metadata }) => !before.includes(metadata.name)))
  t.match((await apply(toNobody)).stderr, '[undefined-subset]')
  const { made, failures } = writer.take()
  t.same(failures, [], `${made} writes`)
  t.comment(`${made} writes during the upgrade`)
})

t.test('a rollback to the first manifest goes through Ignore to Fail again, and no write fails', async (t) => {
  const { code, stderr } = await release('rollback', 'hitless', '1', '--wait', '--timeout', '3m')
  t.equal(code, 0, stderr)
  await failsClosed()
  t.equal(await ready(), 3)
  const { made, failures } = writer.take()
  t.same(failures, [], `${made} writes`)
  t.comment(`${made} writes during the rollback`)
})

t.test('a Pod that is killed is replaced', async (t) => {
  const [{ metadata } = { metadata: { name: '', uid: '' } }] = await running()
  await pods.kill(metadata.uid)
  t.equal((await plane.kubectl(['delete', 'pod', metadata.name, '-n', NAMESPACE, '--force', '--grace-period=0'])).code, 0)
  await until(
    'three are Ready again',
    async () => (await ready()) === 3 && (await running()).every((pod) => pod.metadata.name !== metadata.name)
  )
  t.match((await apply(toNobody)).stderr, '[undefined-subset]')
  const { made, failures } = writer.take()
  t.comment(`${failures.length} of ${made} writes failed with it: ${failures[0] ?? ''}`)
})

t.test('a Secret that is deleted comes back with another authority, while the old one signs on', async (t) => {
  const secret = `/api/v1/namespaces/${NAMESPACE}/secrets/hitless-authority`
  const old = await bundle()
  writer.take()
  await plane.api.request('DELETE', secret)
  const ms = await until('another authority is published', async () => (await bundle()).length > old.length)
  t.ok((await bundle()).startsWith(old))
  const { body } = await plane.api.request<{ data: Record<string, string> }>('GET', secret)
  t.same(Object.keys(body.data).sort(), ['ca.crt', 'ca.key', 'next.crt', 'next.key'])
  t.match((await apply(toNobody)).stderr, '[undefined-subset]')
  t.same(writer.take().failures, [])
  t.comment(`after ${ms} ms`)
})

t.test('a bundle that somebody overwrites is mended', async (t) => {
  const body = [{ op: 'replace', path: '/webhooks/0/clientConfig/caBundle', value: Buffer.from(plane.ca).toString('base64') }]
  const known = await bundle()
  await plane.api.request('PATCH', `${CONFIGURATIONS}/${NAME}`, { body, contentType: 'application/json-patch+json' })
  const ms = await until('the bundle is mended', async () => (await bundle()) === known)
  t.comment(`after ${ms} ms, in which ${writer.take().failures.length} writes failed`)
  t.match((await apply(toNobody)).stderr, '[undefined-subset]')
})

t.test('a configuration that is deleted in need lets all through, leaves the Pods Ready, and comes back by an upgrade', async (t) => {
  await plane.api.request('DELETE', `${CONFIGURATIONS}/${NAME}`)
  await until('writes go through', async () => (await apply(toNobody)).code === 0)
  t.equal((await apply(virtualService([rule([to('v1')])]))).code, 0)
  t.equal((await release('upgrade', 'hitless', CHART, '--wait', '--timeout', '3m', ...VALUES)).code, 0)
  await failsClosed()
  t.equal(await ready(), 3)
  await until('writes are judged', async () => /undefined-subset/.test((await apply(toNobody)).stderr))
  const { made, failures } = writer.take()
  t.same(failures, [], `${made} writes`)
})

t.test('the Pods may read no Secret but their own', async (t) => {
  const as = ['-n', NAMESPACE, '--as', `system:serviceaccount:${NAMESPACE}:hitless`]
  const may = async (verb: string, what: string) => (await plane.kubectl(['auth', 'can-i', verb, what, ...as])).stdout.trim()
  t.equal(await may('get', 'secrets/hitless-authority'), 'yes')
  for (const [verb, what] of [
    ['get', 'secrets/other'],
    ['list', 'secrets'],
    ['create', 'secrets'],
    ['create', 'configmaps'],
    ['delete', `validatingwebhookconfigurations/${NAME}`],
    ['patch', 'validatingwebhookconfigurations/other']
  ] as const) {
    t.equal(await may(verb, what), 'no', `${verb} ${what}`)
  }
})

t.test('an uninstall leaves nothing of ours and blocks nothing', async (t) => {
  const { code, stderr } = await release('uninstall', 'hitless', '--wait', '--timeout', '3m')
  t.equal(code, 0, stderr)
  t.equal(await configuration(), null)
  t.equal((await apply(toNobody)).code, 0, 'nobody asks hitless any more')
  const left = await plane.kubectl(['get', KINDS, '-A', '-o', 'name'])
  t.equal(left.code, 0, left.stderr)
  t.same(
    left.stdout.split('\n').filter((line) => line.includes('hitless')),
    []
  )
  await until('the Pods are gone', async () => (await running()).length === 0)
  const { made, failures } = writer.take()
  t.same(failures, [], `${made} writes`)
})

const KINDS = [
  'deployments,replicasets,services,serviceaccounts,configmaps,secrets,leases,jobs,poddisruptionbudgets,networkpolicies',
  'roles,rolebindings,clusterroles,clusterrolebindings,validatingwebhookconfigurations'
].join()
