/** Held writes, by what an istiod says: the stream is real, and what is said is the test's. */
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { fixedTime } from '../../src/admission/fixed-time.ts'
import type { RecentChange } from '../../src/mesh/snapshot/propagation.ts'
import { exactPropagation } from '../../src/proxies/exact.ts'
import type { Replica } from '../../src/proxies/replica.ts'
import { TYPES } from '../../src/proxies/resource-types.ts'
import { parsed, worldOf } from '../changes.ts'
import { destinationRule, guide } from '../manifests.ts'
import type { Stream } from '../rig/byte-stream.ts'
import { cluster, nonce, response, startIstiod, synczResponse } from './istiod.ts'

// Measures time: what is known at a deadline.
t.setTimeout(300_000)

const HOST = 'helloworld.default.svc.cluster.local'
const ALL = `outbound|3000||${HOST}`
const V2 = `outbound|3000|v2|${HOST}`
const NEVER = new AbortController().signal
/** Long enough to be told from no wait at all. */
const SETTLE_MS = 400
/** Of what is named as late at its end: time enough to be told so on a busy machine. */
const DEADLINE_MS = 2000

const proxy = (name: string, acked: number, sent = acked, lastError = '') => ({
  proxy: `${name}.default`,
  resources: { [TYPES.cluster]: { sent: nonce(sent), acked: nonce(acked), lastError } }
})

/** The rule gained v2 just now. */
function gained(atMs = Date.now()): RecentChange {
  const after = parsed(destinationRule(['v1', 'v2']))
  return { ref: after, before: parsed(destinationRule(['v1'])), after, atMs }
}

function propagationBy(replicas: () => Promise<readonly Replica[]>, settleMs = SETTLE_MS, ready = async () => undefined) {
  const pause = (ms: number, signal: AbortSignal) => sleep(ms, undefined, { signal })
  const world = worldOf(guide())
  const problems: unknown[] = []
  const propagation = exactPropagation({
    fixed: fixedTime({ settleMs: () => settleMs, nowMs: Date.now, sleep: pause }),
    snapshot: () => world,
    ready,
    replicas,
    settleMs: () => settleMs,
    quiet: { since: (changedMs) => Date.now() - changedMs > 2 * settleMs },
    nowMs: Date.now,
    sleep: pause,
    onAsked: (problem) => problems.push(problem)
  })
  return { propagation, problems }
}

/** Has v2 from push 5 on. `syncz` is asked anew each time. */
function saying(syncz: () => unknown) {
  return ({ type, nonce: acked }: { type: string; nonce: string }, stream: Stream) => {
    if (type === TYPES.debug) stream.write(synczResponse(5, JSON.stringify(syncz())))
    else if (acked === '') stream.write(response(type, 5, [cluster(ALL), cluster(V2)]))
  }
}

t.test('a write waits until the last proxy has acknowledged the push, and the next one does not', async (t) => {
  let asked = 0
  const replica = await startIstiod(
    t,
    saying(() => [proxy('a', 5), proxy('b', ++asked < 3 ? 4 : 5, 5)])
  )
  const { propagation, problems } = propagationBy(async () => [replica])
  const change = gained()
  t.strictSame(propagation.onTheirWay([change]), [change])
  t.strictSame(await propagation.arrival([change], 9000, NEVER), { arrived: true, notes: [] })
  t.equal(asked, 3)
  t.strictSame(propagation.onTheirWay([change]), [])
  t.strictSame(problems, [null])
})

t.test('proxies of every replica are waited for', async (t) => {
  const one = await startIstiod(
    t,
    saying(() => [proxy('a', 5)])
  )
  const other = await startIstiod(
    t,
    saying(() => [proxy('b', 4, 5)])
  )
  const { propagation } = propagationBy(async () => [one, other])
  const { notes } = await propagation.arrival([gained()], DEADLINE_MS, NEVER)
  t.strictSame(notes, ['1 of 2 proxies lack what this needs: default/b'])
})

t.test('a proxy that is late is named at the deadline', async (t) => {
  const replica = await startIstiod(
    t,
    saying(() => [proxy('a', 5), proxy('late', 4, 5)])
  )
  const { propagation } = propagationBy(async () => [replica])
  const change = gained()
  t.strictSame(await propagation.arrival([change], DEADLINE_MS, NEVER), {
    arrived: false,
    notes: ['1 of 2 proxies lack what this needs: default/late']
  })
  t.strictSame(propagation.onTheirWay([change]), [change], 'it is asked about again')
})

t.test('one to which istiod sends nothing counts as one that does not depend on it, after the fixed time', async (t) => {
  const replica = await startIstiod(
    t,
    saying(() => [proxy('a', 5), proxy('elsewhere', 4)])
  )
  const { propagation } = propagationBy(async () => [replica], 100)
  t.strictSame(await propagation.arrival([gained()], 9000, NEVER), { arrived: true, notes: [] })
})

t.test('one that rejected it is named with its own words, at once', async (t) => {
  const replica = await startIstiod(
    t,
    saying(() => [proxy('a', 5), proxy('b', 4, 5, 'no such cluster')])
  )
  const { propagation } = propagationBy(async () => [replica])
  t.strictSame(await propagation.arrival([gained()], 60_000, NEVER), {
    arrived: false,
    notes: ['default/b rejected what this needs: no such cluster']
  })
})

const SILENT: Record<string, (stream: Stream) => void> = {
  'ends the stream': (stream) => stream.end(),
  'refuses the token': (stream) => stream.emit('error', Object.assign(new Error('no'), { code: 16, details: 'no' })),
  'numbers its pushes in another way': (stream) => stream.write(Buffer.concat([synczResponse(5, '[]'), Buffer.from([0x0a, 1, 0x78])]))
}
for (const [name, say] of Object.entries(SILENT)) {
  t.test(`where istiod ${name}, the fixed time decides, and nobody asks again for a while`, async (t) => {
    const replica = await startIstiod(t, (_, stream) => say(stream))
    let opened = 0
    const { propagation, problems } = propagationBy(async () => {
      opened += 1
      return [replica]
    })
    const change = gained()
    t.strictSame(await propagation.arrival([change], 9000, NEVER), { arrived: true, notes: [] })
    t.ok(Date.now() - change.atMs >= SETTLE_MS)
    t.equal(problems.length, 1)
    const before = opened
    await propagation.arrival([gained()], 9000, NEVER)
    t.equal(opened, before)
    t.strictSame(propagation.onTheirWay([change]), [], 'what is older than the fixed time')
  })
}

t.test('where istiod cannot be found, the fixed time decides', async (t) => {
  const { propagation, problems } = propagationBy(() => Promise.reject(new Error('forbidden')))
  const change = gained()
  t.strictSame(await propagation.arrival([change], 9000, NEVER), { arrived: true, notes: [] })
  t.ok(Date.now() - change.atMs >= SETTLE_MS)
  t.match(problems, [{ message: 'forbidden' }])
})

t.test('a change that istiod never shows is waited for as long as any', async (t) => {
  const replica = await startIstiod(t, ({ type }, stream) => {
    if (type !== TYPES.debug) stream.write(response(type, 5, [cluster(ALL)]))
  })
  const { propagation, problems } = propagationBy(async () => [replica], 100)
  t.strictSame(await propagation.arrival([gained()], 9000, NEVER), { arrived: true, notes: [] })
  t.strictSame(problems, [], 'it is no problem of istiod')
})

t.test('an answer that does not come in time is not waited for: what was known last is said', async (t) => {
  let asked = 0
  const replica = await startIstiod(t, (question, stream) => {
    if (question.type === TYPES.debug && ++asked > 2) return
    saying(() => [proxy('late', 4, 5)])(question, stream)
  })
  const { propagation, problems } = propagationBy(async () => [replica])
  // Shorter than istiod may be silent.
  t.strictSame(await propagation.arrival([gained()], 2000, NEVER), {
    arrived: false,
    notes: ['1 of 1 proxies lack what this needs: default/late']
  })
  t.equal(asked, 3)
  t.strictSame(problems, [null])
})

t.test('where what asks istiod is not loaded yet, the fixed time decides, and istiod is asked about the next one', async (t) => {
  const replica = await startIstiod(
    t,
    saying(() => [proxy('a', 5)])
  )
  const loaded = Promise.withResolvers<undefined>()
  const { propagation, problems } = propagationBy(
    async () => [replica],
    SETTLE_MS,
    () => loaded.promise
  )
  t.strictSame(await propagation.arrival([gained()], 60_000, NEVER), { arrived: true, notes: [] })
  t.strictSame(problems, [])
  loaded.resolve(undefined)
  t.strictSame(await propagation.arrival([gained()], 60_000, NEVER), { arrived: true, notes: [] })
  t.strictSame(problems, [null])
})

t.test('the end of the request ends the wait', async (t) => {
  const replica = await startIstiod(
    t,
    saying(() => [proxy('late', 4, 5)])
  )
  const { propagation } = propagationBy(async () => [replica])
  const ended = new AbortController()
  const waiting = propagation.arrival([gained()], 9000, ended.signal)
  while (replica.view.lastPush === 0) await replica.changed()
  ended.abort()
  await t.rejects(waiting)
})

t.test('nothing is held where the fixed time is 0', async (t) => {
  const { propagation } = propagationBy(() => Promise.reject(new Error('never')), 0)
  t.equal(propagation.horizonMs(), 0)
})
