/** The webhook configuration while somebody else writes it, and when the release's namespace goes: a real process on a real API server. */
import { copyFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { createAuthority, issue } from '../../src/certificates/self-signed.ts'
import { FAIL_WHEN_PROVEN, HANDS_OFF, IGNORE_UNTIL } from '../../src/kubernetes/webhook-configuration.ts'
import { startControlPlane } from '../rig/control-plane.ts'
import { startHitless } from '../rig/hitless-process.ts'

t.setTimeout(5 * 60_000)

const NAMESPACE = 'release'
const NAME = 'hitless-release'
const PATH = `/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/${NAME}`
const DEFINITIONS = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions'

interface Configuration {
  readonly metadata: {
    readonly annotations?: Readonly<Record<string, string>>
    readonly ownerReferences?: readonly { readonly uid: string }[]
  }
  readonly webhooks: readonly { readonly failurePolicy: string }[]
}

const plane = await startControlPlane({ istio: false })
await plane.api.request('POST', '/api/v1/namespaces', { body: { metadata: { name: NAMESPACE } } })
const now = { nowMs: Date.now(), days: 2 }
const authority = await createAuthority(now)
const leaf = await issue(authority, [`hitless.${NAMESPACE}.svc`, '127.0.0.1'], now)
const file = (name: string) => join(plane.directory, name)
await writeFile(file('tls.crt'), leaf.certificate)
await writeFile(file('tls.key'), leaf.key)
const kubeconfig = file('release.kubeconfig')
await copyFile(plane.kubeconfig, kubeconfig)
await plane.kubectl(['config', 'set-context', '--current', `--namespace=${NAMESPACE}`], { kubeconfig })
const flags = ['--tls-cert', file('tls.crt'), '--tls-key', file('tls.key'), '--webhook-configuration', NAME]
const webhook = await startHitless(plane, { register: false, kubeconfig, flags })
t.teardown(async () => {
  await webhook.stop()
  await plane.stop()
})

/** As Helm does it: by server-side apply, under its own name, with the manifest of a first install. */
async function manifest(annotations: Record<string, string> = {}): Promise<void> {
  const entry = (name: string, failurePolicy: string, rule: object) => ({
    name,
    clientConfig: { url: `https://127.0.0.1:${webhook.port}/validate`, caBundle: Buffer.from(authority.certificate).toString('base64') },
    rules: [{ apiVersions: ['v1'], operations: ['CREATE'], ...rule }],
    failurePolicy,
    sideEffects: 'None',
    admissionReviewVersions: ['v1']
  })
  const body = {
    apiVersion: 'admissionregistration.k8s.io/v1',
    kind: 'ValidatingWebhookConfiguration',
    metadata: { name: NAME, annotations: { [FAIL_WHEN_PROVEN]: 'routes.hitless.io', ...annotations } },
    webhooks: [
      entry('routes.hitless.io', 'Ignore', { apiGroups: ['networking.istio.io'], resources: ['virtualservices'] }),
      entry('probe.hitless.io', 'Fail', { apiGroups: [''], resources: ['configmaps'] })
    ]
  }
  const { status } = await plane.api.request('PATCH', `${PATH}?fieldManager=helm&force=true`, {
    body,
    contentType: 'application/apply-patch+yaml'
  })
  t.ok(status < 300, `applied: ${status}`)
}

const stored = async () => (await plane.api.request<Configuration>('GET', PATH)).body
const policies = async () => (await stored()).webhooks.map(({ failurePolicy }) => failurePolicy).join()
const until = async <T>(ask: () => Promise<T>, holds: (found: T) => boolean): Promise<T> => {
  for (;;) {
    const found = await ask()
    if (holds(found)) return found
    await sleep(50)
  }
}
const ready = async () => (await fetch(`http://127.0.0.1:${webhook.healthPort}/readyz`)).text()
const annotate = (value: string) =>
  plane.kubectl(['annotate', '--overwrite', 'validatingwebhookconfiguration', NAME, `${IGNORE_UNTIL}=${value}`])
const ignoreByHand = () =>
  plane.kubectl([
    'patch',
    'validatingwebhookconfiguration',
    NAME,
    '--type=json',
    '-p',
    '[{"op":"replace","path":"/webhooks/0/failurePolicy","value":"Ignore"}]'
  ])

t.test('it is removed together with the namespace that it belongs to', async (t) => {
  await manifest()
  await until(policies, (found) => found === 'Fail,Fail')
  const { body } = await plane.api.request<{ metadata: { uid: string } }>('GET', `/api/v1/namespaces/${NAMESPACE}`)
  t.match((await stored()).metadata.ownerReferences, [{ kind: 'Namespace', name: NAMESPACE, uid: body.metadata.uid }])
  await manifest()
  await until(policies, (found) => found === 'Fail,Fail')
  t.equal((await stored()).metadata.ownerReferences?.length, 1, 'and what Helm applies takes nothing of it away')
})

t.test('what somebody made Ignore by hand stays so, and it is said until when', async (t) => {
  t.equal((await ignoreByHand()).code, 0)
  const said = await until(
    async () => (await stored()).metadata.annotations?.[IGNORE_UNTIL],
    (found) => found !== undefined
  )
  const hours = (Date.parse(said ?? '') - Date.now()) / 3_600_000
  t.ok(hours > 7.9 && hours <= 8, `${hours} hours`)
  await until(
    () => webhook.metric('hitless_webhook_ignored_until_timestamp_seconds'),
    (found) => !Number.isNaN(found)
  )
  t.equal(await webhook.metric('hitless_webhook_enforced'), 0)
  t.equal(await policies(), 'Ignore,Fail')
  t.match(webhook.log(), 'somebody made these webhooks Ignore')
})

t.test('another time is obeyed, and when it is over refusals fail closed again', async (t) => {
  const inAnHour = Math.round(Date.now() / 1000) + 3600
  await annotate(new Date(inAnHour * 1000).toISOString())
  await until(
    () => webhook.metric('hitless_webhook_ignored_until_timestamp_seconds'),
    (found) => found === inAnHour
  )
  t.equal(await policies(), 'Ignore,Fail')
  await annotate(new Date().toISOString())
  await until(policies, (found) => found === 'Fail,Fail')
  await until(
    () => webhook.metric('hitless_webhook_ignored_until_timestamp_seconds'),
    (found) => Number.isNaN(found)
  )
  await until(
    () => webhook.metric('hitless_webhook_enforced'),
    (found) => found === 1
  )
})

t.test('a time of another occasion, or none that can be read, is replaced', async (t) => {
  for (const time of ['2026-01-01T00:00:00Z', 'until tomorrow', '2999-01-01T00:00:00Z']) {
    await annotate(time)
    t.equal((await ignoreByHand()).code, 0)
    const said = await until(
      async () => (await stored()).metadata.annotations?.[IGNORE_UNTIL] ?? '',
      (found) => found !== time
    )
    const days = (Date.parse(said) - Date.now()) / 86_400_000
    t.ok(days > 0.3 && days <= 30, `${time}: ${said}`)
    t.equal(await policies(), 'Ignore,Fail')
    await annotate(new Date().toISOString())
    await until(policies, (found) => found === 'Fail,Fail')
  }
})

t.test('an Istio that serves no version that hitless is asked about is told by readiness', async (t) => {
  t.equal(await ready(), 'ok\n')
  const version = (name: string, storage: boolean) => ({
    name,
    served: true,
    storage,
    schema: { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } }
  })
  const definition = (...versions: object[]) => ({
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: 'virtualservices.networking.istio.io' },
    spec: { group: 'networking.istio.io', names: { kind: 'VirtualService', plural: 'virtualservices' }, scope: 'Namespaced', versions }
  })
  const apply = (body: object) =>
    plane.api.request('PATCH', `${DEFINITIONS}/virtualservices.networking.istio.io?fieldManager=test`, {
      body,
      contentType: 'application/apply-patch+yaml'
    })
  await apply(definition(version('v1beta1', true)))
  const served = async () => (await plane.api.request('GET', '/apis/networking.istio.io')).status
  await until(served, (status) => status === 200)
  // A change of the configuration is looked at at once.
  await annotate(new Date().toISOString())
  t.match(
    await until(ready, (found) => found.includes('istio:')),
    /serves networking\.istio\.io v1beta1, and hitless is asked about v1, .* 1\.22/
  )
  await apply(definition(version('v1beta1', true), version('v1', false)))
  await until(ready, (found) => !found.includes('istio:'))
})

t.test('a configuration that hitless may only look at is left as it is', async (t) => {
  await manifest({ [HANDS_OFF]: 'true' })
  await until(
    () => webhook.metric('hitless_webhook_enforced'),
    (found) => found === 0
  )
  t.equal(await policies(), 'Ignore,Fail')
  await manifest()
  await until(policies, (found) => found === 'Fail,Fail')
})

t.test('when the namespace is deleted nobody waits for Pods that go, and nothing stays behind', async (t) => {
  const configMap = { metadata: { name: 'held', finalizers: ['example.com/held'] } }
  await plane.api.request('POST', `/api/v1/namespaces/${NAMESPACE}/configmaps`, { body: configMap })
  await plane.api.request('DELETE', `/api/v1/namespaces/${NAMESPACE}`)
  await until(policies, (found) => found === 'Ignore,Ignore')
  t.match(webhook.log(), 'the namespace of this release is being deleted')
  await plane.api.request('PATCH', `/api/v1/namespaces/${NAMESPACE}/configmaps/held`, {
    body: { metadata: { finalizers: null } },
    contentType: 'application/merge-patch+json'
  })
  await until(
    async () => (await plane.api.request('GET', PATH)).status,
    (status) => status === 404
  )
})
