/** A real API server that shows hitless a client certificate, and hitless that asks for one. */
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { join } from 'node:path'
import t from 'tap'
import { rule, service, to, virtualService } from '../manifests.ts'
import { startControlPlane } from '../rig/control-plane.ts'
import { startHitless } from '../rig/hitless-process.ts'
import { clientAuthority } from '../server/client-certificate.ts'

// Go builds what no other run has.
t.setTimeout(1_800_000)

const folder = t.testdir()
const written = (name: string, content: unknown) => {
  const file = join(folder, name)
  writeFileSync(file, typeof content === 'string' ? content : JSON.stringify(content))
  return file
}
const port = await freePort()
const clients = clientAuthority(folder)
const { cert, key } = clients.pair('kube-apiserver')

// As docs/security.md tells it: the API server looks for a user by the host and port that it calls.
const kubeconfig = written('webhooks.kubeconfig', {
  apiVersion: 'v1',
  kind: 'Config',
  users: [{ name: `127.0.0.1:${port}`, user: { 'client-certificate': written('api.crt', cert), 'client-key': written('api.key', key) } }]
})
const admission = written('admission.yaml', {
  apiVersion: 'apiserver.config.k8s.io/v1',
  kind: 'AdmissionConfiguration',
  plugins: [
    {
      name: 'ValidatingAdmissionWebhook',
      configuration: { apiVersion: 'apiserver.config.k8s.io/v1', kind: 'WebhookAdmissionConfiguration', kubeConfigFile: kubeconfig }
    }
  ]
})
const config = written('config.yaml', {
  apiVersion: 'hitless.io/v1',
  kind: 'Config',
  server: { clientCa: written('clients-ca.crt', clients.ca), clientNames: ['kube-apiserver'] }
})

const plane = await startControlPlane({ controllers: false, apiServerFlags: [`--admission-control-config-file=${admission}`] })
t.teardown(() => plane.stop())
const hitless = await startHitless(plane, { register: false, flags: ['--config', config, '--port', String(port)] })
t.teardown(() => hitless.stop())

const apply = (manifest: unknown) => plane.kubectl(['apply', '-n', 'default', '-f', '-'], { input: JSON.stringify(manifest) })
const broken = virtualService([rule([to('v9')], [{ uri: { prefix: '/a' } }])])

t.test('writes are judged where the API server shows the certificate', async (t) => {
  t.equal((await apply(service())).code, 0)
  const unregister = await plane.registerWebhook({ url: `https://127.0.0.1:${port}/validate`, caBundle: hitless.ca })
  const { code, stderr } = await apply(broken)
  t.equal(code, 1)
  t.match(stderr, /denied the request: hitless: .*\[missing-fallback\]/s)
  await unregister()
})

t.test('TLS refuses the API server where it shows none, and the failure policy decides', async (t) => {
  // Of this name the API server's configuration knows no user.
  await plane.registerWebhook({ url: `https://localhost:${port}/validate`, caBundle: hitless.ca })
  const { code, stderr } = await apply(broken)
  t.equal(code, 1)
  t.match(stderr, /failed calling webhook "hitless\.hitless\.io".*(certificate required|broken pipe|connection reset)/s)
  t.equal((await fetch(`http://127.0.0.1:${hitless.healthPort}/readyz`)).status, 200, 'probes need none')
})

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  await once(server.close(), 'close')
  return port
}
