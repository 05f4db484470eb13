/** Where istiod's replicas are, by the EndpointSlices of its Services. */
import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import t from 'tap'
import { systemClock } from '../../src/kubernetes/clock.ts'
import { Connection } from '../../src/kubernetes/connection.ts'
import { CredentialReader } from '../../src/kubernetes/credentials.ts'
import { addressesIn, istiodsOf } from '../../src/proxies/istiods.ts'
import { writeKubeconfig } from '../cluster/reflector/fixtures.ts'

type Endpoint = { addresses: string[]; conditions?: { ready?: boolean } }

function slice(service: string, endpoints: readonly Endpoint[], labels: Readonly<Record<string, string>> = {}, portName = 'https-dns') {
  const metadata = { namespace: 'istio-system', labels: { app: 'istiod', 'kubernetes.io/service-name': service, ...labels } }
  return {
    metadata,
    ports: [
      { name: 'grpc-xds', port: 15010 },
      { name: portName, port: 15012 }
    ],
    endpoints
  }
}

const targets = (...items: unknown[]) => addressesIn({ items }).map(({ target }) => target)

t.test('each replica of each revision, once, with the name that its certificate has', async (t) => {
  const one = slice('istiod', [{ addresses: ['10.0.0.1'] }, { addresses: ['10.0.0.2'], conditions: { ready: true } }])
  const canary = slice('istiod-canary', [{ addresses: ['10.0.0.3'] }])
  t.strictSame(addressesIn({ items: [one, canary, one] }), [
    { target: '10.0.0.1:15012', serverName: 'istiod.istio-system.svc' },
    { target: '10.0.0.2:15012', serverName: 'istiod.istio-system.svc' },
    { target: '10.0.0.3:15012', serverName: 'istiod-canary.istio-system.svc' }
  ])
})

t.test('an address of IPv6 stands in brackets', async (t) =>
  t.strictSame(targets(slice('istiod', [{ addresses: ['fd00::1'] }])), ['[fd00::1]:15012'])
)

const NONE: Record<string, unknown> = {
  'a replica that is not ready': slice('istiod', [{ addresses: ['10.0.0.1'], conditions: { ready: false } }]),
  'the Service of a tag, whose name no certificate has': slice('istiod-revision-tag-prod', [{ addresses: ['10.0.0.1'] }], {
    'istio.io/tag': 'prod'
  }),
  'a Service without the port for TLS': slice('istiod', [{ addresses: ['10.0.0.1'] }], {}, 'other'),
  'what is no slice': { metadata: 7, ports: 'x', endpoints: null },
  'an endpoint without an address': slice('istiod', [{ addresses: [] }])
}
for (const [name, item] of Object.entries(NONE)) t.test(`${name} is none`, async (t) => t.strictSame(targets(item), []))
t.test('what is no list has none', async (t) => t.strictSame([addressesIn(null), addressesIn({ items: 7 })], [[], []]))

t.test('who asks at one time shares one reading, and may leave without ending it for the others', async (t) => {
  const open: ServerResponse[] = []
  const server = createServer((_, response) => open.push(response)).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  const kubeconfig = writeKubeconfig(t.testdir(), `http://127.0.0.1:${(server.address() as AddressInfo).port}`, 'token')
  const connection = new Connection(new CredentialReader({ kubeconfig, context: null }), systemClock)
  t.teardown(() => connection.close())
  const { addresses } = istiodsOf({ connection, namespace: 'istio-system', serviceAccount: 'hitless-settle', nowMs: () => 0 })
  const impatient = new AbortController()
  const left = addresses(impatient.signal)
  const staying = [1, 2, 3].map(() => addresses(new AbortController().signal))
  await once(server, 'request')
  impatient.abort(new Error('left'))
  await t.rejects(left, { message: 'left' })
  t.equal(open.length, 1)
  open[0]?.setHeader('content-type', 'application/json').end(JSON.stringify({ items: [slice('istiod', [{ addresses: ['10.0.0.1'] }])] }))
  for (const each of await Promise.all(staying)) t.match(each, [{ target: '10.0.0.1:15012' }])
  await addresses(new AbortController().signal)
  t.equal(open.length, 1, 'what was read is kept')
})
