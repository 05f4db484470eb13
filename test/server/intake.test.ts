/** What strangers send in place of a review, byte by byte. */
import { once } from 'node:events'
import { deflateSync, gzipSync } from 'node:zlib'
import t from 'tap'
import type { Change } from '../../src/review/change.ts'
import { ADMITTED } from '../../src/review/decide.ts'
import { create, stored } from '../admission/reviews.ts'
import { holding, webhook } from './client.ts'
import { answerOn, head } from './served.ts'

const review = create(stored('VirtualService'))
const text = JSON.stringify(review)
const ALLOWED = /^HTTP\/1\.1 200 .*"allowed":true/s

t.test('one connection has so many requests in flight, and what it asks beyond ends it', async (t) => {
  const { reviewer, arrived, release } = holding(8)
  const { connect, post, metrics } = await webhook(t, { reviewer })
  const socket = await connect()
  let answers = ''
  socket.on('data', (chunk) => {
    answers += chunk
  })
  socket.write(`${head(text.length)}${text}`.repeat(20))
  await arrived
  const others = [post(review), post(review)]
  release()
  for (const answer of await Promise.all(others)) t.equal(answer.status, 200)
  if (!socket.destroyed) await once(socket, 'close')
  t.equal(answers.match(/HTTP\/1\.1 200 /g)?.length, 8)
  t.match(answers, /HTTP\/1\.1 429 Too Many Requests\r\n.*connection: close\r\n.*"reason":"HITLESS_PIPELINED"/s)
  t.match(await metrics.registry.metrics(), /hitless_reviews_in_flight 0/)
})

t.test('a body may come in pieces, with or without its length', async (t) => {
  const { connect } = await webhook(t)
  const chunked = (size: number) => {
    const pieces = text.match(new RegExp(`.{1,${size}}`, 'gs')) ?? []
    return pieces
      .map((piece) => `${piece.length.toString(16)}\r\n${piece}\r\n`)
      .join('')
      .concat('0\r\n\r\n')
  }
  const unknownLength = 'POST /validate HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n'
  for (const size of [1, 100, text.length]) {
    const socket = await connect()
    const answer = answerOn(socket)
    socket.write(unknownLength + chunked(size))
    t.match(await answer, ALLOWED, `pieces of ${size}`)
  }
  const socket = await connect()
  socket.setNoDelay(true)
  const answer = answerOn(socket)
  socket.write(head(text.length))
  for (const piece of text.match(/.{1,100}/gs) ?? []) await new Promise((resolve) => socket.write(piece, resolve))
  t.match(await answer, ALLOWED)
})

t.test('a body without an end is cut off at the largest that a review can be', async (t) => {
  const { connect, post } = await webhook(t)
  const socket = await connect()
  const answer = answerOn(socket)
  socket.write('POST /validate HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n')
  const piece = `100000\r\n${' '.repeat(0x100000)}\r\n`
  while (!socket.destroyed) await new Promise((resolve) => socket.write(piece, resolve))
  t.match(await answer, /^HTTP\/1\.1 413 .*"reason":"HITLESS_TOO_LARGE"/s)
  t.match(await post(review), { status: 200 })
})

t.test('nothing compressed is taken apart', async (t) => {
  const { connect, post } = await webhook(t)
  const bomb = Buffer.alloc(50_000_000, ' ')
  for (const [encoding, body] of [
    ['gzip', gzipSync(bomb)],
    ['deflate', deflateSync(bomb)],
    ['identity', Buffer.from(text)]
  ] as const) {
    const socket = await connect()
    const answer = answerOn(socket)
    socket.write(head(body.length, `content-encoding: ${encoding}\r\n`))
    socket.write(body)
    t.match(await answer, /^HTTP\/1\.1 415 .*connection: close\r\n.*"reason":"HITLESS_CONTENT_TYPE"/s, encoding)
  }
  t.match(await post(review), { status: 200 })
})

t.test('headers beyond reason end their connection', async (t) => {
  const { connect, post } = await webhook(t)
  const absurd = {
    'too long': `x: ${'y'.repeat(100_000)}\r\n`,
    'too many': 'x: y\r\n'.repeat(100_000),
    'two lengths': 'content-length: 3\r\n',
    'length and chunks': 'transfer-encoding: chunked\r\n',
    'no number': 'content-length: many\r\n',
    'a line folded': 'x: y\r\n z\r\n\0'
  }
  for (const [name, headers] of Object.entries(absurd)) {
    const socket = await connect()
    const answer = answerOn(socket)
    socket.write(head(2, headers))
    socket.write('{}')
    t.match(await answer, /^HTTP\/1\.1 4\d\d .*"reason":"HITLESS_BAD_REQUEST"|^$/s, name)
  }
  t.match(await post(review), { status: 200 })
})

t.test('JSON is bounded in depth and parts before anything is made of it', async (t) => {
  const { post } = await webhook(t)
  const nested = (depth: number) => text.replace('"spec":{', `"spec":{"more":${'[{"a":'.repeat(depth)}1${'}]'.repeat(depth)},`)
  t.match(await post(nested(200)), { status: 200 })
  const refused = { status: 413, json: { reason: 'HITLESS_TOO_LARGE' } }
  for (const [name, body] of Object.entries({
    'too deep': nested(300),
    'far too deep': nested(300_000),
    'never closed': '['.repeat(1_000_000),
    'lists without end': `[${'[],'.repeat(1_100_000)}1]`,
    'objects without end': `[${'{},'.repeat(1_100_000)}1]`
  })) {
    t.match(await post(body), refused, name)
  }
  const quoted = { ...review, request: { ...review.request, object: { ...stored('VirtualService'), note: `${'[{"'.repeat(5000)}\\` } } }
  t.match(await post(quoted), { status: 200 }, 'brackets and quotes within a text are text')
})

t.test('of keys that come twice the last counts, as for the API server, and numbers may be as large as they like', async (t) => {
  const changes: Change[] = []
  const { post } = await webhook(t, {
    async reviewer(change) {
      changes.push(change)
      return ADMITTED
    }
  })
  await post(text.replace('"operation":', '"operation":"DELETE","operation":'))
  t.equal(changes.at(-1)?.operation, 'CREATE')
  for (const number of ['1e999', '-1e999', '1'.repeat(100_000), '-0', '0.1e-400']) {
    const answer = await post(
      text.replace(/"weight":\d+|"spec":\{/, (found) => (found === '"spec":{' ? `"spec":{"x":${number},` : `"weight":${number}`))
    )
    t.match(answer, { status: 200, json: { response: { uid: String } } }, number.slice(0, 10))
  }
})
