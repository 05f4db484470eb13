// Runs in a network of its own: install.test.ts starts it. A pair of the owner's, and Helm as its version 3 applies: from the client's side.

import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { connect } from 'node:tls'
import t from 'tap'
import { createAuthority } from '../../src/certificates/self-signed.ts'
import { CHART } from './helm.ts'
import { ownPair, startRelease } from './release.ts'

t.setTimeout(10 * 60_000)

const HOST = 'hitless.hitless-system.svc'
const release = await startRelease()
t.teardown(() => release.stop())
const { plane, pods, writer, helm, toNobody, running, ready, policies, until, failsClosed } = release

const authority = await createAuthority({ nowMs: Date.now(), days: 30 })
const caFile = join(plane.directory, 'owner-ca.pem')
writeFileSync(caFile, authority.certificate)

const VALUES = [
  ['--set', 'replicas=2,config.server.drainSeconds=3,config.settle.milliseconds=0,certificate.existingSecret=own'],
  ['--set-file', `certificate.caBundle=${caFile}`]
].flat()
const WAIT = ['--server-side=false', '--wait', '--timeout', '3m']

async function putSecret(): Promise<void> {
  const { secret } = await ownPair(authority)
  const { code, stderr } = await plane.kubectl(['apply', '-f', '-'], { input: JSON.stringify(secret) })
  if (code !== 0) throw new Error(stderr)
}

/** The serial numbers of the certificates that the Pods serve. */
async function served(): Promise<string[]> {
  return Promise.all(
    (await running()).map(async ({ status }) => {
      const socket = connect({ host: status.podIP ?? '', port: 9443, servername: HOST, ca: authority.certificate })
      await once(socket, 'secureConnect')
      const { serialNumber } = socket.getPeerCertificate()
      socket.destroy()
      return serialNumber
    })
  )
}

t.test('installed', async (t) => {
  await plane.kubectl(['create', 'namespace', 'hitless-system'])
  await putSecret()
  const { code, stderr } = await helm('install', 'hitless', CHART, ...WAIT, ...VALUES)
  t.equal(code, 0, stderr)
  t.equal(await ready(), 2)
  await failsClosed()
  t.match((await toNobody()).stderr, '[undefined-subset]')
  t.same(writer.take().failures, [])
})

t.test('upgraded and rolled back without a failed write', async (t) => {
  const upgraded = await helm('upgrade', 'hitless', CHART, ...WAIT, ...VALUES, '--set', 'config.rules.workload-name=off')
  t.equal(upgraded.code, 0, upgraded.stderr)
  t.equal((await policies())['routes'], 'Fail', 'as it was')
  const back = await helm('rollback', 'hitless', '1', ...WAIT)
  t.equal(back.code, 0, back.stderr)
  await failsClosed()
  t.match((await toNobody()).stderr, '[undefined-subset]')
  const { made, failures } = writer.take()
  t.same(failures, [], `${made} writes`)
})

t.test('a renewed pair is served by the same Pods, and no write fails', async (t) => {
  await until('the old Pods are gone', async () => (await running()).length === 2)
  const names = (await running()).map(({ metadata }) => metadata.name)
  const before = await served()
  await putSecret()
  await pods.mountAgain()
  await until('all serve the new one', async () => (await served()).every((serial) => !before.includes(serial)))
  t.same((await running()).map(({ metadata }) => metadata.name).sort(), names.sort())
  t.match((await toNobody()).stderr, '[undefined-subset]')
  t.same(writer.take().failures, [])
})

t.test('uninstalled', async (t) => {
  const { code, stderr } = await helm('uninstall', 'hitless', '--wait', '--timeout', '3m')
  t.equal(code, 0, stderr)
  t.same(await release.left(), [])
  t.same(writer.take().failures, [])
})
