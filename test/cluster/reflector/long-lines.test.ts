/** Objects that take megabytes of JSON, on a real API server: each is one object, read or skipped, and nothing else suffers. */
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { type ControlPlane, startControlPlane } from '../../rig/control-plane.ts'
import { FaultProxy } from './fault-proxy.ts'
import { call, collection, Followed, writeKubeconfig, writeService } from './fixtures.ts'

t.setTimeout(600_000)

let plane: ControlPlane
let proxy: FaultProxy
let url: string

t.before(async () => {
  // So that it stores what the product does not read.
  plane = await startControlPlane({ controllers: false, etcdFlags: ['--max-request-bytes=33554432'] })
  proxy = new FaultProxy(plane)
  url = await proxy.listen()
})

t.after(async () => {
  await proxy.close()
  await plane.stop()
})

t.beforeEach(() => {
  proxy.answer = () => null
  proxy.requests.length = 0
})

/** In JSON each `<` takes six bytes. */
const containers = (angles: number) => [{ name: 'app', image: 'example/app', env: [{ name: 'TEXT', value: '<'.repeat(angles) }] }]
const writePod = (name: string, angles: number) =>
  call(plane, 'POST', collection('Pod', 'default'), {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, labels: { app: name } },
    spec: { nodeName: 'node-1', containers: containers(angles) }
  })
const deployment = (angles: number) => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'grows' },
  spec: {
    selector: { matchLabels: { app: 'grows' } },
    template: { metadata: { labels: { app: 'grows' } }, spec: { containers: containers(angles) } }
  }
})

/** Megabytes take their time on a busy machine. */
const PATIENT = { idleMs: 600_000, staleMs: 600_000, listIdleMs: 60_000, listMs: 60_000, requestMs: 30_000 }
const follow = (timings = {}) =>
  new Followed(writeKubeconfig(plane.directory, url, 'token'), { ...PATIENT, ...timings }, ['Pod', 'Deployment', 'Service'])
const podsOf = (followed: Followed) => followed.objects('Pod').map(({ name }) => name)
const skipped = (followed: Followed) => followed.events.filter((event) => event.type === 'skipped').map((event) => event.why)

t.test('the largest object that etcd stores by default is read as any other', async (t) => {
  const followed = follow()
  await followed.start()
  await writePod('largest', 1_450_000)
  await writePod('next', 1)
  await followed.until('both show', () => podsOf(followed).length === 2)
  t.strictSame(skipped(followed), [])
  await followed.stop()
})

t.test('an event that is too long is skipped: what the object was is not known any more, and all others go on', async (t) => {
  await call(plane, 'POST', collection('Deployment', 'default'), deployment(1))
  const followed = follow()
  await followed.start()
  t.ok(followed.cluster.snapshot().find('Deployment', 'default', 'grows'))
  await writePod('too-long', 1_900_000)
  await call(plane, 'PATCH', `${collection('Deployment', 'default')}/grows`, deployment(1_900_000))
  await writePod('after', 1)
  await followed.until(
    'it is skipped, and what came after shows',
    () => podsOf(followed).includes('after') && skipped(followed).length === 2
  )
  t.strictSame(podsOf(followed), ['after', 'largest', 'next'])
  t.notOk(followed.cluster.snapshot().find('Deployment', 'default', 'grows'))
  t.strictSame(skipped(followed), ['too-long', 'too-long'])
  t.equal(followed.count('interrupted', 'Pod') + followed.count('interrupted', 'Deployment'), 0)
  t.ok(followed.cluster.health().fresh)
  await followed.stop()
})

t.test('a replica that starts becomes Ready, by a list as a stream and by pages', async (t) => {
  const whole = follow()
  await whole.start()
  t.strictSame(podsOf(whole), ['after', 'largest', 'next'])
  t.ok(whole.cluster.health().fresh)
  await whole.stop()
  // A page of these is longer than is read at once.
  for (let count = 0; count < 4; count++) await writePod(`large-${count}`, 1_400_000)
  proxy.answer = (path) => (path.includes('sendInitialEvents') ? { status: 422, body: { code: 422, reason: 'Invalid' } } : null)
  const paged = follow()
  await paged.start()
  t.ok(['after', 'large-0', 'large-3', 'largest'].every((name) => podsOf(paged).includes(name)))
  await paged.stop()
})

t.test('what is no event makes way for pages', async (t) => {
  const followed = follow()
  await followed.start()
  for (const stream of proxy.streams('services')) stream.inject('{"type":"ADDED","object":{}}\n')
  await writeService(plane, 'later')
  await followed.until('listed again', () => followed.count('synced', 'Service') === 2)
  t.ok(followed.objects('Service').some(({ name }) => name === 'later'))
  t.ok(proxy.requests.some((path) => path.includes('/services?') && path.includes('limit=500')))
  await followed.stop()
})

t.test('bytes of a list that never comes to its end are no sign of life', async (t) => {
  const followed = follow({ staleMs: 1_000 })
  await followed.start()
  proxy.trickleMs = 200
  proxy.pieceBytes = 50
  for (const stream of proxy.streams('services')) stream.inject('{"type":"ERROR","object":{"code":410,"reason":"Expired"}}\n')
  await followed.until('it is listed anew', () => followed.interruptions('Service', 'expired') === 1)
  while (followed.cluster.health().fresh) await sleep(20)
  t.match(followed.cluster.health().reasons.join(), /Service: not heard from/)
  await followed.stop()
})

t.end()
