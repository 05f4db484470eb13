import t from 'tap'
import { dial } from '../../src/certificates/dial.ts'
import { createAuthority } from '../../src/certificates/self-signed.ts'
import { clientsOf } from '../../src/server/clients.ts'
import { authority, pairFor, webhook } from '../server/client.ts'
import { HOST } from './replicas.ts'

const stranger = await createAuthority({ nowMs: Date.now(), days: 1 })
const at = (port: number, bundle: string, servername = HOST) => dial({ host: '127.0.0.1', port, servername, bundle })

t.test('the handshake of a client that trusts the authority ends well, with others in the bundle too', async (t) => {
  const { port } = await webhook(t, { tls: await pairFor(HOST) })
  t.equal(await at(port, authority.certificate), null)
  t.equal(await at(port, `${stranger.certificate}\n${authority.certificate}`), null)
})

t.test('what a client would mind is said', async (t) => {
  const { port, close } = await webhook(t, { tls: await pairFor(HOST) })
  t.match(await at(port, stranger.certificate), /certificate/)
  t.match(await at(port, authority.certificate, 'other.svc'), /other\.svc.* is not in the cert's altnames/i)
  await close()
  t.match(await at(port, authority.certificate), 'ECONNREFUSED')
})

t.test('a server that asks clients for a certificate can be looked at without one', async (t) => {
  const clients = clientsOf(stranger.certificate, ['kube-apiserver'])
  const { port } = await webhook(t, { tls: await pairFor(HOST), clients })
  t.equal(await at(port, authority.certificate), null)
})
