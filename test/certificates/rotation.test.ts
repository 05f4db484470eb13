import { X509Certificate } from 'node:crypto'
import t from 'tap'
import { LEAF_DAYS, PROPAGATION_MS } from '../../src/certificates/authorities.ts'
import { Rotation } from '../../src/certificates/rotation.ts'
import { createAuthority } from '../../src/certificates/self-signed.ts'
import { DAY_MS, HOST, handshake, MINUTE_MS, type Replica, SharedStores, startReplica } from './replicas.ts'

t.setTimeout(300_000)

/** So long after a bundle was published some API server may still go by the one before. */
const BEHIND_MS = PROPAGATION_MS / 2

/** The clocks of replicas differ from that of API servers by as much, either way. */
const SKEW_MS = 3 * MINUTE_MS

type Test = Parameters<typeof startReplica>[0] & { testdir(): string }

async function world(t: Test, replicas = 3) {
  const shared = new SharedStores()
  const clock = { nowMs: Date.parse('2026-11-25T00:00:00Z') }
  const nowMs = () => clock.nowMs
  const stores = { store: shared.store, trust: shared.trustAt(nowMs) }
  const start = (skewMs = 0) => startReplica(t, stores, () => clock.nowMs + skewMs)
  const all = await Promise.all(Array.from({ length: replicas }, (_, at) => start((at - 1) * SKEW_MS)))
  const folder = t.testdir()
  /** What API servers mind, those that are behind too. */
  const minded = async (bundles: readonly string[] = [shared.bundle.value ?? '', shared.bundleAt(clock.nowMs - BEHIND_MS)]) => {
    const found: string[] = []
    for (const bundle of new Set(bundles)) {
      found.push(...(await Promise.all(all.map((replica) => handshake(folder, replica, bundle, clock.nowMs)))))
    }
    return found.filter((each) => each !== '')
  }
  return { shared, clock, all, start, minded, rotating: () => shared.secret.value?.['next.crt'] !== undefined }
}

const authoritiesIn = (bundle: string | null) => bundle?.match(/BEGIN/g)?.length ?? 0
const firstSerial = (bundle: string | null) => new X509Certificate(bundle ?? '').serialNumber

t.test('three replicas through a year: every handshake is valid, with clocks that differ and an API server that is behind', async (t) => {
  const { shared, clock, all, minded, rotating } = await world(t)
  await Promise.all(all.map((replica) => replica.look()))
  clock.nowMs += BEHIND_MS
  const end = clock.nowMs + 365 * DAY_MS
  const seen = new Set<number>()
  let at = 0
  while (clock.nowMs < end) {
    // Replicas look at different times, one of them rarely while authorities change.
    for (const [index, replica] of all.entries()) {
      if (rotating() && index === 2 && at % 7 !== 0) continue
      await replica.look()
      clock.nowMs += 7_000
      if (rotating() || seen.size !== seen.add(authoritiesIn(shared.bundle.value)).size) t.same(await minded(), [])
    }
    t.same(await minded(), [], new Date(clock.nowMs).toISOString())
    clock.nowMs += rotating() ? MINUTE_MS : 2 * DAY_MS
    at += 1
  }
  t.same([...seen].sort(), [1, 2], 'old and new were trusted together')
  t.not(firstSerial(shared.bundle.value), firstSerial(shared.published[0]?.bundle ?? null), 'one authority followed another')
  for (const { served } of all) t.ok(served.length > 365 / LEAF_DAYS, `${served.length} leaves`)
  t.comment(`leaves: ${all.map(({ served }) => served.length).join(', ')}`)
})

t.test('a replica that comes late shares what the others keep', async (t) => {
  const { shared, clock, all, start } = await world(t, 1)
  await all[0]?.look()
  clock.nowMs += 100 * DAY_MS
  const bundle = shared.bundle.value
  const kept = await (await start()).look()
  t.equal(shared.bundle.value, bundle)
  t.equal(kept.bundle, bundle)
  t.equal(kept.published, true)
})

t.test('three that begin at the same time begin with one authority', async (t) => {
  const { shared, all, minded } = await world(t)
  const kept = await Promise.all(all.map((replica) => replica.look()))
  t.equal(new Set(kept.map(({ authority }) => authority)).size, 1)
  t.equal(authoritiesIn(shared.bundle.value), 1)
  t.same(await minded([shared.bundle.value ?? '']), [])
})

const LOST: Readonly<Record<string, (shared: SharedStores) => void>> = {
  'a Secret that is deleted': ({ secret }) => secret.set(null),
  'a Secret that is emptied': ({ secret }) => secret.set({}),
  'a Secret whose key is not that of its certificate': ({ secret }) => {
    secret.set({ ...secret.value, 'ca.key': 'x' })
  }
}
for (const [what, lose] of Object.entries(LOST)) {
  t.test(`${what} is replaced in order`, async (t) => {
    const { shared, clock, all, minded } = await world(t)
    await Promise.all(all.map((replica) => replica.look()))
    const old = firstSerial(shared.bundle.value)
    clock.nowMs += DAY_MS
    lose(shared)
    for (let minutes = 0; minutes < 15; minutes += 1) {
      for (const replica of all) {
        await replica.look()
        t.same(await minded(), [])
      }
      clock.nowMs += MINUTE_MS
    }
    t.not(firstSerial(shared.bundle.value), old, 'another authority signs')
    clock.nowMs += (LEAF_DAYS + 1) * DAY_MS
    await Promise.all(all.map((replica) => replica.look()))
    t.equal(authoritiesIn(shared.bundle.value), 1, 'and the old one is trusted no longer')
    t.same(await minded([shared.bundle.value ?? '']), [])
  })
}

t.test('where nobody remembers the authority, those in use stay trusted beside the new one', async (t) => {
  const { shared, clock, all, start, minded } = await world(t)
  await Promise.all(all.map((replica) => replica.look()))
  clock.nowMs += BEHIND_MS
  shared.secret.set(null)
  await (await start()).look()
  t.equal(authoritiesIn(shared.bundle.value), 2)
  t.same(await minded([shared.bundle.value ?? '']), [], 'the others go on with what they have')
  await Promise.all(all.map((replica) => replica.look()))
  t.same(await minded([shared.bundle.value ?? '']), [], 'and take over the new one')
})

t.test('a bundle that somebody changed, or a configuration that came back, is published again', async (t) => {
  const { shared, clock, all, minded } = await world(t, 1)
  const look = () => (all[0] as Replica).look()
  await look()
  for (const changed of ['', 'garbage', (await createAuthority({ nowMs: clock.nowMs, days: 9 })).certificate]) {
    shared.bundle.set(changed)
    t.equal((await look()).published, true)
    t.same(await minded([shared.bundle.value ?? '']), [])
  }
  shared.bundle.set(null)
  t.equal((await look()).published, null, 'nobody asks')
  shared.bundle.set('')
  await look()
  t.same(await minded([shared.bundle.value ?? '']), [])
})

t.test('a new authority does not sign before it has been trusted long enough, however long that takes', async (t) => {
  const { shared, clock, all, minded, rotating } = await world(t, 1)
  const look = () => (all[0] as Replica).look()
  await look()
  const old = firstSerial(shared.bundle.value)
  clock.nowMs += 245 * DAY_MS
  await look()
  t.ok(rotating())
  const known = shared.bundle.value ?? ''
  for (let minutes = 0; minutes < 60; minutes += 6) {
    // Somebody sets the old bundle again and again.
    shared.bundle.set(known.slice(0, known.indexOf('-----END') + 26))
    clock.nowMs += 6 * MINUTE_MS
    const { authority } = await look()
    t.equal(firstSerial(authority), old)
    t.same(await minded([known]), [])
  }
  t.equal(firstSerial((await look()).authority), old, 'seen only now')
  clock.nowMs += PROPAGATION_MS
  t.not(firstSerial((await look()).authority), old)
})

t.test('a cluster that slept for years begins anew', async (t) => {
  const { shared, clock, all, minded } = await world(t)
  await Promise.all(all.map((replica) => replica.look()))
  clock.nowMs += 1_000 * DAY_MS
  await Promise.all(all.map((replica) => replica.look()))
  t.same(await minded([shared.bundle.value ?? '']), [])
})

t.test('where the bundle cannot be published, leaves are renewed all the same, and it is told', async (t) => {
  const { shared, clock } = await world(t, 0)
  const nowMs = () => clock.nowMs
  const trust = shared.trustAt(nowMs)
  let broken = false
  const failing = { ...trust, read: (signal: AbortSignal) => (broken ? Promise.reject(new Error('forbidden')) : trust.read(signal)) }
  const leaves: string[] = []
  const serve = ({ certificate }: { certificate: string }) => leaves.push(certificate)
  const rotation = new Rotation({ store: shared.store, trust: failing, names: [HOST], nowMs, serve })
  const { signal } = new AbortController()
  const told: unknown[] = []
  await rotation.look(signal, (error) => told.push(error))
  broken = true
  clock.nowMs += 5 * DAY_MS
  const kept = await rotation.look(signal, (error) => told.push(error))
  t.equal(leaves.length, 2)
  t.equal(kept.published, false)
  t.match(told, [{ message: 'forbidden' }])
})

t.test('the check of this test sees what is wrong', async (t) => {
  const { shared, clock, all, minded } = await world(t, 1)
  await all[0]?.look()
  const stranger = await createAuthority({ nowMs: clock.nowMs, days: 900 })
  t.match(await minded([stranger.certificate]), [/unable to get local issuer certificate|certificate verify failed/])
  clock.nowMs += (LEAF_DAYS + 1) * DAY_MS
  t.match(await minded([shared.bundle.value ?? '']), [/expired/])
})
