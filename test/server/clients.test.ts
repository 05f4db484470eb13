import t from 'tap'
import { dial } from '../../src/certificates/dial.ts'
import { ADMITTED } from '../../src/review/decide.ts'
import type { Reviewer } from '../../src/review/decision.ts'
import { clientsOf } from '../../src/server/clients.ts'
import { create, stored } from '../admission/reviews.ts'
import { authority, pairFor, webhook } from './client.ts'
import { clientAuthority } from './client-certificate.ts'

const review = create(stored('VirtualService'))
const { ca, pair } = clientAuthority(t.testdir())
const apiServer = pair('system:kube-apiserver', 'apiserver.example.com')

t.test('with an authority of clients, only its certificates are let in', async (t) => {
  const { post, probe, setCertificate, metrics } = await webhook(t, { clients: clientsOf(ca, []) })
  // Without `agent` each request is a handshake of its own.
  const asked = (client: object) => post(review, { agent: false, ...client, ca: authority.certificate })
  const strangers = clientAuthority(t.testdir())
  const refused = { code: /^ERR_SSL_|^ECONNRESET$|^EPIPE$/ }
  for (const round of ['at first', 'after the certificate of the webhook changed']) {
    t.match(await asked(apiServer), { status: 200 }, round)
    await t.rejects(asked({}), refused, `no certificate, ${round}`)
    await t.rejects(asked(strangers.pair('system:kube-apiserver')), refused, `another authority, ${round}`)
    setCertificate(await pairFor('127.0.0.1'))
  }
  t.match(await probe('/livez'), { status: 200 }, 'probes need none')
  t.match(await metrics.registry.metrics(), 'hitless_request_errors_total{code="HITLESS_CLIENT"} 2')
})

t.test('only who shows a certificate is believed', async (t) => {
  const believed: unknown[] = []
  const reviewer: Reviewer = async (_change, _signal, asker) => {
    believed.push(asker?.isBelieved)
    return ADMITTED
  }
  const certain = await webhook(t, { reviewer, clients: clientsOf(ca, []) })
  await certain.post(review, { agent: false, ...apiServer, ca: authority.certificate })
  const open = await webhook(t, { reviewer })
  await open.post(review)
  await open.post(review, { agent: false, ...apiServer, ca: authority.certificate })
  const played = await webhook(t, { reviewer, believesAnybody: true })
  await played.post(review)
  t.strictSame(believed, [true, false, false, true])
})

t.test('with names, a certificate must have one of them', async (t) => {
  const { post } = await webhook(t, { clients: clientsOf(ca, ['system:kube-apiserver', 'front.example.com']) })
  const asked = (client: object) => post(review, { agent: false, ...client, ca: authority.certificate })
  t.match(await asked(apiServer), { status: 200 }, 'the common name')
  t.match(await asked(pair('other', 'front.example.com')), { status: 200 }, 'a DNS name')
  for (const other of [pair('other'), pair('*.example.com'), pair('other', '*.example.com'), pair('system:kube-apiserver.example.com')]) {
    t.match(await asked(other), { status: 403, json: { reason: 'HITLESS_CLIENT' } })
  }
})

t.test("the look that a replica takes at its own port sees the webhook's certificate all the same", async (t) => {
  const { port } = await webhook(t, { clients: clientsOf(ca, []), tls: await pairFor('127.0.0.1', 'hitless.svc') })
  const address = { host: '127.0.0.1', port, bundle: authority.certificate }
  t.equal(await dial({ ...address, servername: 'hitless.svc' }), null)
  t.match(await dial({ ...address, servername: 'other.svc' }), /does not match/)
})

t.test('an authority that is no certificate is said at the start', async (t) => {
  t.throws(() => clientsOf('no PEM', []), { code: 'HITLESS_CERTIFICATE', message: 'the authority of clients is no certificate' })
})
