/** What strangers do to a Pod of the chart's size, 1 GiB by the kernel's own count, on a real API server: it is there afterwards, and judges. */
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { create, stored, update } from '../admission/reviews.ts'
import { guide, type Manifest, rule, to, virtualService } from '../manifests.ts'
import { PRODUCTS, STRANGER, strangersWrote } from '../products/products.ts'
import { controlGroup } from '../rig/control-group.ts'
import { startControlPlane } from '../rig/control-plane.ts'
import { startHitless } from '../rig/hitless-process.ts'
import { head, socketsTo, withoutEnd } from '../server/served.ts'

t.setTimeout(10 * 60_000)

const MIB = 1024 * 1024
/** A change is seen long before. */
const WATCHED_MS = 2000
const group = controlGroup(1024 * MIB)
const plane = await startControlPlane()
// As the chart starts it.
const hitless = await startHitless(plane, { controlGroup: group, nodeFlags: ['--max-semi-space-size=4'] })
t.teardown(async () => {
  await hitless.stop()
  group.remove()
  await plane.stop()
})
const strangers = socketsTo(hitless.port, hitless.ca)
const review = JSON.stringify(create(stored('VirtualService')))

const apply = async (...manifests: readonly Manifest[]) => {
  const { code, stderr } = await plane.kubectl(['apply', '--server-side', '-f', '-'], { input: JSON.stringify(listOf(manifests)) })
  return { code, stderr }
}
const listOf = (items: readonly Manifest[]) => ({ apiVersion: 'v1', kind: 'List', items })

/** A look for gaps came to its end that began when all was seen; the pulse of the audit brings one in any case. */
async function auditedAfter(ms: number): Promise<void> {
  while (hitless.running() && (await hitless.metric('hitless_audit_last_run_timestamp_seconds')) * 1000 < ms) await sleep(100)
}

/** It lives, and refuses what must be refused. */
async function stillJudges(t: Test): Promise<void> {
  t.ok(hitless.running(), 'it was not ended')
  if (!hitless.running()) t.comment(hitless.log().slice(-1000))
  const { code, stderr } = await apply(virtualService([rule([to('v9')])]))
  t.equal(code, 1)
  t.match(stderr, /denied the request: hitless: .*\[undefined-subset\]/s)
  t.comment(`at most ${Math.round(group.peakBytes() / MIB)} MiB so far`)
}

t.test('the guide is installed', async (t) => {
  t.equal((await apply(...guide())).code, 0)
  await plane.kubectl(['rollout', 'status', 'deployment/helloworld-v1', '--timeout=60s'])
  await stillJudges(t)
})

t.test('200 bodies of 6.9 MiB that never end', async (t) => {
  const answers = await withoutEnd(strangers, 200, 6.9 * MIB)
  t.match(await strangers.post(review), /^HTTP\/1\.1 200 /, 'a review that comes at once is answered')
  t.match(await answers[0], /^HTTP\/1\.1 503 /)
  await stillJudges(t)
})

t.test('13 reviews of 5.5 MiB one after another', async (t) => {
  const object = stored('VirtualService')
  const filled = { ...object, metadata: { ...object.metadata, annotations: { filler: 'x'.repeat(2.75 * MIB) } } }
  const text = JSON.stringify(update(filled, filled))
  for (let at = 0; at < 13; at++) t.match(await strangers.post(text), /^HTTP\/1\.1 200 /)
  await stillJudges(t)
})

t.test('1,000 idle connections', async (t) => {
  const open = []
  for (let at = 0; at < 1000; at++) {
    const socket = await strangers.connect()
    socket.write('GET / HTTP/1.1\r\nhost: a\r\n\r\n')
    await Promise.race([once(socket, 'data'), once(socket, 'close')])
    open.push(socket)
  }
  await stillJudges(t)
  for (const socket of open) socket.destroy()
})

t.test('one request of 6.5 MiB whose extra has one key', async (t) => {
  const told = create(stored('VirtualService'), { userInfo: { username: 'alice', extra: { ['x'.repeat(6.5 * MIB)]: ['blue'] } } })
  const text = JSON.stringify(told)
  const socket = await strangers.connect()
  socket.write(head(Buffer.byteLength(text)))
  socket.end(text)
  await once(socket.resume(), 'close')
  await stillJudges(t)
})

t.test('a root of 1,000 matches that delegates to one of 1,000, first hidden by a Sidecar', async (t) => {
  const hiding: Manifest = {
    apiVersion: 'networking.istio.io/v1',
    kind: 'Sidecar',
    metadata: { name: 'hiding', namespace: STRANGER },
    spec: { egress: [{ hosts: ['istio-system/*'] }] }
  }
  const [namespace, ...rest] = strangersWrote(PRODUCTS['matches of a root and of its delegate'] ?? (() => []))
  t.equal((await apply(...[namespace, hiding].filter((each) => each !== undefined))).code, 0)
  const { code, stderr } = await apply(...rest)
  t.equal(code, 0, stderr)
  await plane.kubectl(['delete', 'sidecar', '-n', STRANGER, 'hiding'])
  await auditedAfter(Date.now() + WATCHED_MS)
  await stillJudges(t)
})

t.test('all of it took less than 1 GiB', (t) => {
  const peak = group.peakBytes()
  t.ok(peak < 1000 * MIB, `${Math.round(peak / MIB)} MiB`)
  t.ok(peak > 100 * MIB, 'it was in the group')
  t.end()
})
