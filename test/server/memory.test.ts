/** What strangers can make a Pod keep in memory, on real sockets to a real process. */
import { once } from 'node:events'
import type { TLSSocket } from 'node:tls'
import t from 'tap'
import { create, stored, update } from '../admission/reviews.ts'
import { head, serve, withoutEnd } from './served.ts'

// Too long for the group `fast`.
// Measures memory.
t.setTimeout(300_000)

const MIB = 1024 * 1024
const review = JSON.stringify(create(stored('VirtualService')))
const ADMITTED = /^HTTP\/1\.1 200 .*"allowed":true/s

/** An update of an object with an annotation of so many bytes. */
function large(bytes: number): string {
  const object = stored('VirtualService')
  const filled = { ...object, metadata: { ...object.metadata, annotations: { filler: 'x'.repeat(bytes / 2) } } }
  return JSON.stringify(update(filled, filled))
}

t.test('bodies that never end are given up, the oldest first, when they take too much', async (t) => {
  const { connect, post, peakMb } = await serve(t, 'server: { maxBodyMebibytes: 16 }')
  await post(review)
  const before = peakMb()
  const answers = await withoutEnd({ connect }, 30, 6.9 * MIB)
  t.match(await post(review), ADMITTED, 'a review that comes at once is answered')
  t.match(await answers[0], /^HTTP\/1\.1 503 .*retry-after: 1\r\n.*"reason":"HITLESS_BUSY"/s)
  t.ok(peakMb() - before < 130, `${Math.round(peakMb() - before)} MB more than before, of 207 sent`)
})

t.test('large reviews one after another leave nothing behind', async (t) => {
  const { post, peakMb } = await serve(t)
  const text = large(5.5 * MIB)
  await post(text)
  await post(text)
  const before = peakMb()
  for (let at = 0; at < 8; at++) t.match(await post(text), ADMITTED)
  t.ok(peakMb() - before < 120, `${Math.round(peakMb() - before)} MB more than after two of them`)
})

t.test('idle connections make room for new ones', async (t) => {
  const { connect, post, peakMb } = await serve(t, 'server: { maxConnections: 50 }')
  const open: TLSSocket[] = []
  let ended = 0
  for (let at = 0; at < 120; at++) {
    const socket = await connect()
    socket.once('close', () => ended++)
    socket.write('GET / HTTP/1.1\r\nhost: a\r\n\r\n')
    await once(socket, 'data')
    open.push(socket)
  }
  t.match(await post(review), ADMITTED)
  t.equal(ended >= 70, true, `${ended} of 120 have ended`)
  t.notOk(open.at(-1)?.destroyed, 'the newest is still open')
  for (const socket of open) socket.destroy()
  t.ok(peakMb() < 400)
})

t.test('connections whose requests never end make room as well, and those that are being answered do not', async (t) => {
  const { connect, post } = await serve(t, 'server: { maxConnections: 10 }')
  const slow = await Promise.all(Array.from({ length: 10 }, connect))
  for (const socket of slow) socket.write(`${head(1000)}{`)
  t.match(await post(review), ADMITTED)
  for (const socket of slow) socket.destroy()
})
