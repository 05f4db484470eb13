import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { LiveCluster } from '../../../src/cluster/live-cluster.ts'
import { type MeshObject, parseAs, WATCHED_KINDS } from '../../../src/kinds/index.ts'
import { DEFAULT_DOMAIN } from '../../../src/mesh/names/hosts.ts'
import { type ControlPlane, startControlPlane } from '../../rig/control-plane.ts'
import { FaultProxy } from './fault-proxy.ts'
import { call, collection, Followed, held, writeKubeconfig, writeService, writeVirtualService } from './fixtures.ts'
import { errorEvent } from './stream-faults.ts'

let plane: ControlPlane
let proxy: FaultProxy
let url: string

t.setTimeout(300_000)

t.before(async () => {
  plane = await startControlPlane({ controllers: false, gatewayApi: true })
  proxy = new FaultProxy(plane)
  url = await proxy.listen()
  for (const name of ['reviews', 'ratings']) {
    await writeService(plane, name)
    await writeVirtualService(plane, name)
    for (const version of ['v1', 'v2'])
      await call(plane, 'POST', collection('Pod', 'default'), pod(`${name}-${version}`, { app: name, version }))
  }
})

t.after(async () => {
  await proxy.close()
  await plane.stop()
})

t.beforeEach(() => {
  proxy.answer = () => null
})

function pod(name: string, labels: Record<string, string>): object {
  return { apiVersion: 'v1', kind: 'Pod', metadata: { name, labels }, spec: { containers: [{ name: 'main', image: 'none' }] } }
}

function signal(): AbortSignal {
  return AbortSignal.timeout(60_000)
}

const reviews = { kind: 'Service', namespace: 'default', name: 'reviews' } as const
const path = `${collection('Service', 'default')}/reviews`

t.test('every kind that is followed is as the API server has it, over TLS and compressed', async (t) => {
  const followed = new Followed(plane.kubeconfig, {}, WATCHED_KINDS)
  await followed.start()
  // Of all ConfigMaps one alone is followed, which is not there.
  t.strictSame(followed.objects('MeshConfig'), [])
  for (const kind of WATCHED_KINDS) if (kind !== 'MeshConfig') t.strictSame(followed.objects(kind), await held(plane, kind), kind)
  t.strictSame(followed.cluster.health().reasons, [])
  t.ok(followed.cluster.health().fresh)
  const [one, other] = ['reviews-v1', 'reviews-v2'].map((name) => followed.cluster.snapshot().find('Pod', 'default', name))
  t.equal(one?.annotations, other?.annotations, 'what Pods have in common is held once')
  await followed.stop()
})

t.test('a Pod that is done is not followed', async (t) => {
  const followed = new Followed(plane.kubeconfig, {}, ['Pod'])
  await followed.start()
  await call(plane, 'POST', collection('Pod', 'default'), pod('job', { app: 'job' }))
  await followed.until('it shows', () => followed.objects('Pod').some(({ name }) => name === 'job'))
  await call(plane, 'PATCH', `${collection('Pod', 'default')}/job/status`, { status: { phase: 'Succeeded' } })
  await followed.until('it has gone', () => followed.objects('Pod').every(({ name }) => name !== 'job'))
  t.equal(await followed.cluster.facts.read({ kind: 'Pod', namespace: 'default', name: 'job' }, signal()).then((job) => job?.ready), false)
  await followed.stop()
})

t.test('facts are what the API server holds now', async (t) => {
  const followed = new Followed(plane.kubeconfig)
  await followed.start()
  const { facts } = followed.cluster
  const raw = await call(plane, 'PATCH', path, { metadata: { labels: { touched: 'yes' } } })
  t.strictSame(await facts.read(reviews, signal()), parseAs('Service', raw, DEFAULT_DOMAIN))
  t.equal(await facts.read({ ...reviews, name: 'nobody' }, signal()), null)
  t.equal((await facts.read({ kind: 'Namespace', namespace: '', name: 'default' }, signal()))?.name, 'default')
  const names = async (namespace: string | null, selector: Record<string, string> | null) =>
    (await facts.list({ kind: 'Pod', namespace, selector }, signal())).map(({ name }) => name).sort()
  t.strictSame(await names('default', { app: 'reviews' }), ['reviews-v1', 'reviews-v2'])
  t.strictSame(await names(null, { app: 'reviews', version: 'v2' }), ['reviews-v2'])
  t.strictSame(await names('kube-system', null), [])
  await followed.stop()
})

t.test('a read that fails is made again until the signal ends', async (t) => {
  const followed = new Followed(writeKubeconfig(plane.directory, url, 'token'), {}, ['Service'])
  await followed.start()
  let asked = 0
  proxy.answer = (requested) => (requested === path && asked++ < 2 ? { status: 503 } : null)
  t.equal((await followed.cluster.facts.read(reviews, signal()))?.name, 'reviews')
  t.equal(asked, 3)
  proxy.answer = () => 'hang'
  await t.rejects(followed.cluster.facts.read(reviews, AbortSignal.timeout(200)), { name: 'TimeoutError' })
  proxy.answer = () => ({ status: 403, body: { code: 403, reason: 'Forbidden', message: 'not you' } })
  await t.rejects(followed.cluster.facts.read(reviews, signal()), { status: 403, reason: 'Forbidden', message: 'not you' })
  await followed.stop()
})

/** The reviews Service as the API server holds it, with another selector. */
async function selecting(app: string): Promise<{ before: MeshObject; after: MeshObject; raw: object }> {
  const raw = await call<{ spec: object }>(plane, 'GET', path)
  const changed = { ...raw, spec: { ...raw.spec, selector: { app } } }
  return {
    before: parseAs('Service', raw, DEFAULT_DOMAIN),
    after: parseAs('Service', changed, DEFAULT_DOMAIN),
    raw: { spec: { selector: { app } } }
  }
}

t.test('an admitted write is pending until the stream shows it, and shows nowhere else', async (t) => {
  const followed = new Followed(writeKubeconfig(plane.directory, url, 'token'), { pendingMs: 60_000 }, ['Service'])
  await followed.start()
  const selector = () => followed.cluster.snapshot().find('Service', 'default', 'reviews')?.selector
  const { before, after, raw } = await selecting('first')
  followed.cluster.admitted({ ref: reviews, before, after })
  t.notSame(selector(), { app: 'first' })
  await writeService(plane, 'unrelated')
  await followed.until('another write shows', () => followed.objects('Service').some(({ name }) => name === 'unrelated'))
  t.strictSame(
    followed.cluster.pending().map((write) => write.after),
    [after],
    'another write changes nothing'
  )
  await call(plane, 'PATCH', path, raw)
  await followed.until('the stream shows it', () => selector()?.['app'] === 'first')
  t.strictSame(followed.cluster.pending(), [])
  t.equal(followed.count('write-dropped', 'Service'), 0)
  await followed.stop()
})

t.test('an admitted write that did not happen is given up', async (t) => {
  const followed = new Followed(plane.kubeconfig, {}, ['Service'])
  await followed.start()
  const { before, after } = await selecting('never')
  followed.cluster.admitted({ ref: reviews, before, after })
  const born = { kind: 'Service', namespace: 'default', name: 'unborn' } as const
  followed.cluster.admitted({ ref: born, before: null, after: { ...(after as typeof after & { kind: 'Service' }), name: 'unborn' } })
  followed.cluster.admitted({
    ref: { ...reviews, name: 'ratings' },
    before: followed.cluster.snapshot().find('Service', 'default', 'ratings') ?? null,
    after: null
  })
  t.equal(followed.cluster.pending().length, 3)
  await followed.until('all are given up', () => followed.count('write-dropped', 'Service') === 3)
  t.strictSame(followed.cluster.pending(), [])
  t.strictSame(followed.objects('Service'), await held(plane, 'Service'))
  await followed.stop()
})

t.test('a stream that does not show what a read by name found is replaced', async (t) => {
  const followed = new Followed(writeKubeconfig(plane.directory, url, 'token'), { idleMs: 600_000 }, ['Service'])
  await followed.start()
  for (const stream of proxy.streams('services')) stream.freeze()
  const { before, after, raw } = await selecting('lagging')
  followed.cluster.admitted({ ref: reviews, before, after })
  await call(plane, 'PATCH', path, raw)
  await followed.until('the stream was replaced', () => followed.interruptions('Service', 'lagging') === 1)
  await followed.until('it shows', () =>
    followed.events.some((event) => event.type === 'changed' && event.after?.name === 'reviews' && event.before !== null)
  )
  t.strictSame(followed.objects('Service'), await held(plane, 'Service'))
  t.equal(followed.count('synced', 'Service'), 1, 'it went on from where it was')
  await followed.stop()
})

t.test('a list under way goes on, whatever is read meanwhile', async (t) => {
  const followed = new Followed(writeKubeconfig(plane.directory, url, 'token'), { lagMs: 20, idleMs: 600_000, listMs: 60_000 }, ['Service'])
  await followed.start()
  // The list takes many times as long as a stream may lag behind a read.
  Object.assign(proxy, { trickleMs: 50, pieceBytes: 200 })
  for (const stream of proxy.streams('services')) stream.inject(errorEvent(410, 'Expired'))
  let reads = 0
  for (; followed.count('synced', 'Service') < 2; reads++) await followed.cluster.facts.read(reviews, signal())
  Object.assign(proxy, { trickleMs: 0, pieceBytes: 0 })
  t.ok(reads > 1, `${reads} reads`)
  t.equal(followed.interruptions('Service', 'lagging'), 0)
  await followed.stop()
})

t.test('a kind that nobody may read is named, and nothing is fresh', async (t) => {
  const forbidden = { status: 403, body: { code: 403, reason: 'Forbidden', message: 'no' } }
  const followed = new Followed(writeKubeconfig(plane.directory, url, 'token'), {}, ['Service', 'Pod'])
  proxy.answer = (requested) => (requested.includes('/pods?') ? forbidden : null)
  const started = followed.start()
  await followed.until('Services are synced', () => followed.count('synced', 'Service') === 1)
  await followed.until('Pods were refused', () => followed.interruptions('Pod', 'refused') > 0)
  t.strictSame(followed.cluster.health().reasons, ['Pod: not synced'])
  proxy.answer = () => null
  await started
  t.ok(followed.cluster.health().fresh)
  await followed.stop()
})

t.test('a kind not heard from is not fresh', async (t) => {
  const followed = new Followed(writeKubeconfig(plane.directory, url, 'token'), { staleMs: 1, idleMs: 50 }, ['Service'])
  await followed.start()
  proxy.answer = () => ({ status: 500 })
  for (const stream of proxy.streams('services')) stream.reset()
  await followed.until('it was refused twice', () => followed.interruptions('Service', 'refused') > 1)
  t.notOk(followed.cluster.health().fresh)
  t.match(followed.cluster.health().reasons, [/^Service: not heard from for \d+ s$/])
  await followed.stop()
})

t.test('the service account of a Pod is enough', async (t) => {
  const directory = t.testdir({ token: `${plane.token}\n`, 'ca.crt': plane.ca, namespace: 'hitless-system' })
  const source = { kubeconfig: null, context: null, serviceAccount: { server: plane.url, directory } }
  const cluster = new LiveCluster({ source, kinds: ['Service'] })
  const ended = new AbortController()
  await cluster.start(ended.signal)
  t.ok(cluster.snapshot().find('Service', 'default', 'reviews'))
  t.equal(await cluster.connection.namespace(), 'hitless-system')
  ended.abort()
  await cluster.ended()
})

t.test('a Pod without the token of its service account has no configuration', async (t) => {
  const serviceAccount = { server: plane.url, directory: t.testdir({}) }
  const cluster = new LiveCluster({ source: { kubeconfig: null, context: null, serviceAccount } })
  await t.rejects(cluster.start(signal()), { name: 'UnusableConfiguration' })
})

const unusable: [name: string, content: string | null][] = [
  ['a file that is not there', null],
  ['a file that is no YAML', '{'],
  ['a kubeconfig without contexts', JSON.stringify({ clusters: [], contexts: [], users: [] })]
]

for (const [name, content] of unusable) {
  t.test(`${name} is no configuration`, async (t) => {
    const kubeconfig = join(plane.directory, 'unusable.kubeconfig')
    if (content !== null) writeFileSync(kubeconfig, content)
    const cluster = new LiveCluster({ source: { kubeconfig, context: null } })
    await t.rejects(cluster.start(signal()), { name: 'UnusableConfiguration' })
  })
}

t.test('a signal that ends before all is synced ends the start', async (t) => {
  proxy.answer = () => 'hang'
  const cluster = new LiveCluster({ source: { kubeconfig: writeKubeconfig(plane.directory, url, 'token'), context: null } })
  await t.rejects(cluster.start(AbortSignal.timeout(300)), { name: 'TimeoutError' })
  await cluster.ended()
})

// The control plane's processes would keep this one alive, and with it the end of the tests.
t.end()

t.test('many reads at once wait for one another, and are all answered', async (t) => {
  const followed = new Followed(writeKubeconfig(t.testdir(), url, plane.token), {}, ['Service'])
  await followed.start()
  const names = Array.from({ length: 500 }, (_, at) => (at % 2 === 0 ? 'reviews' : `missing-${at}`))
  const found = await Promise.all(
    names.map((name) => followed.cluster.facts.read({ kind: 'Service', namespace: 'default', name }, signal()))
  )
  t.equal(found.filter((service) => service?.name === 'reviews').length, 250)
  t.equal(found.filter((service) => service === null).length, 250)
  t.ok(proxy.mostConnections <= 64, `${proxy.mostConnections} connections`)
  await followed.stop()
})
