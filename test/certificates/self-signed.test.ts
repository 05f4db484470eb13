import { X509Certificate } from 'node:crypto'
import t from 'tap'
import { createAuthority, issue, renewAtMs } from '../../src/certificates/self-signed.ts'

const nowMs = Date.parse('2026-11-24T00:00:00Z')
const DAY_MS = 86_400_000

t.test('a leaf is signed by its authority, for all names, and the pair belongs together', async (t) => {
  const authority = await createAuthority({ nowMs, days: 365 })
  const leaf = await issue(authority, ['hitless.hitless.svc', '127.0.0.1', '::1'], { nowMs, days: 7 })
  const ca = new X509Certificate(authority.certificate)
  const certificate = new X509Certificate(leaf.certificate)
  t.ok(ca.ca)
  t.notOk(certificate.ca)
  t.ok(certificate.verify(ca.publicKey))
  t.ok(certificate.checkIssued(ca))
  t.equal(certificate.checkHost('hitless.hitless.svc'), 'hitless.hitless.svc')
  t.equal(certificate.checkIP('127.0.0.1'), '127.0.0.1')
  t.equal(certificate.checkIP('::1'), '::1')
  t.equal(certificate.checkHost('example.com'), undefined)
  t.strictSame(certificate.keyUsage, ['1.3.6.1.5.5.7.3.1'], 'for servers only')
  t.match(leaf.key, /^-----BEGIN PRIVATE KEY-----/)
})

t.test('validity follows the clock that is passed in', async (t) => {
  const authority = await createAuthority({ nowMs, days: 365 })
  const { certificate } = await issue(authority, ['a'], { nowMs, days: 7 })
  const { validFromDate, validToDate } = new X509Certificate(certificate)
  t.ok(validFromDate.getTime() < nowMs, 'for clocks that are behind')
  t.equal(validToDate.getTime(), nowMs + 7 * DAY_MS)
  const renewal = renewAtMs(certificate)
  t.ok(renewal > nowMs + 4 * DAY_MS && renewal < nowMs + 5 * DAY_MS, 'renewed at two thirds of its life')
})

t.test('two authorities differ, and neither signs for the other', async (t) => {
  const [one, other] = await Promise.all([createAuthority({ nowMs, days: 1 }), createAuthority({ nowMs, days: 1 })])
  const leaf = new X509Certificate((await issue(one, ['a'], { nowMs, days: 1 })).certificate)
  t.not(new X509Certificate(one.certificate).serialNumber, new X509Certificate(other.certificate).serialNumber)
  t.notOk(leaf.verify(new X509Certificate(other.certificate).publicKey))
})
