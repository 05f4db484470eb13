/** What replicas keep in the cluster, on a real API server: nobody's write is lost, and nobody else's field is taken. */
import { randomUUID } from 'node:crypto'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { createAuthority, issue } from '../../src/certificates/self-signed.ts'
import { systemClock } from '../../src/kubernetes/clock.ts'
import { Connection } from '../../src/kubernetes/connection.ts'
import { CredentialReader } from '../../src/kubernetes/credentials.ts'
import { NamedSecret } from '../../src/kubernetes/secret.ts'
import { FAIL_WHEN_PROVEN, PUBLISHES, WebhookConfiguration } from '../../src/kubernetes/webhook-configuration.ts'
import { DAY_MS, handshake, MINUTE_MS, startReplica } from '../certificates/replicas.ts'
import { hitless, WORLD } from '../cli/commands.ts'
import { startControlPlane } from '../rig/control-plane.ts'
import { startHitless } from '../rig/hitless-process.ts'

t.setTimeout(5 * 60_000)

const PATH = '/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations'
const SECRETS = '/api/v1/namespaces/default/secrets'
const { signal } = new AbortController()

interface Configuration {
  readonly metadata: { readonly managedFields: readonly { readonly manager: string; readonly fieldsV1: unknown }[] }
  readonly webhooks: readonly {
    readonly name: string
    readonly failurePolicy: string
    readonly clientConfig: { readonly caBundle?: string }
  }[]
}

const plane = await startControlPlane({ controllers: false, istio: false })
const connection = new Connection(new CredentialReader({ kubeconfig: plane.kubeconfig, context: null }), systemClock)
t.teardown(async () => {
  await connection.close()
  await plane.stop()
})
const now = { nowMs: Date.now(), days: 2 }
const authority = await createAuthority(now)
const stranger = await createAuthority(now)

/** As Helm 4 does it: by server-side apply, under its own name. */
async function register(name: string, more: { caBundle?: string; wanted?: string; policy?: 'Fail' | 'Ignore' } = {}): Promise<number> {
  const { caBundle, wanted = '', policy = 'Ignore' } = more
  const entry = (called: string) => ({
    name: called,
    clientConfig: { service: { name: 'hitless', namespace: 'default' }, ...(caBundle === undefined ? {} : { caBundle: base64(caBundle) }) },
    rules: [{ apiGroups: ['example.com'], apiVersions: ['v1'], resources: ['things'], operations: ['CREATE'] }],
    failurePolicy: policy,
    sideEffects: 'None',
    admissionReviewVersions: ['v1']
  })
  const body = {
    apiVersion: 'admissionregistration.k8s.io/v1',
    kind: 'ValidatingWebhookConfiguration',
    metadata: { name, annotations: { [FAIL_WHEN_PROVEN]: wanted, [PUBLISHES]: 'true' } },
    webhooks: [entry('one.hitless.io'), entry('two.hitless.io')]
  }
  const { status } = await plane.api.request('PATCH', `${PATH}/${name}?fieldManager=helm`, {
    body,
    contentType: 'application/apply-patch+yaml'
  })
  return status
}

const base64 = (text: string) => Buffer.from(text).toString('base64')
const stored = async (name: string) => (await plane.api.request<Configuration>('GET', `${PATH}/${name}`)).body
const policies = async (name: string) => (await stored(name)).webhooks.map(({ failurePolicy }) => failurePolicy)

t.test('of replicas that create the Secret at the same moment one succeeds, and of those that change it', async (t) => {
  const replicas = ['a', 'b', 'c'].map((identity) => new NamedSecret(connection, 'race', identity))
  const created = await Promise.all(replicas.map((replica, at) => replica.write({ 'ca.crt': `made by ${at}` }, null, signal)))
  t.equal(created.filter((done) => done).length, 1)
  const read = await Promise.all(replicas.map((replica) => replica.read(signal)))
  t.same(read[0]?.data, { 'ca.crt': `made by ${created.indexOf(true)}` })

  await plane.api.request('PATCH', `${SECRETS}/race`, {
    body: { metadata: { labels: { of: 'another' } } },
    contentType: 'application/merge-patch+json'
  })
  t.equal(await replicas[0]?.write({ 'ca.crt': 'old' }, read[0]?.version ?? '', signal), false, 'it is no longer what was read')
  const [one, other] = [await replicas[0]?.read(signal), await replicas[1]?.read(signal)]
  t.equal(await replicas[0]?.write({ 'next.crt': 'new' }, one?.version ?? '', signal), true)
  t.equal(await replicas[1]?.write({ 'ca.crt': 'late' }, other?.version ?? '', signal), false)
  const { body } = await plane.api.request<{ data: unknown; metadata: { labels: unknown } }>('GET', `${SECRETS}/race`)
  t.same(
    [body.data, body.metadata.labels],
    [{ 'next.crt': base64('new') }, { of: 'another' }],
    'what is no longer kept is gone, and labels stay'
  )

  await plane.api.request('DELETE', `${SECRETS}/race`)
  t.equal(await replicas[2]?.write({ 'ca.crt': 'x' }, read[2]?.version ?? '', signal), false)
  t.equal(await replicas[2]?.read(signal), null)
})

t.test('a bundle is published beside what Helm applies, and Helm applies beside it', async (t) => {
  await register('published')
  const configuration = new WebhookConfiguration(connection, 'published')
  const read = await configuration.read(signal)
  t.same(read?.bundles, ['', ''])
  t.equal(await configuration.publish(authority.certificate, read?.version ?? '', signal), true)
  t.equal(await configuration.publish(stranger.certificate, read?.version ?? '', signal), false, 'another was quicker')
  t.equal(await register('published'), 200, 'no conflict')
  t.same((await configuration.read(signal))?.bundles, [authority.certificate, authority.certificate])
  t.equal(await new WebhookConfiguration(connection, 'absent').read(signal), null)
})

t.test('a change is noticed as it comes, the creation and the deletion too', async (t) => {
  const configuration = new WebhookConfiguration(connection, 'followed')
  const steps = [
    () => register('followed'),
    () => register('followed', { policy: 'Fail' }),
    () => plane.api.request('DELETE', `${PATH}/followed`)
  ]
  for (const step of steps) {
    const read = await configuration.read(signal)
    let early = false
    const noticed = configuration.changed(read?.version ?? null, signal).then(() => {
      early = true
    })
    await register('another')
    t.notOk(early, 'not for another one')
    await step()
    await noticed
    t.not((await configuration.read(signal))?.version, read?.version)
  }
})

t.test('a policy that was raised belongs to nobody: Helm can apply the first manifest again', async (t) => {
  await register('raised', { wanted: 'two.hitless.io' })
  const configuration = new WebhookConfiguration(connection, 'raised')
  const first = await configuration.read(signal)
  await configuration.publish(authority.certificate, first?.version ?? '', signal)
  const read = await configuration.read(signal)
  t.same(read?.lenient, ['two.hitless.io'])
  t.equal(await configuration.raise(['two.hitless.io'], first?.version ?? '', signal), false, 'it is no longer what was read')
  t.equal(await configuration.raise(['two.hitless.io'], read?.version ?? '', signal), true)
  t.same(await policies('raised'), ['Ignore', 'Fail'])
  const raised = await configuration.read(signal)
  t.match(raised, { lenient: [], holds: false, bundles: [authority.certificate, authority.certificate] })
  t.equal(await register('raised', { wanted: 'two.hitless.io' }), 200, 'no conflict')
  t.same(await policies('raised'), ['Ignore', 'Ignore'])
})

t.test('a raise that was interrupted is ended by the next look', async (t) => {
  await register('interrupted', { wanted: 'one.hitless.io' })
  const body = {
    apiVersion: 'admissionregistration.k8s.io/v1',
    kind: 'ValidatingWebhookConfiguration',
    metadata: { name: 'interrupted' },
    webhooks: [{ name: 'one.hitless.io', failurePolicy: 'Fail' }, { name: 'two.hitless.io' }]
  }
  await plane.api.request('PATCH', `${PATH}/interrupted?fieldManager=hitless&force=true`, {
    body,
    contentType: 'application/apply-patch+yaml'
  })
  t.equal(await register('interrupted', { wanted: 'one.hitless.io' }), 409, 'Helm would meet a conflict')
  const configuration = new WebhookConfiguration(connection, 'interrupted')
  const read = await configuration.read(signal)
  t.equal(read?.holds, true)
  t.equal(await configuration.raise([], read?.version ?? '', signal), true)
  t.same(await policies('interrupted'), ['Fail', 'Ignore'])
  t.equal(await register('interrupted', { wanted: 'one.hitless.io' }), 200)
})

t.test('three replicas through a year: one Secret, one configuration, and no handshake that fails', async (t) => {
  await register('year')
  const clock = { nowMs: Date.now() }
  const replicas = await Promise.all(
    ['a', 'b', 'c'].map((identity) => {
      const stores = { store: new NamedSecret(connection, 'year', identity), trust: new WebhookConfiguration(connection, 'year') }
      return startReplica(t, stores, () => clock.nowMs)
    })
  )
  const folder = t.testdir()
  const bundle = async () => Buffer.from((await stored('year')).webhooks[1]?.clientConfig.caBundle ?? '', 'base64').toString('utf8')
  const secret = async () => (await plane.api.request<{ data: Record<string, string> }>('GET', `${SECRETS}/year`)).body.data
  const states = new Set<string>()
  const failed: string[] = []
  for (const end = clock.nowMs + 365 * DAY_MS; clock.nowMs < end; ) {
    // At the same time, so that they get in each other's way.
    await Promise.all(replicas.map((replica) => replica.look()))
    const trusted = await bundle()
    const minded = await Promise.all(replicas.map((replica) => handshake(folder, replica, trusted, clock.nowMs)))
    failed.push(...minded.filter((each) => each !== ''))
    const state = Object.keys(await secret())
    states.add(state.sort().join(' '))
    clock.nowMs += state.includes('next.crt') ? MINUTE_MS : 4 * DAY_MS
  }
  t.same(failed, [])
  t.same([...states], ['ca.crt ca.key', 'ca.crt ca.key next.crt next.key', 'ca.crt ca.key previous-until previous.crt'])
  t.same(Object.keys(await secret()), ['ca.crt', 'ca.key'], 'and what is over is gone')
  t.equal(
    (await bundle()).trim(),
    Buffer.from((await secret())['ca.crt'] ?? '', 'base64')
      .toString('utf8')
      .trim()
  )
})

t.test('with a pair of its owner: Ready while the API server could trust it, and lenient while no refusal arrives', async (t) => {
  const name = `own-${randomUUID()}`
  const leaf = await issue(authority, ['hitless.default.svc'], now)
  const files = { cert: join(plane.directory, 'own.crt'), key: join(plane.directory, 'own.key') }
  await writeFile(files.cert, leaf.certificate)
  await writeFile(files.key, leaf.key)
  await register(name, { caBundle: authority.certificate, wanted: 'one.hitless.io' })
  const flags = ['--tls-cert', files.cert, '--tls-key', files.key, '--webhook-configuration', name]
  const webhook = await startHitless(plane, { register: false, flags })
  t.teardown(() => webhook.stop())
  const ready = async () => (await fetch(`http://127.0.0.1:${webhook.healthPort}/readyz`)).text()
  const until = async (holds: (answer: string) => boolean, ask: () => Promise<string>) => {
    for (;;) {
      const answer = await ask()
      if (holds(answer)) return answer
      await sleep(100)
    }
  }
  t.equal(await ready(), 'ok\n')
  await until(
    (log) => /stay at Ignore.*(service "hitless" not found|did not ask)/.test(log),
    async () => webhook.log()
  )
  t.same(await policies(name), ['Ignore', 'Ignore'])
  t.match(await webhook.metrics(), /^hitless_webhook_enforced 0$/m)
  t.match(await webhook.metrics(), /^hitless_certificate_expiry_timestamp_seconds\{of="leaf"\} \d+$/m)

  await register(name, { caBundle: stranger.certificate, wanted: 'one.hitless.io' })
  t.match(await until((answer) => answer !== 'ok\n', ready), /^certificate: .*(issuer|signature|verify)/)
  await register(name, { caBundle: authority.certificate, wanted: 'one.hitless.io' })
  await until((answer) => answer === 'ok\n', ready)
  await plane.api.request('DELETE', `${PATH}/${name}`)
  await until(
    (text) => !/^hitless_webhook_enforced/m.test(text),
    () => webhook.metrics()
  )
  t.equal(await ready(), 'ok\n', 'nobody asks, and nobody could be disappointed')
})

t.test('hitless prove and hitless withdraw say what came of it', async (t) => {
  await register('withdrawn')
  const cluster = ['--kubeconfig', plane.kubeconfig]
  t.match(await hitless(['prove', ...cluster]), { exit: 1, out: 'no refusal arrived: the API server did not ask hitless' })
  const withdraw = ['withdraw', '--webhook-configuration', 'withdrawn', ...cluster]
  t.match(await hitless(withdraw), { exit: 0, out: 'webhook configuration withdrawn is gone' })
  t.equal((await plane.api.request('GET', `${PATH}/withdrawn`)).status, 404)
  t.match(await hitless(withdraw), { exit: 0 }, 'a second time too')
  const nowhere = join(plane.directory, 'nowhere.kubeconfig')
  await writeFile(nowhere, (await readFile(plane.kubeconfig, 'utf8')).replace(/127\.0\.0\.1:\d+/, '127.0.0.1:1'))
  t.match(await hitless(['prove', '--kubeconfig', nowhere]), { exit: 3, err: 'HITLESS_UNREACHABLE' })
  const sandbox = ['serve', '--sandbox', WORLD, '--webhook-configuration', 'x', '--port', '0', '--health-port', '0']
  t.match(await hitless(sandbox), { exit: 2, err: '--sandbox follows none' })
  t.match(await hitless(['serve', '--tls-cert', 'x']), { exit: 2, err: '--tls-cert and --tls-key go together' })
})
