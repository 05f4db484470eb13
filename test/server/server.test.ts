import { once } from 'node:events'
import { connect as connectPlain } from 'node:net'
import { connect } from 'node:tls'
import t from 'tap'
import type { Change } from '../../src/review/change.ts'
import { ADMITTED } from '../../src/review/decide.ts'
import type { Decision, Reviewer } from '../../src/review/decision.ts'
import { createMetrics } from '../../src/server/metrics.ts'
import { create, remove, scale, stored, UID, update } from '../admission/reviews.ts'
import { rule, to, virtualService } from '../manifests.ts'
import { authority, holding, pairFor, webhook } from './client.ts'

const review = create(stored('VirtualService'))

const denial: Decision = {
  verdict: 'deny',
  outcome: 'judged',
  findings: [
    {
      rule: 'subset-in-use',
      severity: 'deny',
      object: { kind: 'VirtualService', namespace: 'default', name: 'helloworld' },
      path: [],
      message: 'all requests would get 503',
      remedy: 'First move the weight',
      gap: null
    }
  ],
  message: 'hitless: all requests would get 503',
  warnings: ['mind this'],
  auditAnnotations: { rules: 'subset-in-use' },
  claims: [],
  exempted: [],
  observed: false
}

/** Refuses what takes something away. */
const careful: Reviewer = async ({ operation, after }) =>
  operation === 'DELETE' || (after?.kind === 'Deployment' && after.replicas === 0) ? denial : ADMITTED

t.test('reviews are answered over TLS as the API server wants them', async (t) => {
  const { post } = await webhook(t, { reviewer: careful })
  const allowed = { apiVersion: 'admission.k8s.io/v1', kind: 'AdmissionReview', response: { uid: UID, allowed: true } }
  const denied = {
    ...allowed,
    response: {
      uid: UID,
      allowed: false,
      status: { code: 403, reason: 'Forbidden', message: denial.message },
      warnings: ['mind this'],
      auditAnnotations: { rules: 'subset-in-use' }
    }
  }
  const reviews: [string, unknown, unknown][] = [
    ['create', review, allowed],
    ['update', update(stored('VirtualService'), virtualService([rule([to('v2')])])), allowed],
    ['delete', remove(stored('VirtualService')), denied],
    ['deletecollection', remove(stored('DestinationRule'), { name: undefined }), denied],
    ['scale down', scale('helloworld-v1', 2, 1), allowed],
    ['scale to 0', scale('helloworld-v1', 2, 0), denied],
    ['dry run', remove(stored('Service'), { dryRun: true }), denied],
    ['another kind', create({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'a', namespace: 'default' } }), allowed]
  ]
  for (const [name, body, expected] of reviews) {
    const { status, headers, json } = await post(body)
    t.equal(status, 200, name)
    t.match(headers['content-type'], /^application\/json/)
    t.strictSame(json, expected, name)
  }
})

t.test('a refusal is logged and counted by rule, and so is one that was only observed; a dry run is not counted', async (t) => {
  const told: unknown[] = []
  const observing: Reviewer = async (change) => (change.operation === 'DELETE' ? { ...denial, verdict: 'warn', observed: true } : denial)
  const onRefusal = ({ operation }: Change, { observed }: Decision) => told.push([operation, observed])
  const { post, metrics, log } = await webhook(t, { reviewer: observing, onRefusal })
  t.match(await metrics.registry.metrics(), 'hitless_refusals_total{rule="subset-in-use",mode="observe"} 0', 'none is told from unknown')
  t.match((await post(remove(stored('DestinationRule')))).json, { response: { allowed: true } })
  t.match((await post(review)).json, { response: { allowed: false } })
  await post(remove(stored('DestinationRule'), { dryRun: true }))
  const page = await metrics.registry.metrics()
  t.match(page, 'hitless_refusals_total{rule="subset-in-use",mode="observe"} 1')
  t.match(page, 'hitless_refusals_total{rule="subset-in-use",mode="enforce"} 1')
  t.match(
    log.filter(({ rules }) => rules !== undefined),
    [{ msg: 'would be denied', rules: ['subset-in-use'], dryRun: false }, { msg: 'denied' }, { msg: 'would be denied', dryRun: true }]
  )
  t.same(told, [
    ['DELETE', true],
    ['CREATE', false],
    ['DELETE', true]
  ])
})

t.test('what is malformed gets a 4xx with a code, and the next review an answer', async (t) => {
  const { post, metrics } = await webhook(t)
  const text = JSON.stringify(review)
  const cases: [string, number, string, Promise<{ status: number; json: unknown }>][] = [
    ['no body', 400, 'HITLESS_EMPTY_BODY', post(undefined)],
    ['an empty body', 400, 'HITLESS_EMPTY_BODY', post('')],
    ['a truncated body', 400, 'HITLESS_BAD_JSON', post(text.slice(0, -20))],
    ['no JSON', 400, 'HITLESS_BAD_JSON', post('kind: AdmissionReview')],
    ['null', 400, 'HITLESS_BAD_REVIEW', post('null')],
    ['another kind', 400, 'HITLESS_BAD_REVIEW', post({ ...review, kind: 'ConversionReview' })],
    ['another version', 400, 'HITLESS_BAD_REVIEW', post({ ...review, apiVersion: 'admission.k8s.io/v1beta1' })],
    ['deeply nested lists', 413, 'HITLESS_TOO_LARGE', post('['.repeat(500_000) + ']'.repeat(500_000))],
    ['another content type', 415, 'HITLESS_CONTENT_TYPE', post(text, { headers: { 'content-type': 'application/yaml' } })],
    ['another path', 404, 'HITLESS_NOT_FOUND', post(text, { path: '/mutate' })],
    ['another method', 405, 'HITLESS_METHOD', post(undefined, { method: 'GET' })],
    ['another method with a body', 405, 'HITLESS_METHOD', post(text, { method: 'PUT' })]
  ]
  for (const [name, status, code, answer] of cases) {
    const { status: got, json } = await answer
    t.equal(got, status, name)
    t.match(
      json,
      {
        kind: 'Status',
        apiVersion: 'v1',
        status: 'Failure',
        code: status,
        reason: code,
        message: new RegExp(`^hitless: .* \\[${code}\\]$`)
      },
      name
    )
    t.match(await post(review), { status: 200, json: { response: { allowed: true } } }, `after ${name}`)
  }
  t.match(await metrics.registry.metrics(), 'hitless_request_errors_total{code="HITLESS_BAD_JSON"} 2')
})

t.test('a refusal of text that is no JSON does not repeat it', async (t) => {
  const { post, log } = await webhook(t)
  const { body } = await post('{"secret": hunter2}')
  t.notMatch(body, 'hunter2')
  t.notMatch(JSON.stringify(log), 'hunter2')
})

t.test('a refusal is one line of at most 1 KiB, whatever it quotes', async (t) => {
  const { post, log } = await webhook(t, { reviewer: () => Promise.reject(new Error('broken')) })
  const object = stored('VirtualService')
  const name = `\u001b[31m\u202e\n${'x'.repeat(1_000_000)}`
  const { status, json } = await post(create({ ...object, metadata: { ...object.metadata, name } }))
  t.equal(status, 500)
  const { message } = json as { message: string }
  t.match(message, /^hitless: VirtualService default\/ \[31m x+… \[HITLESS_NOT_JUDGED\]$/)
  t.ok(Buffer.byteLength(message) <= 1024)
  t.ok(JSON.stringify(log).length < 10_000, 'nor is the log larger')
})

t.test('a review of two objects of the largest size is read, and 10 MB are not', async (t) => {
  const { post } = await webhook(t)
  const large = { ...stored('VirtualService') }
  large.metadata = { ...large.metadata, annotations: { filler: 'x'.repeat(3 * 1024 * 1024 - 4096) } }
  t.match(await post(update(large, large)), { status: 200, json: { response: { allowed: true } } })
  t.match(await post('x'.repeat(10_000_000)), { status: 413, json: { reason: 'HITLESS_TOO_LARGE' } })
  t.match(await post(review), { status: 200 })
})

t.test('objects may have keys that JavaScript gives a meaning', async (t) => {
  const { post } = await webhook(t)
  const text = JSON.stringify(review).replace('"spec":{', '"spec":{"__proto__":{"polluted":true},"constructor":{"prototype":{}},')
  t.match(text, '__proto__')
  t.match(await post(text), { status: 200, json: { response: { allowed: true } } })
  t.equal(Object.hasOwn(Object.prototype, 'polluted'), false)
})

t.test('bytes that are no HTTP end their own connection alone', async (t) => {
  const { post, connect } = await webhook(t)
  const socket = await connect()
  let text = ''
  socket.on('data', (chunk) => {
    text += chunk
  })
  socket.write('hello\r\n\r\n')
  await once(socket, 'close')
  t.match(text, /^HTTP\/1\.1 400 Bad Request\r\n.*"reason":"HITLESS_BAD_REQUEST"/s)
  t.match(await post(review), { status: 200 })
})

t.test('slow clients are cut off', async (t) => {
  const { post, connect, port, metrics } = await webhook(t, { headersMs: 100 })
  const slow: [string, string][] = [
    ['headers', 'POST /validate HTTP/1.1\r\nhost: a\r\n'],
    ['body', 'POST /validate HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: 1000\r\n\r\n{"kind":']
  ]
  for (const [name, bytes] of slow) {
    const socket = await connect()
    let text = ''
    socket.on('data', (chunk) => {
      text += chunk
    })
    socket.write(bytes)
    await once(socket, 'close')
    t.match(text, /^HTTP\/1\.1 408 Request Timeout\r\n.*"reason":"HITLESS_TOO_SLOW"/s, name)
  }
  const silent = connectPlain(port, '127.0.0.1').resume()
  await once(silent, 'close')
  t.pass('a handshake that never begins ends, too')
  t.match(await post(review), { status: 200 })
  t.match(await metrics.registry.metrics(), /hitless_reviews_in_flight 0/, 'what was cut off is not in flight')
})

t.test('a reviewer that cannot judge leaves the write to failurePolicy, and is logged once', async (t) => {
  const { post, log } = await webhook(t, {
    async reviewer() {
      throw new Error('the API server does not answer')
    }
  })
  const { status, json } = await post(review)
  t.equal(status, 500)
  t.match(json, {
    reason: 'HITLESS_NOT_JUDGED',
    message: 'hitless: VirtualService default/helloworld could not be judged [HITLESS_NOT_JUDGED]'
  })
  const errors = log.filter(({ level }) => Number(level) >= 50)
  t.equal(errors.length, 1)
  t.match(errors[0], { err: { code: 'HITLESS_NOT_JUDGED', message: /the API server does not answer/ } })
})

t.test('a reviewer that is late is not waited for, and is told so', async (t) => {
  const told = Promise.withResolvers<unknown>()
  const { post } = await webhook(t, {
    reviewer: (_change, signal) => new Promise(() => signal.addEventListener('abort', () => told.resolve(signal.reason)))
  })
  const { status, json } = await post(review, { path: '/validate?timeout=40ms' })
  t.equal(status, 500)
  t.match(json, { message: 'hitless: no judgement before the deadline of the API server [HITLESS_NOT_JUDGED]' })
  t.match(await told.promise, { code: 'HITLESS_NOT_JUDGED' })
})

t.test('a client that goes away ends the work on its review', async (t) => {
  const begun = Promise.withResolvers<void>()
  const told = Promise.withResolvers<unknown>()
  const { connect, post } = await webhook(t, {
    reviewer: (_change, signal) => {
      begun.resolve()
      return new Promise((resolve) => {
        if (signal.aborted) resolve(ADMITTED)
        signal.addEventListener('abort', () => told.resolve(signal.reason))
      })
    }
  })
  const text = JSON.stringify(review)
  const socket = await connect()
  socket.write(
    `POST /validate HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(text)}\r\n\r\n${text}`
  )
  await begun.promise
  socket.destroy()
  t.match(await told.promise, { message: 'the API server went away before the answer' })
  t.match(await post('null'), { status: 400 })
})

t.test('reviews above the cap are told to come back, and the cap is free again afterwards', async (t) => {
  const { reviewer, arrived, release } = holding(2)
  const { post, metrics } = await webhook(t, { reviewer, maxInFlight: 2 })
  const held = [post(review), post(review)]
  await arrived
  const busy = await post(review)
  t.match(busy, { status: 503, headers: { 'retry-after': '1' }, json: { reason: 'HITLESS_BUSY' } })
  t.match(await metrics.registry.metrics(), /hitless_reviews_in_flight 2/)
  release()
  for (const answer of await Promise.all(held)) t.equal(answer.status, 200)
  t.match(await post(review), { status: 200 })
})

t.test('a denial is logged in one line without the object, and an admission is not', async (t) => {
  const { post, log } = await webhook(t, { reviewer: careful })
  const before = log.length
  await post(review)
  t.equal(log.length, before)
  await post(remove(stored('VirtualService')))
  t.equal(log.length, before + 1)
  t.match(log.at(-1), {
    msg: 'denied',
    uid: UID,
    object: 'VirtualService default/helloworld',
    operation: 'DELETE',
    user: 'alice',
    dryRun: false,
    rules: ['subset-in-use'],
    durationMs: Number
  })
  t.notMatch(JSON.stringify(log), 'spec')
})

t.test('reviews, findings and durations are counted', async (t) => {
  const metrics = createMetrics()
  const { post, probe } = await webhook(t, { reviewer: careful, metrics })
  await post(review)
  await post(remove(stored('Service'), { dryRun: true }))
  await post(create({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'a', namespace: 'default' } }))
  const { status, text } = await probe('/metrics')
  t.equal(status, 200)
  for (const line of [
    'hitless_reviews_total{kind="VirtualService",operation="CREATE",verdict="allow",dry_run="false"} 1',
    'hitless_reviews_total{kind="Service",operation="DELETE",verdict="deny",dry_run="true"} 1',
    'hitless_reviews_total{kind="other",operation="other",verdict="allow",dry_run="false"} 1',
    'hitless_findings_total{rule="subset-in-use",severity="deny"} 1',
    'hitless_review_duration_seconds_count 3',
    'process_cpu_seconds_total'
  ])
    t.ok(text.includes(line), line)
})

t.test('ready means that the state is fresh; alive means that it answers', async (t) => {
  let fresh = false
  const { probe } = await webhook(t, { health: () => ({ fresh, ageMs: {}, reasons: fresh ? [] : ['VirtualService: not synced'] }) })
  t.strictSame(await probe('/readyz'), { status: 503, text: 'VirtualService: not synced\n' })
  t.strictSame(await probe('/livez'), { status: 200, text: 'ok\n' })
  fresh = true
  t.strictSame(await probe('/readyz'), { status: 200, text: 'ok\n' })
  t.equal((await probe('/validate')).status, 404, 'reviews have a port of their own')
})

t.test('a new certificate is served without a restart, and a bad one is not', async (t) => {
  const { post, connect: open, port, setCertificate } = await webhook(t)
  const subjects = async () => {
    const socket = connect({ host: '127.0.0.1', port, ca: authority.certificate, checkServerIdentity: () => undefined })
    await once(socket, 'secureConnect')
    const names = socket.getPeerCertificate().subjectaltname
    socket.destroy()
    return names
  }
  const kept = await open()
  t.equal(await subjects(), 'IP Address:127.0.0.1')
  setCertificate(await pairFor('127.0.0.1', 'hitless.svc'))
  t.equal(await subjects(), 'IP Address:127.0.0.1, DNS:hitless.svc')
  const other = await pairFor('127.0.0.1')
  t.throws(() => setCertificate({ ...other, key: 'x' }), { code: 'HITLESS_CERTIFICATE' })
  t.throws(() => setCertificate({ ...other, key: authority.key }), { code: 'HITLESS_CERTIFICATE' })
  t.equal(await subjects(), 'IP Address:127.0.0.1, DNS:hitless.svc')
  t.match(await post(review), { status: 200 })
  const body = JSON.stringify(review)
  kept.write(
    `POST /validate HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`
  )
  const [chunk] = await once(kept, 'data')
  t.match(String(chunk), /^HTTP\/1\.1 200/, 'connections that were open go on')
  kept.destroy()
})

t.test('TLS is 1.3 and HTTP 1.1 unless told otherwise', async (t) => {
  const { port } = await webhook(t)
  const old = connect({ host: '127.0.0.1', port, ca: authority.certificate, maxVersion: 'TLSv1.2' })
  await t.rejects(once(old, 'secureConnect'))
  const both = connect({ host: '127.0.0.1', port, ca: authority.certificate, ALPNProtocols: ['h2', 'http/1.1'] })
  await once(both, 'secureConnect')
  t.equal(both.alpnProtocol, 'http/1.1')
  both.destroy()
  const { port: lenient } = await webhook(t, { minTlsVersion: 'TLSv1.2' })
  const served = connect({ host: '127.0.0.1', port: lenient, ca: authority.certificate, maxVersion: 'TLSv1.2' })
  await once(served, 'secureConnect')
  served.destroy()
})

t.test('what cannot be served is said at the start', async (t) => {
  const { port } = await webhook(t)
  await t.rejects(webhook(t, { port }), { code: 'HITLESS_LISTEN', message: `cannot listen on 127.0.0.1 port ${port}` })
  await t.rejects(webhook(t, { healthPort: port }), { code: 'HITLESS_LISTEN' })
  await t.rejects(webhook(t, { tls: { certificate: 'x', key: 'y' } }), { code: 'HITLESS_CERTIFICATE' })
})

t.test('closing answers what is in flight and what still comes, then ends', async (t) => {
  const { reviewer, arrived, release } = holding(1)
  const { post, probe, close, port } = await webhook(t, { reviewer, drainMs: 2000 })
  const held = post(review)
  await arrived
  const closed = close()
  t.equal(close(), closed, 'closing twice is closing once')
  t.strictSame(await probe('/readyz'), { status: 503, text: 'shutting down\n' })
  t.strictSame(await probe('/livez'), { status: 200, text: 'ok\n' })
  const late = post('null')
  t.match(await late, { status: 400, headers: { connection: 'close' } })
  release()
  t.match(await held, { status: 200, headers: { connection: 'close' }, json: { response: { allowed: true } } })
  await closed
  await t.rejects(once(connectPlain(port, '127.0.0.1'), 'connect'), { code: 'ECONNREFUSED' })
})

t.test('a review that outlasts the drain time is still answered', async (t) => {
  const { reviewer, arrived, release } = holding(1)
  const { post, close, connect } = await webhook(t, { reviewer })
  const [unused, idle] = [await connect(), await connect()]
  idle.write('GET / HTTP/1.1\r\nhost: a\r\n\r\n')
  await once(idle, 'data')
  const held = post(review)
  await arrived
  const closed = close()
  await once(idle, 'close')
  const ended = once(unused, 'close')
  release()
  t.match(await held, { status: 200, headers: { connection: 'close' } })
  await Promise.all([closed, ended])
})

t.test('a handshake that ends after the last answer holds nothing up', async (t) => {
  const { port, close, ca } = await webhook(t)
  const late = connectPlain(port, '127.0.0.1')
  await once(late, 'connect')
  const closed = close()
  for (;;) {
    const probe = connectPlain(port, '127.0.0.1')
    const outcome = await Promise.race([once(probe, 'connect').then(() => 'open'), once(probe, 'error').then(() => 'closed')]).catch(
      () => 'closed'
    )
    probe.destroy()
    if (outcome === 'closed') break
  }
  const shaken = connect({ socket: late, ca, host: '127.0.0.1' }).on('error', () => undefined)
  await Promise.all([closed, once(shaken, 'close')])
  t.pass('the server has closed')
})

t.test('the end of the signal closes the server', async (t) => {
  const ending = new AbortController()
  const { connect } = await webhook(t, {}, ending.signal)
  const idle = await connect()
  ending.abort()
  await once(idle, 'close')
  t.pass('idle connections end')
})
