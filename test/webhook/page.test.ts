/** The page of a webhook that runs: on the port for probes, behind its switch, with what it refused. */
import t from 'tap'
import type { Change } from '../../src/review/change.ts'
import { ADMITTED } from '../../src/review/decide.ts'
import { RecentWrites } from '../../src/webhook/page.ts'
import { remove, stored } from '../admission/reviews.ts'
import { serve } from '../server/served.ts'

const careless = JSON.stringify(remove(stored('DestinationRule')))

t.test('it is off unless it is asked for', async (t) => {
  const { healthPort } = await serve(t)
  t.equal((await fetch(`http://127.0.0.1:${healthPort}/look/`)).status, 404)
})

t.test('it shows the state and what was refused, and a browser that has it is told so', async (t) => {
  const { healthPort, post } = await serve(t, 'server: { page: true }')
  const look = (headers = {}) => fetch(`http://127.0.0.1:${healthPort}/look/`, { headers })
  const before = await look()
  t.match(await before.text(), /<b>helloworld<\/b>.*<b>v1<\/b>.*2 Ready.*Refused lately.*Nothing\./s)
  const etag = before.headers.get('etag') ?? ''
  t.equal((await look({ 'if-none-match': etag })).status, 304)
  t.match(await post(careless), '"allowed":false')
  const after = await look({ 'if-none-match': etag })
  t.equal(after.status, 200)
  t.match(await after.text(), /Refused lately.*DELETE DestinationRule default\/helloworld.*would get 503.*\[subset-in-use\]/s)
  t.equal(after.headers.get('connection'), 'close', 'whoever looks keeps no connection from a probe')
  t.match(after.headers.get('content-security-policy'), "default-src 'none'")
  t.equal((await fetch(`http://127.0.0.1:${healthPort}/livez`)).status, 200)
})

const CHANGE: Change = {
  ref: { kind: 'VirtualService', namespace: 'shop', name: 'reviews' },
  before: null,
  after: null,
  operation: 'UPDATE',
  author: { username: 'alice', groups: [], manager: 'kubectl' },
  dryRun: false
}
const REFUSED = { ...ADMITTED, verdict: 'deny' as const, message: 'hitless: 50% would get 503' }

t.test('the last fifty refusals are kept, and of dry runs none', async (t) => {
  let ms = 0
  const recent = new RecentWrites(() => ++ms)
  recent.refused({ ...CHANGE, dryRun: true }, REFUSED)
  t.strictSame(recent.refusals(), [])
  for (let at = 0; at < 60; at++) recent.refused(CHANGE, REFUSED)
  t.equal(recent.refusals().length, 50)
  t.match(recent.refusals()[0], {
    atMs: 60,
    write: 'UPDATE VirtualService shop/reviews',
    user: 'alice',
    message: '50% would get 503',
    refused: true
  })
})

t.test('a write is held until it is held no more', async (t) => {
  const recent = new RecentWrites(() => 7)
  const other = { ...CHANGE }
  recent.hold(CHANGE, 1)
  recent.hold(other, 1)
  t.equal(recent.held().length, 2)
  recent.hold(CHANGE, -1)
  t.match(recent.held(), [{ atMs: 7, write: 'UPDATE VirtualService shop/reviews', message: '' }])
  recent.hold(other, -1)
  t.strictSame(recent.held(), [])
})
