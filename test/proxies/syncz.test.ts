/** What istiod says of its proxies, in the form of every version that is asked, and in forms that are none. */
import t from 'tap'
import { pushNumber, UnknownForm } from '../../src/proxies/push-version.ts'
import { TYPES } from '../../src/proxies/resource-types.ts'
import { readSyncz } from '../../src/proxies/syncz.ts'
import { nonce } from './istiod.ts'

/** As istiod 1.31 answered, shortened. */
const ENTRY = {
  cluster_id: 'Kubernetes',
  proxy: 'reviews-v1-7f4.default',
  proxy_type: 'sidecar',
  cluster_sent: nonce(7),
  resources: {
    [TYPES.cluster]: { sent: nonce(7), acked: nonce(7), sentTime: '2026-11-27T14:00:00.1Z' },
    [TYPES.route]: { sent: nonce(9), acked: nonce(7), sentTime: '2026-11-27T14:00:00.1Z', lastError: 'no } "such" [ cluster' }
  }
}
const read = (value: unknown) => readSyncz(Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)))

t.test('a proxy is read with the pushes of each type', async (t) => {
  const [status, ...others] = await read([ENTRY])
  t.equal(status?.proxy, 'reviews-v1-7f4.default')
  t.strictSame(status?.types.get(TYPES.cluster), { sent: 7, acked: 7, isAnswered: true, error: '' })
  t.strictSame(status?.types.get(TYPES.route), { sent: 9, acked: 7, isAnswered: false, error: 'no } "such" [ cluster' })
  t.strictSame(others, [])
})

t.test('proxies that watch nothing yet, and no proxies', async (t) => {
  t.strictSame(await read([]), [])
  t.equal((await read([{ proxy: 'a.b' }]))[0]?.types.size, 0)
})

t.test('of what a proxy watches, no more is kept than decides where requests go', async (t) => {
  const others = Object.fromEntries(Array.from({ length: 10_000 }, (_, at) => [`t${at}`, 7]))
  const [status] = await read([{ ...ENTRY, resources: { ...others, ...ENTRY.resources } }])
  t.strictSame([...(status?.types.keys() ?? [])], [TYPES.cluster, TYPES.route])
})

t.test('names of proxies and types are anybody’s', async (t) => {
  const [status] = await read('[{"proxy":"__proto__.x","resources":{"__proto__":{"sent":"","acked":""}}}]')
  t.equal(status?.proxy, '__proto__.x')
  t.same(Object.getPrototypeOf({}), Object.prototype)
})

const NONE: Record<string, string> = {
  'no JSON': 'authentication required',
  'an error in the form of an object': '{"statusCode":"500"}',
  'a list that was cut': JSON.stringify([ENTRY]).slice(0, -9),
  'an entry without a proxy': '[{"cluster_id":"Kubernetes"}]',
  'an entry that is no JSON': '[{"proxy"}]',
  'a nonce of another form': JSON.stringify([{ proxy: 'a.b', resources: { [TYPES.cluster]: { sent: 'x', acked: '' } } }]),
  'resources of another form': JSON.stringify([{ proxy: 'a.b', resources: { [TYPES.cluster]: 7 } }]),
  'more proxies than any istiod has': `[${'{"proxy":"a"},'.repeat(1 << 20)}{"proxy":"a"}]`,
  'an entry without an end': `[{"proxy":"${'a'.repeat(300_000)}"}]`
}
for (const [name, json] of Object.entries(NONE)) {
  t.test(`${name} tells nothing`, async (t) => {
    await t.rejects(read(json), { name: 'UnknownForm' })
  })
}

t.test('ten thousand proxies are read without keeping everything else waiting', async (t) => {
  const json = Buffer.from(JSON.stringify(Array.from({ length: 10_000 }, (_, at) => ({ ...ENTRY, proxy: `p${at}.default` }))))
  let turns = 0
  const timer = setInterval(() => {
    turns += 1
  }, 1)
  t.equal((await readSyncz(json)).length, 10_000)
  clearInterval(timer)
  t.ok(turns > 2, `${turns} turns`)
})

t.test('a push is numbered', async (t) => {
  t.equal(pushNumber('2026-11-27T14:00:00Z/12'), 12)
  t.equal(pushNumber('2026-11-27T15:00:00+01:00/12'), 12)
  for (const other of ['', '12', 'v1/12', '2026-11-27T14:00:00Z/', '2026-11-27T14:00:00Z/1x'])
    t.throws(() => pushNumber(other), UnknownForm)
})
